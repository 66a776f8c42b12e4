//! What the standard libraries of compiled languages import of WASI 0.2 and hardly ever call: there
//! are no arguments, no environment and no terminal, standard input is empty, and what is written
//! to standard output and error is logged.
//!
//! A guest that imports more of WASI is not flat.

use std::pin::Pin;
use std::task::{Context, Waker};

use wasmtime::{Caller, Linker};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::cli::StdoutStream as _;

use super::structure::Function;
use super::{Data, abi};
use crate::ctx::Ctx;
use crate::stdio::LogStream;

type Done<T = ()> = wasmtime::Result<T>;

/// Handles of the streams. They are always there, so nobody counts them.
const STDIN: u32 = 1;
const STDOUT: u32 = 2;
const STDERR: u32 = 3;
/// The handle of whatever is always ready.
const READY: u32 = 4;

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
        ("wasi:io/poll", "[method]pollable.block") => {
            linker.func_wrap(module, field, |_: u32| {})?
        }
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
