//! The functions of the world `scenario` that wait, and those whose result wants room in the
//! guest's memory: calling the guest for it is a call that may wait, too. They run on the guest's
//! stack, which others get meanwhile (`crate::engine::stack`).

use std::time::Duration;

use tokio::time::Instant;
use wasmtime::{Caller, Linker};

use super::abi::{self, OUTCOME_BYTES, given, lent, number, text};
use super::analysis::Function;
use super::plain;
use super::wasi::{self, Wasi};
use crate::contract::bindings::swarm::scenario::{args, clock, http};
use crate::host::ctx::Ctx;
use crate::host::exchange::{Request, Response};
use crate::host::http::{Client, Outcome};
use crate::host::pending::{Errand, wait_for};

type Guest<'a> = Caller<'a, Ctx>;
type Done<T = ()> = wasmtime::Result<T>;

/// Defines an import of a core module. False when this build does not know the function.
pub(super) fn link(
    linker: &mut Linker<Ctx>,
    at @ (module, field): (&str, &str),
    function: &Function,
) -> Done<bool> {
    let name = function.name.as_str();
    match (function.interface.as_str(), name.split_once('.').unwrap_or((name, ""))) {
        ("swarm:scenario/http@0.1.0", ("[method]client", "get" | "send" | "batch")) => {
            client(linker, module, field, name)?;
        }
        ("swarm:scenario/http@0.1.0", ("[method]response", "header" | "body" | "text")) => {
            response(linker, module, field, name)?;
        }
        ("swarm:scenario/clock@0.1.0", ("sleep", "")) => {
            linker.func_wrap_async(module, field, |mut guest: Guest<'_>, (ms,): (u32,)| {
                Box::new(async move { clock::Host::sleep(guest.data_mut(), ms).await })
            })?;
        }
        ("swarm:scenario/args@0.1.0", ("get", "")) => {
            linker.func_wrap_async(
                module,
                field,
                |mut guest: Guest<'_>, (name, len, result): (u32, u32, u32)| {
                    Box::new(async move {
                        let name = text(&guest, name, len)?;
                        let value = args::Host::get(guest.data_mut(), name)?;
                        give_option(&mut guest, result, value).await
                    })
                },
            )?;
        }
        _ => match Wasi::of(function) {
            Some(wasi) => wasi_function(linker, module, field, wasi)?,
            None => return plain::link(linker, at, function),
        },
    }
    Ok(true)
}

fn client(linker: &mut Linker<Ctx>, module: &str, field: &str, name: &str) -> Done {
    match name {
        "[method]client.get" => linker.func_wrap_async(
            module,
            field,
            |mut guest: Guest<'_>, (client, url, len, result): (u32, u32, u32, u32)| {
                Box::new(async move {
                    let url = text(&guest, url, len)?;
                    let client = lent::<Client>(client);
                    let outcome = http::HostClient::get(guest.data_mut(), client, url).await?;
                    give_outcome(&mut guest, result, outcome).await
                })
            },
        )?,
        "[method]client.send" => linker.func_wrap_async(
            module,
            field,
            |mut guest: Guest<'_>, (client, request, result): (u32, u32, u32)| {
                Box::new(async move {
                    let (client, request) = (lent::<Client>(client), given::<Request>(request));
                    let outcome = http::HostClient::send(guest.data_mut(), client, request);
                    let outcome = outcome.await?;
                    give_outcome(&mut guest, result, outcome).await
                })
            },
        )?,
        _ => linker.func_wrap_async(
            module,
            field,
            |mut guest: Guest<'_>, (client, list, len, result): (u32, u32, u32, u32)| {
                Box::new(async move { batch(&mut guest, client, (list, len), result).await })
            },
        )?,
    };
    Ok(())
}

