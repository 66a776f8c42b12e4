//! What the store of a guest instance holds: its limits and what its host functions need.

use std::sync::Arc;
use std::time::Instant;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::host::http::Response;
use crate::limits::InstanceLimits;
use crate::runtime::{RuntimeConfig, SLICE};
use crate::stdio::LogStream;
use crate::test::{Record, Test};

pub(crate) struct Ctx {
    /// `None` while a scenario is only asked what it consists of.
    pub(crate) test: Option<Arc<Test>>,
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
}

impl Ctx {
    pub(crate) fn new(
        test: Option<Arc<Test>>,
        record: Record,
        memory_bytes_max: usize,
        config: &RuntimeConfig,
        seed: u64,
    ) -> Self {
        let reads_bodies = test.as_ref().is_none_or(|test| test.module.reads_bodies());
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
        }
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
        self.record.lock().exception(message, "");
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
        let ctx = self.wasi.get_or_insert_with(|| Box::new(wasi(seed, test.as_ref())));
        WasiCtxView { ctx, table: &mut self.table }
    }
}

/// No files, no sockets, no environment; randomness that a replay repeats.
fn wasi(seed: u64, test: Option<&Arc<Test>>) -> WasiCtx {
    WasiCtx::builder()
        .stdout(LogStream::new("stdout", test.cloned()))
        .stderr(LogStream::new("stderr", test.cloned()))
        .secure_random(SmallRng::seed_from_u64(seed))
        .insecure_random(SmallRng::seed_from_u64(seed ^ 1))
        .insecure_random_seed(u128::from(seed))
        .allow_tcp(false)
        .allow_udp(false)
        .build()
}

/// How much one call into the guest may compute.
pub(crate) struct Budget {
    /// Since when the guest has been computing without a break.
    resumed: Instant,
    slices: u32,
    slices_max: u32,
}

impl Budget {
    fn new(config: &RuntimeConfig) -> Self {
        let slices = config.call_cpu_max.as_millis() / SLICE.as_millis();
        Self {
            resumed: Instant::now(),
            slices: 0,
            slices_max: u32::try_from(slices).unwrap_or(u32::MAX),
        }
    }

    /// A new call begins.
    pub(crate) fn renew(&mut self) {
        self.slices = 0;
        self.resume();
    }

    /// The guest goes on after a host function. If that `waited`, the time until now was not its
    /// own; if not, a guest that calls it for ever computes for ever.
    pub(crate) fn resume_after(&mut self, waited: bool) {
        if waited {
            self.resume();
        }
    }

    fn resume(&mut self) {
        self.resumed = Instant::now();
    }

    /// A slice ended.
    pub(crate) fn slice_ended(&mut self) -> Slice {
        let computed = self.resumed.elapsed();
        self.resume();
        if computed < SLICE / 2 {
            // The tick came just after the guest went on.
            return Slice::GoOn;
        }
        self.slices += 1;
        if self.slices > self.slices_max { Slice::Spent } else { Slice::Yield }
    }
}

/// What happens at the end of a slice.
pub(crate) enum Slice {
    GoOn,
    Yield,
    Spent,
}
