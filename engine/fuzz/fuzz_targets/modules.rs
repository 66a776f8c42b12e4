//! Scenario files: checked, compiled and asked what they consist of, as the master and its workers
//! do with a file that they do not know.
#![no_main]

use std::cell::RefCell;
use std::sync::OnceLock;
use std::time::Duration;

use libfuzzer_sys::fuzzer_mutate;
use swarm_core::message::Settings;
use swarm_guest::{Module, Runtime, RuntimeConfig, test};

libfuzzer_sys::fuzz_target!(
    init: swarm_fuzz::write_seeds(&seeds()),
    |data: &[u8]| run(data)
);
libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate(data, size, max_size, seed)
});

/// Computing time of a call; less than in the program, so that endless ones cost little.
const CALL_CPU_MAX: Duration = Duration::from_millis(50);
/// Memory of an instance.
const MEMORY_BYTES_MAX: usize = 16 << 20;

fn engines() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let config = RuntimeConfig {
            cache_dir: None,
            user_memory_bytes_max: MEMORY_BYTES_MAX,
            shared_memory_bytes_max: MEMORY_BYTES_MAX,
            call_cpu_max: CALL_CPU_MAX,
            component_layer: false,
        };
        Runtime::new(config).expect("the engine's settings are sound")
    })
}

/// Panics when a plan is taken that does not hold what was promised of it.
fn run(data: &[u8]) {
    thread_local! {
        static RUNTIME: RefCell<tokio::runtime::Runtime> = RefCell::new(swarm_fuzz::runtime());
    }
    let Ok(module) = Module::compile(engines(), data) else { return };
    let scenario = RUNTIME.with_borrow(|runtime| runtime.block_on(module.describe()));
    let Ok(scenario) = scenario else { return };
    let settings = Settings { host: Some("http://127.0.0.1:1".into()), ..Settings::default() };
    let checked = test::check(&scenario, &settings);
    assert!(checked.is_err() || !scenario.classes.is_empty(), "a plan without users was taken");
}

/// Mostly in place: a length that changes makes nonsense of all that follows.
fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    if size < 16 || seed % 16 == 0 {
        return fuzzer_mutate(data, size, max_size);
    }
    let mut state = seed;
    let mut draw = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    for _ in 0..=draw(3) {
        let at = draw(size);
        match draw(4) {
            0 => data[at] ^= 1 << draw(8),
            1 => data[at] = data[draw(size)],
            2 => {
                let value = [0, 1, 0x7f, 0x80, 0xff, 0x0b, 0x41, 0x10];
                data[at] = value[draw(value.len())];
            }
            _ => {
                let length = (1 + draw(8)).min(size - at);
                let from = draw(size - length + 1);
                data.copy_within(from..from + length, at);
            }
        }
    }
    size
}

/// Small scenarios, one of each world, where they have been built; else none.
fn seeds() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/scenarios/");
    let files = ["minimal-wat", "bench-wat", "website-c", "website", "website-dense"];
    let read = |name| std::fs::read(format!("{folder}{name}.wasm")).ok();
    files.into_iter().filter_map(read).collect()
}
