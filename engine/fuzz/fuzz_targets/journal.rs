//! The state directory: a database with damage in it, and what stands in one. The first byte says
//! which of the two.
#![no_main]

use swarm_node::journal::fuzz;

libfuzzer_sys::fuzz_target!(
    init: swarm_fuzz::write_seeds(&seeds()),
    |data: &[u8]| run(data)
);

/// Panics when something else is read than was written, or what was read cannot be gone on with.
fn run(data: &[u8]) {
    match data.split_first() {
        Some((&kind, damage)) if kind & 1 == 0 => fuzz::database(damage),
        Some((_, contents)) => fuzz::contents(contents),
        None => {}
    }
}

/// Damage of each kind, and contents of each kind.
fn seeds() -> Vec<Vec<u8>> {
    let damage = (0..8).map(|kind| vec![0, kind, 16 * kind, 17 * kind, 0, 1 << kind]);
    let contents = fuzz::seeds().into_iter().map(|seed| [&[1], &seed[..]].concat());
    damage.chain(contents).collect()
}
