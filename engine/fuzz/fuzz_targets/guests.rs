//! Guests that run, and call the host with whatever they like: addresses, lengths, handles, and the
//! numbers of tasks, subtasks and sets. Both kinds of core modules are given the same orders.
#![no_main]

use std::cell::RefCell;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use swarm_core::message::Settings;
use swarm_core::plan::{
    Action, Order, Population, Scenario, Sharing, Task, TaskSet, UserClass, Wait,
};
use swarm_fuzz::puppet;
use swarm_guest::{Backend, Clock, Module, Runtime, RuntimeConfig, Test, fuzz};

libfuzzer_sys::fuzz_target!(
    init: swarm_fuzz::write_seeds(&puppet::seeds()),
    |data: &[u8]| run(data)
);

/// Computing time of a call; less than in the program, so that endless ones cost little.
const CALL_CPU_MAX: Duration = Duration::from_millis(50);
/// Memory of an instance.
const MEMORY_BYTES_MAX: usize = 4 << 20;

struct Guests {
    isolated: Arc<Test>,
    dense: Arc<Test>,
}

fn guests() -> &'static Guests {
    static GUESTS: OnceLock<Guests> = OnceLock::new();
    GUESTS.get_or_init(|| {
        let runtime = Runtime::new(RuntimeConfig {
            user_memory_bytes_max: MEMORY_BYTES_MAX,
            shared_memory_bytes_max: MEMORY_BYTES_MAX,
            call_cpu_max: CALL_CPU_MAX,
            ..RuntimeConfig::default()
        });
        let runtime = runtime.expect("the engine's settings are sound");
        Guests {
            isolated: test(&runtime, &puppet::isolated()),
            dense: test(&runtime, &puppet::dense()),
        }
    })
}

fn test(runtime: &Runtime, component: &[u8]) -> Arc<Test> {
    let module = Module::compile(runtime, component).expect("it fits the contract");
    assert_eq!(module.backend(), Backend::CoreModule, "this is about core modules");
    let args = vec![("a".to_owned(), "b".repeat(300))];
    // Nobody listens there, and no guest here has the target as its base.
    let host = Some("http://127.0.0.1:1".to_owned());
    let settings = Settings { host, args, request_timeout_ms: 1000, ..Settings::default() };
    let (clock, client) = (Arc::new(Clock::new()), swarm_client::ClientConfig::default());
    let test = Test::new(module, &scenario(), settings, clock, 0, client, 0);
    Arc::new(test.expect("the test is sound"))
}

fn scenario() -> Scenario {
    let task =
        Task { id: 0, name: "task".to_owned(), weight: 1.0, tags: Vec::new(), action: Action::Run };
    let set = TaskSet { name: "root".to_owned(), order: Order::Weighted, tasks: vec![task] };
    let class = UserClass {
        name: "Class".to_owned(),
        population: Population::Weight(1.0),
        host: None,
        wait: Wait::None,
        sets: vec![set],
    };
    Scenario { classes: vec![class], sharing: Sharing::PerUser, default_hosts: false }
}

fn run(data: &[u8]) {
    thread_local! {
        static RUNTIME: RefCell<tokio::runtime::Runtime> = RefCell::new(swarm_fuzz::runtime());
    }
    let guests = guests();
    RUNTIME.with_borrow(|runtime| {
        runtime.block_on(async {
            fuzz::isolated(&guests.isolated, data).await;
            fuzz::dense(&guests.dense, data).await;
        });
    });
}
