//! What a session shows and leaves: its page and its files, all checked before anything is opened.

use swarm_guest::Runtime;
use swarm_web::WebOptions;

use super::page::{Page, bind_page};
use crate::cli::TestArgs;
use crate::exit::Failure;
use crate::output::Files;
use crate::scenario::{self, Loaded, Source};
use crate::secure;
use crate::signals::Interrupts;
use crate::terminal::Terminal;

/// The page and the files of a session that is being prepared.
pub(crate) struct Front {
    /// How the page is offered, until it is opened.
    options: Option<WebOptions>,
    page: Option<Page>,
    files: Files,
}

impl Front {
    /// Checks what was asked for. The port of the page is opened only where the scenario takes long
    /// to compile; else what is wrong with the scenario is told before a port is opened.
    pub(crate) fn open(args: &TestArgs, source: &Source) -> Result<Self, Failure> {
        let mut options = secure::page(args)?;
        let files = Files::open(args, source.path())?;
        let page = if source.is_slow() { bind_page(args, options.take())? } else { None };
        Ok(Self { options, page, files })
    }

    /// Compiles the scenario, and says so on the page if that is open.
    pub(crate) fn load(
        &mut self,
        source: Source,
        runtime: &Runtime,
        terminal: &Terminal,
        interrupts: &mut Interrupts,
    ) -> Result<Loaded, Failure> {
        scenario::load(source, runtime, terminal, Some(interrupts), self.page.as_ref())
    }

    /// Opens the port of the page if there is to be one and it is not open yet.
    pub(crate) fn ready(self, args: &TestArgs) -> Result<(Option<Page>, Files), Failure> {
        let page = match self.page {
            Some(page) => Some(page),
            None => bind_page(args, self.options)?,
        };
        Ok((page, self.files))
    }
}
