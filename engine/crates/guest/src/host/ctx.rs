//! What the store of a guest instance holds: its limits and what its host functions need.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use tokio::io::AsyncWrite;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::engine::budget::Budget;
use crate::engine::canonical_abi::Abi;
use crate::engine::limits::InstanceLimits;
use crate::engine::runtime::RuntimeConfig;
use crate::host::caller::Caller;
use crate::host::environment::Environment;
use crate::host::exchange::Response;
use crate::host::samples::Record;
use crate::host::stdio::LogStream;
use crate::unpacked::Folder;

pub(crate) struct Ctx {
    /// `None` while a scenario is only asked what it consists of.
    pub(crate) test: Option<Arc<Environment>>,
    pub(crate) record: Record,
    pub(crate) table: ResourceTable,
    pub(crate) limits: InstanceLimits,
    pub(crate) budget: Budget,
    /// Responses whose sample is not recorded yet, by the number of their handle.
    pub(crate) unmarked: Vec<u32>,
    pub(crate) responses_open: usize,
    /// Does the guest ever look at the body of a response? If not, none is kept.
    pub(crate) reads_bodies: bool,
    seed: u64,
    /// Made at the first use: few guests need it.
    wasi: Option<Box<WasiCtx>>,
    /// Of a flat guest.
    pub(crate) abi: Option<Abi>,
    /// What a flat guest writes to: the number of the stream, and where it goes.
    pub(crate) outputs: Vec<(u32, Output)>,
    /// On whose behalf the guest was called last; `None` before the first call.
    pub(crate) caller: Option<Caller>,
}

/// Where a guest's output goes.
pub(crate) type Output = Pin<Box<dyn AsyncWrite + Send + Sync>>;

impl Ctx {
    pub(crate) fn new(
        test: Option<Arc<Environment>>,
        record: Record,
        memory_bytes_max: usize,
        config: &RuntimeConfig,
        seed: u64,
    ) -> Self {
        let reads_bodies = test.as_ref().is_none_or(|test| test.reads_bodies);
        Self {
            test,
            record,
            table: ResourceTable::new(),
            limits: InstanceLimits::new(memory_bytes_max),
            budget: Budget::new(config),
            unmarked: Vec::new(),
            responses_open: 0,
            reads_bodies,
            seed,
            wasi: None,
            abi: None,
            outputs: Vec::new(),
            caller: None,
        }
    }

    /// Lets the guest read folders and the variables of an environment. It must not have used WASI
    /// yet.
    ///
    /// # Errors
    /// When a folder cannot be opened.
    pub(crate) fn mount(
        &mut self,
        folders: &[Folder],
        variables: &[(String, String)],
    ) -> wasmtime::Result<()> {
        let mut wasi = wasi(self.seed, self.test.as_ref());
        // The files are a handful, read once by each instance: they do not keep a load thread for
        // as long as it takes to ask another one for them.
        wasi.allow_blocking_current_thread(true);
        for (name, value) in variables {
            wasi.env(name, value);
        }
        for folder in folders {
            let opened = wasi.preopened_dir(&folder.host, &folder.guest, FsPerms::ReadOnly);
            opened.map_err(|error| error.context(format!("open {}", folder.host.display())))?;
        }
        self.wasi = Some(Box::new(wasi.build()));
        Ok(())
    }

    /// Records every response that the guest neither marked nor dropped.
    pub(crate) fn settle(&mut self) {
        for response in self.unmarked.drain(..) {
            // The guest owns the handle; this second one only finds the response again.
            let response = self.table.get_mut(&Resource::<Response>::new_own(response));
            let response = response.expect("dropping a response takes it off this list");
            response.settle(&self.record);
        }
    }

    /// Tells the reader of the result that the guest misused the host.
    pub(crate) fn complain(&self, message: &str) {
        let text = match (&self.test, self.caller) {
            (Some(test), Some(caller)) => Cow::Owned(test.exception_text(caller, message)),
            _ => Cow::Borrowed(message),
        };
        self.record.lock().exception(&text, "");
    }
}

impl Drop for Ctx {
    fn drop(&mut self) {
        // What was answered is counted, also when its user is interrupted before it could judge.
        self.settle();
    }
}

impl WasiView for Ctx {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let (seed, test) = (self.seed, &self.test);
        let ctx = self.wasi.get_or_insert_with(|| Box::new(wasi(seed, test.as_ref()).build()));
        WasiCtxView { ctx, table: &mut self.table }
    }
}

/// No files, no sockets, nothing of the machine's environment; randomness that a replay repeats.
fn wasi(seed: u64, test: Option<&Arc<Environment>>) -> WasiCtxBuilder {
    let mut wasi = WasiCtx::builder();
    wasi.stdout(LogStream::new("stdout", test.cloned()))
        .stderr(LogStream::new("stderr", test.cloned()))
        .secure_random(SmallRng::seed_from_u64(seed))
        .insecure_random(SmallRng::seed_from_u64(seed ^ 1))
        .insecure_random_seed(u128::from(seed))
        .allow_tcp(false)
        .allow_udp(false);
    wasi
}

#[cfg(test)]
mod tests {
    use swarm_stats::Limits;

    use super::*;
    use crate::contract::bindings::swarm::scenario::http::HostResponse;
    use crate::host::clock::Clock;

    #[test]
    fn dropping_a_response_that_is_not_there_is_no_response_less() {
        let record = Record::new(Limits::default(), Arc::new(Clock::new()));
        let mut ctx = Ctx::new(None, record, 1 << 20, &RuntimeConfig::default(), 0);
        for number in [0, 7, u32::MAX] {
            assert!(HostResponse::drop(&mut ctx, Resource::new_own(number)).is_err());
        }
        assert_eq!(ctx.responses_open, 0);
    }
}
