//! `log`, `clock`, `args`, `metrics`, and the interface of pure types.

use std::time::Duration;

use crate::contract::bindings::swarm::scenario::{args, clock, log, metrics, plan};
use crate::host::ctx::Ctx;
use crate::host::pending::{Errand, wait_for};
use swarm_stats::recorder::Sample;

/// Longest log line of a guest in bytes; the rest is cut off.
const LOG_BYTES_MAX: usize = 8 << 10;

type Trappable<T> = wasmtime::Result<T>;

impl plan::Host for Ctx {}

impl log::Host for Ctx {
    fn log(&mut self, level: log::Level, message: String) -> Trappable<()> {
        if self.test.as_ref().is_some_and(|test| !test.may_log()) {
            return Ok(());
        }
        let end = message.floor_char_boundary(LOG_BYTES_MAX);
        let message = &message[..end];
        match level {
            log::Level::Debug => tracing::debug!(target: "scenario", "{message}"),
            log::Level::Info => tracing::info!(target: "scenario", "{message}"),
            log::Level::Warn => tracing::warn!(target: "scenario", "{message}"),
            log::Level::Error => tracing::error!(target: "scenario", "{message}"),
        }
        Ok(())
    }
}

impl clock::Host for Ctx {
    fn now(&mut self) -> Trappable<f64> {
        let Some(test) = &self.test else { return Ok(0.0) };
        let now = test.clock.now();
        let whole = test.clock.master_ms(now).saturating_sub(test.start_ms);
        #[expect(clippy::cast_precision_loss, reason = "exact below 2^53 ms, 285,000 years")]
        Ok(whole as f64 + f64::from(now.subsec_micros() % 1000) / 1000.0)
    }

    async fn sleep(&mut self, ms: u32) -> Trappable<()> {
        let sleep = tokio::time::sleep(Duration::from_millis(ms.into()));
        let done = wait_for(Errand::Sleep(Box::pin(sleep))).await;
        self.budget.resume_after(done.waited);
        Ok(())
    }
}

impl args::Host for Ctx {
    fn get(&mut self, name: String) -> Trappable<Option<String>> {
        let Some(test) = &self.test else { return Ok(None) };
        let mut args = (0..).zip(&test.settings.args);
        let Some((place, (_, value))) = args.find(|(_, (key, _))| *key == name) else {
            return Ok(None);
        };
        if test.is_first_to_read(place) {
            self.record.lock().arg_read(place);
        }
        Ok(Some(value.clone()))
    }
}

impl metrics::Host for Ctx {
    fn count(&mut self, name: String, by: f64) -> Trappable<()> {
        let done = self.record.lock().count(&name, by);
        self.refused(&name, done);
        Ok(())
    }

    fn gauge(&mut self, name: String, value: f64) -> Trappable<()> {
        let at_ms = self.record.master_ms();
        let done = self.record.lock().gauge(&name, value, at_ms);
        self.refused(&name, done);
        Ok(())
    }

    fn trend(&mut self, name: String, value: f64) -> Trappable<()> {
        let done = self.record.lock().trend(&name, value);
        self.refused(&name, done);
        Ok(())
    }

    fn check(&mut self, name: String, ok: bool) -> Trappable<()> {
        let done = self.record.lock().check(&name, ok);
        self.refused(&name, done);
        Ok(())
    }

    fn sample(
        &mut self,
        kind: String,
        name: String,
        elapsed: f64,
        bytes: u32,
        error: Option<String>,
    ) -> Trappable<()> {
        let elapsed = Duration::try_from_secs_f64(elapsed / 1000.0).map(|time| time.as_micros());
        let Some(response_time_us) = elapsed.ok().and_then(|us| u64::try_from(us).ok()) else {
            self.complain(&format!("metrics.sample {name:?}: the time is not a number of ms >= 0"));
            return Ok(());
        };
        let at_ms = self.record.master_ms();
        let mut record = self.record.lock();
        let entry = record.intern(&kind, &name);
        let (bytes, error) = (u64::from(bytes), error.as_deref());
        record.record(entry, Sample { response_time_us, bytes, error, at_ms, ..Sample::default() });
        Ok(())
    }
}

impl Ctx {
    fn refused<E: std::fmt::Display>(&self, name: &str, done: Result<(), E>) {
        if let Err(error) = done {
            self.complain(&format!("metric {name:?}: {error}"));
        }
    }
}
