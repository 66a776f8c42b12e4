//! What a dense guest imports of the world `scenario-async` and of the canonical ABI itself.
//! Nothing here waits: a request is begun, and the guest is called again when it is done
//! (`crate::backend::core_abi::concurrent`).

use wasmtime::{Caller, Linker};

use super::Data as _;
use super::abi::{self, given, lent, text};
use super::analysis::{CANON, Function};
use super::plain;
use super::state::{Begun, CoreState};
use super::wasi::Wasi;
use crate::contract::bindings::swarm::scenario::{args, http};
use crate::host::exchange::{Request, Response};

type Guest<'a> = Caller<'a, CoreState>;
type Done<T = ()> = wasmtime::Result<T>;

/// Defines an import of a core module. False when this build does not know the function.
pub(crate) fn link(
    linker: &mut Linker<CoreState>,
    at @ (module, field): (&str, &str),
    function: &Function,
) -> Done<bool> {
    match (function.interface.as_str(), function.name.as_str()) {
        (CANON, name) => return canon(linker, module, field, name),
        ("swarm:scenario/http-async@0.1.0", name) => return client(linker, module, field, name),
        ("swarm:scenario/clock-async@0.1.0", "[async-lower]sleep") => {
            linker.func_wrap(module, field, |mut guest: Guest<'_>, ms: u32| {
                guest.data_mut().begin_sleep(ms)
            })?
        }
        ("swarm:scenario/http@0.1.0", "[method]response.header") => linker.func_wrap(
            module,
            field,
            |mut guest: Guest<'_>, response: u32, name: u32, len: u32, result: u32| {
                let (name, response) = (text(&guest, name, len)?, lent::<Response>(response));
                let ctx = guest.data_mut().ctx_mut();
                let value = http::HostResponse::header(ctx, response, name)?;
                give_option(&mut guest, result, value)
            },
        )?,
        ("swarm:scenario/http@0.1.0", "[method]response.body") => linker.func_wrap(
            module,
            field,
            |mut guest: Guest<'_>, response: u32, result: u32| {
                let response = lent::<Response>(response);
                let body = http::HostResponse::body(guest.data_mut().ctx_mut(), response)?;
                give_bytes(&mut guest, result, &body)
            },
        )?,
        ("swarm:scenario/http@0.1.0", "[method]response.text") => linker.func_wrap(
            module,
            field,
            |mut guest: Guest<'_>, response: u32, result: u32| {
                let response = lent::<Response>(response);
                let body = http::HostResponse::text(guest.data_mut().ctx_mut(), response)?;
                give_bytes(&mut guest, result, body.as_bytes())
            },
        )?,
        ("swarm:scenario/args@0.1.0", "get") => linker.func_wrap(
            module,
            field,
            |mut guest: Guest<'_>, name: u32, len: u32, result: u32| {
                let name = text(&guest, name, len)?;
                let value = args::Host::get(guest.data_mut().ctx_mut(), name)?;
                give_option(&mut guest, result, value)
            },
        )?,
        _ => match Wasi::of(function) {
            Some(Wasi::RandomBytes(source)) => linker.func_wrap(
                module,
                field,
                move |mut guest: Guest<'_>, len: u64, result: u32| {
                    let bytes = source.bytes(guest.data_mut().ctx_mut(), len)?;
                    give_bytes(&mut guest, result, &bytes)
                },
            )?,
            // A wait in the middle of a call would be everybody's.
            Some(Wasi::SubscribeDuration) => return Ok(false),
            // So there is nothing that is not ready.
            Some(Wasi::PollableReady) => linker.func_wrap(module, field, |_: u32| 1)?,
            Some(Wasi::PollableBlock) => linker.func_wrap(module, field, |_: u32| {})?,
            None => return plain::link(linker, at, function),
        },
    };
    Ok(true)
}

