//! The functions of the world `scenario` as a core module calls them. Each takes its parameters
//! apart, calls the one implementation that there is (`crate::host`), and hands its result over.

use wasmtime::{Caller, Linker};

use super::abi::{self, case, given, lent, number, text};
use super::structure::Function;
use crate::bindings::swarm::scenario::{args, clock, http, log, metrics};
use crate::ctx::Ctx;
use crate::host::http::{Client, Outcome, Request, Response};

type Guest<'a> = Caller<'a, Ctx>;
type Done<T = ()> = wasmtime::Result<T>;

/// Bytes of a `result<response, error>`.
const OUTCOME_BYTES: u32 = 16;

/// Defines an import of a core module. False when this build does not know the function.
pub(super) fn link(
    linker: &mut Linker<Ctx>,
    (module, field): (&str, &str),
    function: &Function,
) -> Done<bool> {
    let Function { interface, name } = function;
    let name = name.as_str();
    match interface.as_str() {
        "swarm:scenario/http@0.1.0" => match name.split_once('.').unwrap_or((name, "")) {
            ("[method]client", method) => client(linker, module, field, method),
            ("[constructor]request", "") => request(linker, module, field, "new"),
            ("[method]request", method) => request(linker, module, field, method),
            ("[method]response", method) => response(linker, module, field, method),
            _ => drops(linker, module, field, name),
        },
        "swarm:scenario/log@0.1.0" | "swarm:scenario/args@0.1.0" | "swarm:scenario/clock@0.1.0" => {
            small(linker, module, field, interface, name)
        }
        "swarm:scenario/metrics@0.1.0" => metric(linker, module, field, name),
        _ => super::wasi::link(linker, module, field, function),
    }
}

fn drops(linker: &mut Linker<Ctx>, module: &str, field: &str, name: &str) -> Done<bool> {
    match name {
        "[resource-drop]client" => {
            linker.func_wrap(module, field, |mut guest: Guest<'_>, client: u32| {
                http::HostClient::drop(guest.data_mut(), given(client))
            })?;
        }
        "[resource-drop]request" => {
            linker.func_wrap(module, field, |mut guest: Guest<'_>, request: u32| {
                http::HostRequest::drop(guest.data_mut(), given(request))
            })?;
        }
        "[resource-drop]response" => {
            linker.func_wrap(module, field, |mut guest: Guest<'_>, response: u32| {
                http::HostResponse::drop(guest.data_mut(), given(response))
            })?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn client(linker: &mut Linker<Ctx>, module: &str, field: &str, method: &str) -> Done<bool> {
    match method {
        "header" => {
            linker.func_wrap(
                module,
                field,
                |mut guest: Guest<'_>, client: u32, name: u32, n: u32, value: u32, v: u32| {
                    let (name, value) = (text(&guest, name, n)?, text(&guest, value, v)?);
                    http::HostClient::header(guest.data_mut(), lent(client), name, value)
                },
            )?;
        }
        "get" => {
            linker.func_wrap_async(
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
            )?;
        }
        "send" => {
            linker.func_wrap_async(
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
            )?;
        }
        "batch" => {
            linker.func_wrap_async(
                module,
                field,
                |mut guest: Guest<'_>, (client, list, len, result): (u32, u32, u32, u32)| {
                    Box::new(async move { batch(&mut guest, client, (list, len), result).await })
                },
            )?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

async fn batch(guest: &mut Guest<'_>, client: u32, (list, len): (u32, u32), result: u32) -> Done {
    let abi = abi::of(guest)?;
    let words = abi.bytes(guest, list, len.saturating_mul(4))?.chunks_exact(4);
    let number = |word: &[u8]| u32::from_le_bytes(word.try_into().expect("chunks of 4"));
    let requests = words.map(|word| given::<Request>(number(word))).collect();
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

fn request(linker: &mut Linker<Ctx>, module: &str, field: &str, method: &str) -> Done<bool> {
    use http::HostRequest as Host;
    match method {
        "new" => linker.func_wrap(
            module,
            field,
            |mut guest: Guest<'_>, method: u32, m: u32, url: u32, u: u32| -> Done<u32> {
                let (method, url) = (text(&guest, method, m)?, text(&guest, url, u)?);
                Ok(number(&Host::new(guest.data_mut(), method, url)?))
            },
        )?,
        "header" => linker.func_wrap(
            module,
            field,
            |mut guest: Guest<'_>, request: u32, name: u32, n: u32, value: u32, v: u32| {
                let (name, value) = (text(&guest, name, n)?, text(&guest, value, v)?);
                Host::header(guest.data_mut(), lent(request), name, value)
            },
        )?,
        "body" => linker.func_wrap(
            module,
            field,
            |mut guest: Guest<'_>, request: u32, body: u32, len: u32| {
                let body = abi::of(&guest)?.bytes(&guest, body, len)?.to_vec();
                Host::body(guest.data_mut(), lent(request), body)
            },
        )?,
        "text" => linker.func_wrap(
            module,
            field,
            |mut guest: Guest<'_>, request: u32, body: u32, len: u32| {
                let body = text(&guest, body, len)?;
                Host::text(guest.data_mut(), lent(request), body)
            },
        )?,
        "name" => linker.func_wrap(
            module,
            field,
            |mut guest: Guest<'_>, request: u32, name: u32, len: u32| {
                let name = text(&guest, name, len)?;
                Host::name(guest.data_mut(), lent(request), name)
            },
        )?,
        "timeout" => {
            linker.func_wrap(module, field, |mut guest: Guest<'_>, request: u32, ms: u32| {
                Host::timeout(guest.data_mut(), lent(request), ms)
            })?
        }
        "redirects" => {
            linker.func_wrap(module, field, |mut guest: Guest<'_>, request: u32, limit: u32| {
                Host::redirects(guest.data_mut(), lent(request), limit)
            })?
        }
        _ => return Ok(false),
    };
    Ok(true)
}

