//! What the standard libraries of compiled languages import of WASI 0.2: there are no arguments, no
//! environment and no terminal, standard input is empty, and what is written to standard output and
//! error is logged. Randomness and clocks are those of `wasmtime-wasi`, by the same functions that
//! the component layer calls, so a guest gets the same values by either way.
//!
//! A guest that imports more of WASI is not flat, nor is a dense one that waits by WASI: its wait
//! would hold up everybody on its thread.
//!
//! Relies on the inside of wasmtime: see `engine/WASMTIME.md`.

use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::time::Instant;
use wasmtime::{Caller, Linker};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::cli::StdoutStream as _;
use wasmtime_wasi::clocks::{WasiClocksCtxView, WasiClocksView as _};
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::clocks::{monotonic_clock, wall_clock};
use wasmtime_wasi::p2::bindings::random::{insecure, insecure_seed, random};
use wasmtime_wasi::random::WasiRandomView as _;

use super::analysis::Function;
use super::{Data, abi};
use crate::host::ctx::Ctx;
use crate::host::stdio::LogStream;

type Done<T = ()> = wasmtime::Result<T>;

/// Handles of the streams. They are always there, so nobody counts them.
const STDIN: u32 = 1;
const STDOUT: u32 = 2;
const STDERR: u32 = 3;
/// The handle of whatever is always ready: the largest one that there may be, so that no other
/// reaches it.
const READY: u32 = (1 << 28) - 1;

/// For ever, as far as a test is concerned.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// What may be written at once.
const WRITE_BYTES_MAX: u32 = 64 << 10;

/// Defines an import. False when it is not one of those that are known here.
pub(super) fn link<T: Data>(
    linker: &mut Linker<T>,
    module: &str,
    field: &str,
    function: &Function,
) -> Done<bool> {
    let Some((interface, version)) = function.interface.split_once('@') else { return Ok(false) };
    if !version.starts_with("0.2.") {
        return Ok(false);
    }
    match (interface, function.name.as_str()) {
        ("wasi:io/poll", "[resource-drop]pollable") => {
            linker.func_wrap(module, field, |mut guest: Caller<'_, T>, pollable: u32| {
                drop_pollable(guest.data_mut().ctx_mut(), pollable)
            })?
        }
        ("wasi:random/random" | "wasi:random/insecure" | "wasi:random/insecure-seed", name) => {
            return random(linker, module, field, name);
        }
        ("wasi:clocks/monotonic-clock" | "wasi:clocks/wall-clock", name) => {
            return clock(linker, module, field, interface, name);
        }
        (_, name) if interface.starts_with("wasi:") && name.starts_with("[resource-drop]") => {
            linker.func_wrap(module, field, |_: u32| {})?
        }
        ("wasi:cli/environment", "get-environment" | "get-arguments") => {
            linker.func_wrap(module, field, |guest: Caller<'_, T>, result: u32| {
                let abi = abi::of(&guest)?;
                abi.write_words(guest, result, [0, 0])
            })?
        }
        ("wasi:cli/exit", "exit") => linker.func_wrap(module, field, |status: u32| -> Done {
            Err(I32Exit(i32::from(status != 0)).into())
        })?,
        ("wasi:cli/stdin", "get-stdin") => linker.func_wrap(module, field, || STDIN)?,
        ("wasi:cli/stdout", "get-stdout") => linker.func_wrap(module, field, || STDOUT)?,
        ("wasi:cli/stderr", "get-stderr") => linker.func_wrap(module, field, || STDERR)?,
        (
            "wasi:cli/terminal-stdin" | "wasi:cli/terminal-stdout" | "wasi:cli/terminal-stderr",
            _,
        ) => linker.func_wrap(module, field, |guest: Caller<'_, T>, result: u32| {
            let abi = abi::of(&guest)?;
            abi.write_words(guest, result, [0, 0])
        })?,
        ("wasi:io/streams", method) => return streams(linker, module, field, method),
        _ => return Ok(false),
    };
    Ok(true)
}

fn streams<T: Data>(linker: &mut Linker<T>, module: &str, field: &str, method: &str) -> Done<bool> {
    match method {
        "[method]output-stream.check-write" => {
            linker.func_wrap(module, field, |guest: Caller<'_, T>, _: u32, result: u32| {
                // result<u64, stream-error>
                let abi = abi::of(&guest)?;
                abi.write_words(guest, result, [0, 0, WRITE_BYTES_MAX, 0])
            })?
        }
        "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush" => linker
            .func_wrap(
                module,
                field,
                |mut guest: Caller<'_, T>, stream: u32, from: u32, len: u32, result: u32| {
                    let abi = abi::of(&guest)?;
                    let bytes = abi.bytes(&guest, from, len)?.to_vec();
                    write(guest.data_mut().ctx_mut(), stream, &bytes);
                    abi.write_words(guest, result, [0])
                },
            )?,
        "[method]output-stream.flush" | "[method]output-stream.blocking-flush" => linker
            .func_wrap(module, field, |guest: Caller<'_, T>, _: u32, result: u32| {
                let abi = abi::of(&guest)?;
                abi.write_words(guest, result, [0])
            })?,
        "[method]output-stream.subscribe" => linker.func_wrap(module, field, |_: u32| READY)?,
        _ => return Ok(false),
    };
    Ok(true)
}

/// Which of WASI's two sources of randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Secure,
    Insecure,
}

impl Source {
    /// The next bytes from it.
    pub(super) fn bytes(self, ctx: &mut Ctx, len: u64) -> Done<Vec<u8>> {
        match self {
            Self::Secure => random::Host::get_random_bytes(ctx.random(), len),
            Self::Insecure => insecure::Host::get_insecure_random_bytes(ctx.random(), len),
        }
    }
}