fn client(linker: &mut Linker<CoreState>, module: &str, field: &str, name: &str) -> Done<bool> {
    match name {
        "[resource-drop]client" => {
            linker.func_wrap(module, field, |mut guest: Guest<'_>, client: u32| {
                guest.data_mut().state.drop_client(given(client))
            })?
        }
        "[method]client.header" => linker.func_wrap(
            module,
            field,
            |mut guest: Guest<'_>, client: u32, name: u32, n: u32, value: u32, v: u32| {
                let (name, value) = (text(&guest, name, n)?, text(&guest, value, v)?);
                guest.data_mut().state.set_header(&lent(client), &name, &value)
            },
        )?,
        "[async-lower][method]client.get" => linker.func_wrap(
            module,
            field,
            |mut guest: Guest<'_>, client: u32, url: u32, len: u32, result: u32| -> Begun {
                let url = text(&guest, url, len)?;
                let state = guest.data_mut();
                let request = state.ctx().request(swarm_client::Method::Get, url);
                state.begin_request(&lent(client), request, result)
            },
        )?,
        "[async-lower][method]client.send" => linker.func_wrap(
            module,
            field,
            |mut guest: Guest<'_>, client: u32, request: u32, result: u32| -> Begun {
                let state = guest.data_mut();
                let request = state.ctx_mut().take(given::<Request>(request))?;
                state.begin_request(&lent(client), request, result)
            },
        )?,
        "[async-lower][method]client.batch" => linker.func_wrap(
            module,
            field,
            |mut guest: Guest<'_>, client: u32, list: u32, len: u32, result: u32| -> Begun {
                let requests = abi::of(&guest)?.handles::<Request>(&guest, list, len)?;
                guest.data_mut().begin_batch(&lent(client), requests, result)
            },
        )?,
        _ => return Ok(false),
    };
    Ok(true)
}

/// What the canonical ABI itself offers: tasks, subtasks, and sets of what is waited for.
fn canon(linker: &mut Linker<CoreState>, module: &str, field: &str, name: &str) -> Done<bool> {
    match name {
        "context.get" => linker.func_wrap(module, field, |mut guest: Guest<'_>| -> Done<u32> {
            Ok(*guest.data_mut().tasks.context()?)
        })?,
        "context.set" => {
            linker.func_wrap(module, field, |mut guest: Guest<'_>, value: u32| -> Done {
                *guest.data_mut().tasks.context()? = value;
                Ok(())
            })?
        }
        // result<then, string> or result<_, string>: a case, and the value or address, and length.
        "task.return 1" => linker.func_wrap(
            module,
            field,
            |mut guest: Guest<'_>, failed: u32, value: u32, len: u32| {
                let result = match abi::case(failed, 2)? {
                    0 => Ok(value),
                    _ => Err(text(&guest, value, len)?),
                };
                guest.data_mut().tasks.give_result(result)
            },
        )?,
        "task.return 0" => linker.func_wrap(module, field, |mut guest: Guest<'_>| {
            guest.data_mut().tasks.give_result(Ok(0))
        })?,
        "task.cancel" => linker.func_wrap(module, field, |mut guest: Guest<'_>| -> Done {
            guest.data_mut().tasks.cancelled()
        })?,
        "subtask.drop" => {
            linker.func_wrap(module, field, |mut guest: Guest<'_>, subtask: u32| {
                guest.data_mut().tasks.drop_subtask(subtask)
            })?
        }
        "subtask.cancel" => {
            linker.func_wrap(module, field, |mut guest: Guest<'_>, subtask: u32| {
                guest.data_mut().tasks.cancel_subtask(subtask)
            })?
        }
        "waitable-set.new" => linker
            .func_wrap(module, field, |mut guest: Guest<'_>| guest.data_mut().tasks.new_set())?,
        "waitable-set.drop" => {
            linker.func_wrap(module, field, |mut guest: Guest<'_>, set: u32| {
                guest.data_mut().tasks.drop_set(set)
            })?
        }
        "waitable.join" => {
            linker.func_wrap(module, field, |mut guest: Guest<'_>, subtask: u32, set: u32| {
                guest.data_mut().tasks.join(subtask, set)
            })?
        }
        "waitable-set.poll" => linker.func_wrap(
            module,
            field,
            |mut guest: Guest<'_>, set: u32, payload: u32| -> Done<u32> {
                let event = guest.data_mut().tasks.poll_set(set)?;
                let abi = abi::of(&guest)?;
                abi.write_words(guest, payload, [event.subtask, event.status])?;
                Ok(event.code)
            },
        )?,
        _ => return Ok(false),
    };
    Ok(true)
}

/// Writes a text or a list of bytes.
fn give_bytes(guest: &mut Guest<'_>, at: u32, bytes: &[u8]) -> Done {
    let abi = abi::of(guest)?;
    let given = abi.hand_over_now(&mut *guest, bytes)?;
    abi.write_words(guest, at, given)
}

/// Writes an `option<string>`.
fn give_option(guest: &mut Guest<'_>, at: u32, value: Option<String>) -> Done {
    let abi = abi::of(guest)?;
    let Some(value) = value else { return abi.write_words(guest, at, [0]) };
    let [text, len] = abi.hand_over_now(&mut *guest, value.as_bytes())?;
    abi.write_words(guest, at, [1, text, len])
}
