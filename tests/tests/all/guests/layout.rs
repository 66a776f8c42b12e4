//! A plan as it lies in a guest's memory, by the canonical ABI of `wit/scenario.wit`.

use swarm_core::plan::{
    Action, Order, Population, Scenario, Sharing, Task, TaskSet, UserClass, Wait,
};

/// Memory being filled, from an address on.
pub(super) struct Image {
    base: usize,
    bytes: Vec<u8>,
}

impl Image {
    pub(super) fn new(base: usize) -> Self {
        Self { base, bytes: Vec::new() }
    }

    /// What to put at the base.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The first free address.
    pub(super) fn end(&self) -> usize {
        self.base + self.bytes.len()
    }

    /// Puts bytes at the next multiple of 8, which suits everything; their address.
    fn put(&mut self, bytes: &[u8]) -> u32 {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        let at = address(self.end());
        self.bytes.extend_from_slice(bytes);
        at
    }

    /// A string: where, and how long.
    pub(super) fn text(&mut self, text: &str) -> [u32; 2] {
        [self.put(text.as_bytes()), address(text.len())]
    }

    /// A list of records, each `size` bytes.
    fn list<T>(
        &mut self,
        items: &[T],
        size: usize,
        write: impl Fn(&mut Self, &mut Record, &T),
    ) -> [u32; 2] {
        let mut bytes = Vec::with_capacity(items.len() * size);
        for item in items {
            let mut record = Record(vec![0; size]);
            write(self, &mut record, item);
            bytes.extend_from_slice(&record.0);
        }
        [self.put(&bytes), address(items.len())]
    }

    /// What `describe` returns: `result<scenario, string>`, 20 bytes.
    pub(super) fn scenario(&mut self, scenario: &Scenario) -> Vec<u8> {
        let mut record = Record(vec![0; 20]);
        let classes = self.list(&scenario.classes, 64, Self::class);
        record.pair(4, classes);
        if let Sharing::Shared(users) = scenario.sharing {
            record.case(12, 1);
            record.u32(16, users);
        }
        record.0
    }

    fn class(&mut self, record: &mut Record, class: &UserClass) {
        let name = self.text(&class.name);
        record.pair(0, name);
        match class.population {
            Population::Weight(weight) => record.f64(16, weight),
            Population::Fixed(users) => {
                record.case(8, 1);
                record.u32(16, users);
            }
        }
        if let Some(host) = &class.host {
            record.case(24, 1);
            let host = self.text(host);
            record.pair(28, host);
        }
        wait(record, class.wait);
        let sets = self.list(&class.sets, 28, Self::set);
        record.pair(56, sets);
    }

    fn set(&mut self, record: &mut Record, set: &TaskSet) {
        let name = self.text(&set.name);
        record.pair(0, name);
        match &set.order {
            Order::Weighted => {}
            Order::Sequential => record.case(8, 1),
            Order::Markov(rows) => {
                record.case(8, 2);
                let rows = self.list(rows, 8, |image, record, row| {
                    let weights: Vec<u8> = row.iter().flat_map(|w| w.to_le_bytes()).collect();
                    record.pair(0, [image.put(&weights), address(row.len())]);
                });
                record.pair(12, rows);
            }
        }
        let tasks = self.list(&set.tasks, 40, Self::task);
        record.pair(20, tasks);
    }

    fn task(&mut self, record: &mut Record, task: &Task) {
        record.u32(0, task.id);
        let name = self.text(&task.name);
        record.pair(4, name);
        record.f64(16, task.weight);
        let tags = self.list(&task.tags, 8, |image, record, tag| {
            let tag = image.text(tag);
            record.pair(0, tag);
        });
        record.pair(24, tags);
        if let Action::Enter(set) = task.action {
            record.case(32, 1);
            record.u32(36, set);
        }
    }
}

/// The wait of a class: its case at 40, what it holds from 48 on.
fn wait(record: &mut Record, wait: Wait) {
    let case = match wait {
        Wait::None => 0,
        Wait::Constant(ms) => {
            record.u32(48, ms);
            1
        }
        Wait::Between { min_ms, max_ms } => {
            record.pair(48, [min_ms, max_ms]);
            2
        }
        Wait::Pacing(ms) => {
            record.u32(48, ms);
            3
        }
        Wait::Throughput(rate) => {
            record.f64(48, rate);
            4
        }
        Wait::Exponential(ms) => {
            record.u32(48, ms);
            5
        }
        Wait::Custom => 6,
    };
    record.case(40, case);
}

/// A record, zero where nothing is written.
struct Record(Vec<u8>);

impl Record {
    fn case(&mut self, at: usize, case: u8) {
        self.0[at] = case;
    }

    fn u32(&mut self, at: usize, value: u32) {
        self.0[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    fn f64(&mut self, at: usize, value: f64) {
        self.0[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }

    fn pair(&mut self, at: usize, [first, second]: [u32; 2]) {
        self.u32(at, first);
        self.u32(at + 4, second);
    }
}

fn address(at: usize) -> u32 {
    u32::try_from(at).expect("a guest's memory has 32 bit addresses")
}