fn response(linker: &mut Linker<Ctx>, module: &str, field: &str, name: &str) -> Done {
    match name {
        "[method]response.header" => linker.func_wrap_async(
            module,
            field,
            |mut guest: Guest<'_>, (response, name, len, result): (u32, u32, u32, u32)| {
                Box::new(async move {
                    let (name, response) = (text(&guest, name, len)?, lent::<Response>(response));
                    let value = http::HostResponse::header(guest.data_mut(), response, name)?;
                    give_option(&mut guest, result, value).await
                })
            },
        )?,
        "[method]response.body" => linker.func_wrap_async(
            module,
            field,
            |mut guest: Guest<'_>, (response, result): (u32, u32)| {
                Box::new(async move {
                    let response = lent::<Response>(response);
                    let body = http::HostResponse::body(guest.data_mut(), response)?;
                    give_bytes(&mut guest, result, &body).await
                })
            },
        )?,
        _ => linker.func_wrap_async(
            module,
            field,
            |mut guest: Guest<'_>, (response, result): (u32, u32)| {
                Box::new(async move {
                    let response = lent::<Response>(response);
                    let body = http::HostResponse::text(guest.data_mut(), response)?;
                    give_bytes(&mut guest, result, body.as_bytes()).await
                })
            },
        )?,
    };
    Ok(())
}

/// What of WASI waits, or hands over more than its result has room for.
fn wasi_function(linker: &mut Linker<Ctx>, module: &str, field: &str, wasi: Wasi) -> Done {
    match wasi {
        Wasi::RandomBytes(source) => linker.func_wrap_async(
            module,
            field,
            move |mut guest: Guest<'_>, (len, result): (u64, u32)| {
                Box::new(async move {
                    let bytes = source.bytes(guest.data_mut(), len)?;
                    give_bytes(&mut guest, result, &bytes).await
                })
            },
        )?,
        Wasi::SubscribeDuration => {
            linker.func_wrap(module, field, |mut guest: Guest<'_>, nanoseconds: u64| {
                wasi::subscribe(guest.data_mut(), Duration::from_nanos(nanoseconds))
            })?
        }
        Wasi::PollableReady => {
            linker.func_wrap(module, field, |mut guest: Guest<'_>, pollable: u32| {
                let due = wasi::due(guest.data_mut(), pollable)?;
                Ok(u32::from(due.is_none_or(|due| due <= Instant::now())))
            })?
        }
        Wasi::PollableBlock => {
            linker.func_wrap_async(module, field, |mut guest: Guest<'_>, (pollable,): (u32,)| {
                Box::new(async move {
                    let Some(due) = wasi::due(guest.data_mut(), pollable)? else { return Ok(()) };
                    let sleep = Box::pin(tokio::time::sleep_until(due));
                    let done = wait_for(Errand::Sleep(sleep)).await;
                    guest.data_mut().budget.resume_after(done.waited);
                    Ok(())
                })
            })?
        }
    };
    Ok(())
}

async fn batch(guest: &mut Guest<'_>, client: u32, (list, len): (u32, u32), result: u32) -> Done {
    let abi = abi::of(guest)?;
    let requests = abi.handles(&*guest, list, len)?;
    let outcomes =
        http::HostClient::batch(guest.data_mut(), lent::<Client>(client), requests).await?;
    let count = u32::try_from(outcomes.len()).expect("as many as a guest has requests");
    let bytes = outcomes.len() * OUTCOME_BYTES as usize;
    let first = abi.room(&mut *guest, 4, bytes).await?;
    for (at, outcome) in (first..).step_by(OUTCOME_BYTES as usize).zip(outcomes) {
        give_outcome(guest, at, outcome).await?;
    }
    abi.write_words(guest, result, [first, count])
}

/// Writes a `result<response, error>`.
async fn give_outcome(guest: &mut Guest<'_>, at: u32, outcome: Outcome) -> Done {
    let abi = abi::of(guest)?;
    match outcome {
        Ok(response) => abi.write_words(guest, at, [0, number(&response)]),
        Err(error) => {
            let [text, len] = abi.hand_over(&mut *guest, error.message.as_bytes()).await?;
            abi.write_words(guest, at, [1, error.kind as u32, text, len])
        }
    }
}

/// Writes a text or a list of bytes.
async fn give_bytes(guest: &mut Guest<'_>, at: u32, bytes: &[u8]) -> Done {
    let abi = abi::of(guest)?;
    let given = abi.hand_over(&mut *guest, bytes).await?;
    abi.write_words(guest, at, given)
}

/// Writes an `option<string>`.
async fn give_option(guest: &mut Guest<'_>, at: u32, value: Option<String>) -> Done {
    let abi = abi::of(guest)?;
    let Some(value) = value else { return abi.write_words(guest, at, [0]) };
    let [text, len] = abi.hand_over(&mut *guest, value.as_bytes()).await?;
    abi.write_words(guest, at, [1, text, len])
}
