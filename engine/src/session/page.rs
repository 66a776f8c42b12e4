//! The web page: its port, and serving it.

use std::net::TcpListener;

use swarm_web::view::Control;
use swarm_web::{WebOptions, serve, serve_waiting};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::bind;
use crate::cli::TestArgs;
use crate::exit::{Exit, Failure, OrExit};

/// The web page: where, and how it is offered.
pub(crate) struct Page {
    listener: TcpListener,
    options: WebOptions,
}

/// Opens the port of the web page, if there is one.
pub(crate) fn bind_page(
    args: &TestArgs,
    options: Option<WebOptions>,
) -> Result<Option<Page>, Failure> {
    let Some(options) = options else { return Ok(None) };
    let (host, port) = (args.web_host.as_str(), args.web_port);
    let other = "choose another with --web-host or --web-port, or --headless for no page";
    let listener = bind(host, port, "the web page", other)?;
    Ok(Some(Page { listener, options }))
}

impl Page {
    /// Answers that the scenario is not ready, until `closed` tells, or is dropped.
    pub(crate) fn open_waiting(
        &self,
        said: watch::Receiver<String>,
        closed: oneshot::Receiver<()>,
    ) -> Result<JoinHandle<()>, Failure> {
        let listener = self.listener.try_clone().and_then(tokio::net::TcpListener::from_std);
        let listener = listener.or_exit(Exit::Bind, || "cannot open the web page".to_owned())?;
        if let Some(url) = self.url() {
            tracing::info!("the page opens at {url} when the scenario is ready");
        }
        let options = self.options.clone();
        Ok(tokio::spawn(async move {
            serve_waiting(listener, &options, said, async { drop(closed.await) }).await;
        }))
    }

    /// Where people find it on this machine.
    fn url(&self) -> Option<String> {
        let address = self.listener.local_addr().ok()?;
        let scheme = if self.options.tls.is_some() { "https" } else { "http" };
        Some(format!("{scheme}://{address}{}", self.options.base_path.as_str()))
    }

    /// Serves it until `closed` tells, or is dropped.
    pub(super) fn open(
        self,
        control: Control,
        closed: oneshot::Receiver<()>,
    ) -> Result<JoinHandle<()>, Failure> {
        let url = self.url();
        let Self { listener, options } = self;
        let listener = tokio::net::TcpListener::from_std(listener);
        let listener = listener.or_exit(Exit::Bind, || "cannot open the web page".to_owned())?;
        if let Some(url) = url {
            tracing::info!("web interface on {url}");
        }
        Ok(tokio::spawn(async move {
            let shutdown = async { drop(closed.await) };
            if let Err(error) = serve(listener, control, options, shutdown).await {
                tracing::error!("the web page ended: {error}");
            }
        }))
    }
}
