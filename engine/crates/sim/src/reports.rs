//! The way of the samples, out of a worker's process.

use crate::net::Message;
use crate::world::{Event, World};

pub(crate) const REPORT_INTERVAL_US: u64 = 1_000_000;

impl World {
    pub(crate) fn collect_regularly(&mut self, w: usize) {
        let now_us = self.now_us;
        let process = self.process(w);
        let users = process.users();
        (0..users).for_each(|_| process.record(now_us));
        let number = process.number;
        self.after(REPORT_INTERVAL_US, Event::Collect(w, number));
        self.collect(w);
    }

    pub(crate) fn collect(&mut self, w: usize) {
        let now_us = self.now_us;
        let process = self.process(w);
        process.uncollected = process.agent.users() > 0;
        let to_us = process.local_us(now_us);
        let from_us = std::mem::replace(&mut process.collected_until_us, to_us);
        let delta = process.recorder.drain();
        if !delta.is_empty() {
            let (from_ms, to_ms) = (process.master_ms(from_us), process.master_ms(to_us));
            let dropped = process.outbox.push(process.test, from_ms, to_ms, delta.of_shard(0));
            process.dropped |= dropped > 0;
        }
        self.send_reports(w);
        if self.process(w).agent.users() == 0 {
            self.beat(w);
        }
    }

    pub(crate) fn send_reports(&mut self, w: usize) {
        let process = self.process(w);
        let Some(connection) = process.session else { return };
        if process.reporting {
            return;
        }
        let Some(report) = process.outbox.next() else { return };
        process.reporting = true;
        self.send_up(connection, Message::Report(Box::new(report)));
    }
}