fn response(linker: &mut Linker<Ctx>, module: &str, field: &str, method: &str) -> Done<bool> {
    use http::HostResponse as Host;
    match method {
        "status" => linker.func_wrap(module, field, |mut guest: Guest<'_>, response: u32| {
            Host::status(guest.data_mut(), lent(response)).map(u32::from)
        })?,
        "elapsed" => linker.func_wrap(module, field, |mut guest: Guest<'_>, response: u32| {
            Host::elapsed(guest.data_mut(), lent(response))
        })?,
        "succeed" => linker.func_wrap(module, field, |mut guest: Guest<'_>, response: u32| {
            Host::succeed(guest.data_mut(), lent(response))
        })?,
        "fail" => linker.func_wrap(
            module,
            field,
            |mut guest: Guest<'_>, response: u32, reason: u32, len: u32| {
                let reason = text(&guest, reason, len)?;
                Host::fail(guest.data_mut(), lent(response), reason)
            },
        )?,
        "header" => linker.func_wrap_async(
            module,
            field,
            |mut guest: Guest<'_>, (response, name, len, result): (u32, u32, u32, u32)| {
                Box::new(async move {
                    let name = text(&guest, name, len)?;
                    let value = Host::header(guest.data_mut(), lent::<Response>(response), name)?;
                    give_option(&mut guest, result, value).await
                })
            },
        )?,
        "body" => linker.func_wrap_async(
            module,
            field,
            |mut guest: Guest<'_>, (response, result): (u32, u32)| {
                Box::new(async move {
                    let body = Host::body(guest.data_mut(), lent::<Response>(response))?;
                    give_bytes(&mut guest, result, &body).await
                })
            },
        )?,
        "text" => linker.func_wrap_async(
            module,
            field,
            |mut guest: Guest<'_>, (response, result): (u32, u32)| {
                Box::new(async move {
                    let body = Host::text(guest.data_mut(), lent::<Response>(response))?;
                    give_bytes(&mut guest, result, body.as_bytes()).await
                })
            },
        )?,
        _ => return Ok(false),
    };
    Ok(true)
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

fn small(
    linker: &mut Linker<Ctx>,
    module: &str,
    field: &str,
    interface: &str,
    name: &str,
) -> Done<bool> {
    match (interface, name) {
        ("swarm:scenario/log@0.1.0", "log") => linker.func_wrap(
            module,
            field,
            |mut guest: Guest<'_>, level: u32, message: u32, len: u32| {
                let levels =
                    [log::Level::Debug, log::Level::Info, log::Level::Warn, log::Level::Error];
                let level = levels[case(level, 4)? as usize];
                let message = text(&guest, message, len)?;
                log::Host::log(guest.data_mut(), level, message)
            },
        )?,
        ("swarm:scenario/clock@0.1.0", "now") => {
            linker.func_wrap(module, field, |mut guest: Guest<'_>| {
                clock::Host::now(guest.data_mut())
            })?
        }
        ("swarm:scenario/clock@0.1.0", "sleep") => {
            linker.func_wrap_async(module, field, |mut guest: Guest<'_>, (ms,): (u32,)| {
                Box::new(async move { clock::Host::sleep(guest.data_mut(), ms).await })
            })?
        }
        ("swarm:scenario/args@0.1.0", "get") => linker.func_wrap_async(
            module,
            field,
            |mut guest: Guest<'_>, (name, len, result): (u32, u32, u32)| {
                Box::new(async move {
                    let name = text(&guest, name, len)?;
                    let value = args::Host::get(guest.data_mut(), name)?;
                    give_option(&mut guest, result, value).await
                })
            },
        )?,
        _ => return Ok(false),
    };
    Ok(true)
}

fn metric(linker: &mut Linker<Ctx>, module: &str, field: &str, name: &str) -> Done<bool> {
    use metrics::Host;
    type Figure = fn(&mut Ctx, String, f64) -> Done;
    let mut figure = |set: Figure| {
        linker
            .func_wrap(
                module,
                field,
                move |mut guest: Guest<'_>, name: u32, len: u32, value: f64| {
                    let name = text(&guest, name, len)?;
                    set(guest.data_mut(), name, value)
                },
            )
            .map(|_| true)
    };
    match name {
        "count" => figure(Host::count),
        "gauge" => figure(Host::gauge),
        "trend" => figure(Host::trend),
        "check" => {
            linker.func_wrap(
                module,
                field,
                |mut guest: Guest<'_>, name: u32, len: u32, ok: u32| {
                    let name = text(&guest, name, len)?;
                    Host::check(guest.data_mut(), name, ok != 0)
                },
            )?;
            Ok(true)
        }
        "sample" => {
            linker.func_wrap(module, field, sample)?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

#[expect(clippy::too_many_arguments, reason = "as the guest hands them over")]
fn sample(
    mut guest: Guest<'_>,
    kind: u32,
    kind_len: u32,
    name: u32,
    name_len: u32,
    elapsed: f64,
    bytes: u32,
    failed: u32,
    error: u32,
    error_len: u32,
) -> Done {
    let (kind, name) = (text(&guest, kind, kind_len)?, text(&guest, name, name_len)?);
    let error = match case(failed, 2)? {
        0 => None,
        _ => Some(text(&guest, error, error_len)?),
    };
    metrics::Host::sample(guest.data_mut(), kind, name, elapsed, bytes, error)
}
