//! What the fuzzers of `fuzz_targets/` have in common. Each of them has a `run`, which panics when
//! something is not as it must be, and `seeds`, with which its corpus begins.
//!
//! # Layout
//! - [`conversation`]: messages of the protocol in a row.
//! - `rpc`: either end of a connection between master and worker.
//! - `reports`: statistics of hostile workers. `journal`: a damaged state directory.
//! - [`puppet`]: guests that do what they are told. `guests`: those, told by hostile bytes.
//! - `modules`: scenario files. `http_api`: the page's port. `client`: answers of a target.

pub mod conversation;
pub mod puppet;

/// A runtime in virtual time: what waits for a time gets there when nothing else is to be done.
///
/// # Panics
/// When the system gives none.
#[must_use]
pub fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().expect("a runtime")
}

/// Cuts into pieces of irregular length, as a network may.
pub fn pieces(mut bytes: &[u8], seed: u8) -> impl Iterator<Item = &[u8]> {
    let mut state = u32::from(seed) | 1;
    std::iter::from_fn(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // Mostly long, as most are.
        let length = if seed == 0 { bytes.len() } else { 1 + (state >> 16) as usize % 400 };
        let (piece, rest) = bytes.split_at(length.min(bytes.len()));
        bytes = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Writes a target's seeds into the folder that `SWARM_FUZZ_SEEDS` names, if it names one, and ends
/// the process.
///
/// # Panics
/// When they cannot be written.
pub fn write_seeds(seeds: &[Vec<u8>]) {
    let Some(folder) = std::env::var_os("SWARM_FUZZ_SEEDS") else { return };
    for (number, seed) in seeds.iter().enumerate() {
        let file = std::path::Path::new(&folder).join(format!("seed-{number:02}"));
        std::fs::write(file, seed).expect("the folder can be written to");
    }
    std::process::exit(0);
}