/// Functions that wait, or whose result wants room in the guest's memory: how they are linked
/// depends on whether the guest may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wasi {
    RandomBytes(Source),
    SubscribeDuration,
    PollableReady,
    PollableBlock,
}

impl Wasi {
    /// Is it one of them?
    pub(super) fn of(function: &Function) -> Option<Self> {
        let (interface, version) = function.interface.split_once('@')?;
        if !version.starts_with("0.2.") {
            return None;
        }
        match (interface, function.name.as_str()) {
            ("wasi:random/random", "get-random-bytes") => Some(Self::RandomBytes(Source::Secure)),
            ("wasi:random/insecure", "get-insecure-random-bytes") => {
                Some(Self::RandomBytes(Source::Insecure))
            }
            ("wasi:clocks/monotonic-clock", "subscribe-duration") => Some(Self::SubscribeDuration),
            ("wasi:io/poll", "[method]pollable.ready") => Some(Self::PollableReady),
            ("wasi:io/poll", "[method]pollable.block") => Some(Self::PollableBlock),
            _ => None,
        }
    }
}

fn random<T: Data>(linker: &mut Linker<T>, module: &str, field: &str, name: &str) -> Done<bool> {
    match name {
        "get-random-u64" => linker.func_wrap(module, field, |mut guest: Caller<'_, T>| {
            random::Host::get_random_u64(guest.data_mut().ctx_mut().random())
        })?,
        "get-insecure-random-u64" => {
            linker.func_wrap(module, field, |mut guest: Caller<'_, T>| {
                insecure::Host::get_insecure_random_u64(guest.data_mut().ctx_mut().random())
            })?
        }
        "insecure-seed" => {
            linker.func_wrap(module, field, |mut guest: Caller<'_, T>, result: u32| {
                let random = guest.data_mut().ctx_mut().random();
                let (first, second) = insecure_seed::Host::insecure_seed(random)?;
                give_u64s(guest, result, [first, second])
            })?
        }
        _ => return Ok(false),
    };
    Ok(true)
}

fn clock<T: Data>(
    linker: &mut Linker<T>,
    module: &str,
    field: &str,
    interface: &str,
    name: &str,
) -> Done<bool> {
    type Monotonic = fn(&mut WasiClocksCtxView<'_>) -> Done<u64>;
    type Wall = fn(&mut WasiClocksCtxView<'_>) -> Done<Datetime>;
    let mut monotonic = |read: Monotonic| {
        linker.func_wrap(module, field, move |mut guest: Caller<'_, T>| {
            read(&mut guest.data_mut().ctx_mut().clocks())
        })?;
        Ok(true)
    };
    match (interface, name) {
        ("wasi:clocks/monotonic-clock", "now") => {
            return monotonic(|clocks| monotonic_clock::Host::now(clocks));
        }
        ("wasi:clocks/monotonic-clock", "resolution") => {
            return monotonic(|clocks| monotonic_clock::Host::resolution(clocks));
        }
        _ => {}
    }
    let mut wall = |read: Wall| {
        linker.func_wrap(module, field, move |mut guest: Caller<'_, T>, result: u32| {
            let time = read(&mut guest.data_mut().ctx_mut().clocks())?;
            give_u64s(guest, result, [time.seconds, time.nanoseconds.into()])
        })?;
        Ok(true)
    };
    match (interface, name) {
        ("wasi:clocks/wall-clock", "now") => wall(|clocks| wall_clock::Host::now(clocks)),
        ("wasi:clocks/wall-clock", "resolution") => {
            wall(|clocks| wall_clock::Host::resolution(clocks))
        }
        _ => Ok(false),
    }
}

/// Writes two numbers of 64 bits; or a `datetime`, whose last four bytes are padding.
fn give_u64s<T: Data>(guest: Caller<'_, T>, at: u32, [first, second]: [u64; 2]) -> Done {
    let abi = abi::of(&guest)?;
    let words = [first, first >> 32, second, second >> 32];
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
    abi.write_words(guest, abi::aligned(at, 8)?, words.map(|word| word as u32))
}

/// A moment that a guest may wait for; `None` for one that never comes.
struct Pollable(Option<Instant>);

/// What becomes ready when this time is over.
pub(super) fn subscribe(ctx: &mut Ctx, time: Duration) -> Done<u32> {
    let pollable = ctx.table.push(Pollable(Instant::now().checked_add(time)))?;
    Ok(abi::number(&pollable))
}

/// When a pollable is ready; `None` if it is.
pub(super) fn due(ctx: &mut Ctx, pollable: u32) -> Done<Option<Instant>> {
    if pollable == READY {
        return Ok(None);
    }
    let far = || Instant::now() + FAR;
    Ok(Some(ctx.table.get(&abi::lent::<Pollable>(pollable))?.0.unwrap_or_else(far)))
}

fn drop_pollable(ctx: &mut Ctx, pollable: u32) -> Done {
    if pollable != READY {
        ctx.table.delete(abi::given::<Pollable>(pollable))?;
    }
    Ok(())
}

/// Logs what is written, a line each.
fn write(ctx: &mut Ctx, stream: u32, bytes: &[u8]) {
    let name = if stream == STDERR { "stderr" } else { "stdout" };
    let test = ctx.test.clone();
    let outputs = &mut ctx.outputs;
    let at = match outputs.iter().position(|(of, _)| *of == stream) {
        Some(at) => at,
        None => {
            outputs.push((stream, Box::into_pin(LogStream::new(name, test).async_stream())));
            outputs.len() - 1
        }
    };
    let output: Pin<&mut _> = outputs[at].1.as_mut();
    // It takes everything at once.
    let _ = output.poll_write(&mut Context::from_waker(Waker::noop()), bytes);
}
