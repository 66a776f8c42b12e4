//! The functions of the world as a core module calls them, as far as they need nothing but their
//! parameters. Each takes these apart, calls the one implementation that there is (`crate::host`),
//! and hands its result over.

use wasmtime::component::Resource;
use wasmtime::{Caller, Linker};

use super::Data;
use super::abi::{self, case, given, lent, number, text};
use super::analysis::Function;
use crate::contract::bindings::swarm::scenario::{clock, http, log, metrics};
use crate::host::ctx::Ctx;
use crate::host::exchange::Request;

type Done<T = ()> = wasmtime::Result<T>;

/// Defines an import of a core module. False when this build does not know the function, or it is
/// none of these.
pub(super) fn link<T: Data>(
    linker: &mut Linker<T>,
    (module, field): (&str, &str),
    function: &Function,
) -> Done<bool> {
    let Function { interface, name } = function;
    let name = name.as_str();
    match interface.as_str() {
        "swarm:scenario/http@0.1.0" => match name.split_once('.').unwrap_or((name, "")) {
            ("[method]client", "header") => client_header(linker, module, field),
            ("[constructor]request", "") => request(linker, module, field, "new"),
            ("[method]request", method) => request(linker, module, field, method),
            ("[method]response", method) => response(linker, module, field, method),
            _ => drops(linker, module, field, name),
        },
        "swarm:scenario/log@0.1.0" if name == "log" => log(linker, module, field),
        "swarm:scenario/clock@0.1.0" | "swarm:scenario/clock-async@0.1.0" if name == "now" => {
            linker.func_wrap(module, field, |mut guest: Caller<'_, T>| {
                clock::Host::now(guest.data_mut().ctx_mut())
            })?;
            Ok(true)
        }
        "swarm:scenario/metrics@0.1.0" => metric(linker, module, field, name),
        _ => super::wasi::link(linker, module, field, function),
    }
}

fn drops<T: Data>(linker: &mut Linker<T>, module: &str, field: &str, name: &str) -> Done<bool> {
    match name {
        "[resource-drop]client" => {
            linker.func_wrap(module, field, |mut guest: Caller<'_, T>, client: u32| {
                http::HostClient::drop(guest.data_mut().ctx_mut(), given(client))
            })?
        }
        "[resource-drop]request" => {
            linker.func_wrap(module, field, |mut guest: Caller<'_, T>, request: u32| {
                http::HostRequest::drop(guest.data_mut().ctx_mut(), given(request))
            })?
        }
        "[resource-drop]response" => {
            linker.func_wrap(module, field, |mut guest: Caller<'_, T>, response: u32| {
                http::HostResponse::drop(guest.data_mut().ctx_mut(), given(response))
            })?
        }
        _ => return Ok(false),
    };
    Ok(true)
}

fn client_header<T: Data>(linker: &mut Linker<T>, module: &str, field: &str) -> Done<bool> {
    linker.func_wrap(
        module,
        field,
        |mut guest: Caller<'_, T>, client: u32, name: u32, n: u32, value: u32, v: u32| {
            let (name, value) = (text(&guest, name, n)?, text(&guest, value, v)?);
            http::HostClient::header(guest.data_mut().ctx_mut(), lent(client), name, value)
        },
    )?;
    Ok(true)
}

fn request<T: Data>(linker: &mut Linker<T>, module: &str, field: &str, method: &str) -> Done<bool> {
    use http::HostRequest as Host;
    type Text = fn(&mut Ctx, Resource<Request>, String) -> Done;
    type Number = fn(&mut Ctx, Resource<Request>, u32) -> Done;
    let texts: Option<Text> = match method {
        "text" => Some(Host::text),
        "name" => Some(Host::name),
        _ => None,
    };
    let numbers: Option<Number> = match method {
        "timeout" => Some(Host::timeout),
        "redirects" => Some(Host::redirects),
        _ => None,
    };
    if let Some(set) = texts {
        linker.func_wrap(
            module,
            field,
            move |mut guest: Caller<'_, T>, request: u32, value: u32, len: u32| {
                let value = text(&guest, value, len)?;
                set(guest.data_mut().ctx_mut(), lent(request), value)
            },
        )?;
        return Ok(true);
    }
    if let Some(set) = numbers {
        linker.func_wrap(
            module,
            field,
            move |mut guest: Caller<'_, T>, request: u32, value: u32| {
                set(guest.data_mut().ctx_mut(), lent(request), value)
            },
        )?;
        return Ok(true);
    }
    match method {
        "new" => linker.func_wrap(
            module,
            field,
            |mut guest: Caller<'_, T>, method: u32, m: u32, url: u32, u: u32| -> Done<u32> {
                let (method, url) = (text(&guest, method, m)?, text(&guest, url, u)?);
                Ok(number(&Host::new(guest.data_mut().ctx_mut(), method, url)?))
            },
        )?,
        "header" => linker.func_wrap(
            module,
            field,
            |mut guest: Caller<'_, T>, request: u32, name: u32, n: u32, value: u32, v: u32| {
                let (name, value) = (text(&guest, name, n)?, text(&guest, value, v)?);
                Host::header(guest.data_mut().ctx_mut(), lent(request), name, value)
            },
        )?,
        "body" => linker.func_wrap(
            module,
            field,
            |mut guest: Caller<'_, T>, request: u32, body: u32, len: u32| {
                let body = abi::of(&guest)?.bytes(&guest, body, len)?.to_vec();
                Host::body(guest.data_mut().ctx_mut(), lent(request), body)
            },
        )?,
        _ => return Ok(false),
    };
    Ok(true)
}

fn response<T: Data>(
    linker: &mut Linker<T>,
    module: &str,
    field: &str,
    method: &str,
) -> Done<bool> {
    use http::HostResponse as Host;
    match method {
        "status" => {
            linker.func_wrap(module, field, |mut guest: Caller<'_, T>, response: u32| {
                Host::status(guest.data_mut().ctx_mut(), lent(response)).map(u32::from)
            })?
        }
        "elapsed" => {
            linker.func_wrap(module, field, |mut guest: Caller<'_, T>, response: u32| {
                Host::elapsed(guest.data_mut().ctx_mut(), lent(response))
            })?
        }
        "succeed" => {
            linker.func_wrap(module, field, |mut guest: Caller<'_, T>, response: u32| {
                Host::succeed(guest.data_mut().ctx_mut(), lent(response))
            })?
        }
        "fail" => linker.func_wrap(
            module,
            field,
            |mut guest: Caller<'_, T>, response: u32, reason: u32, len: u32| {
                let reason = text(&guest, reason, len)?;
                Host::fail(guest.data_mut().ctx_mut(), lent(response), reason)
            },
        )?,
        _ => return Ok(false),
    };
    Ok(true)
}

fn log<T: Data>(linker: &mut Linker<T>, module: &str, field: &str) -> Done<bool> {
    use log::Level;
    linker.func_wrap(
        module,
        field,
        |mut guest: Caller<'_, T>, level: u32, message: u32, len: u32| {
            let levels = [Level::Debug, Level::Info, Level::Warn, Level::Error];
            let level = levels[case(level, 4)? as usize];
            let message = text(&guest, message, len)?;
            log::Host::log(guest.data_mut().ctx_mut(), level, message)
        },
    )?;
    Ok(true)
}

fn metric<T: Data>(linker: &mut Linker<T>, module: &str, field: &str, name: &str) -> Done<bool> {
    use metrics::Host;
    type Figure = fn(&mut Ctx, String, f64) -> Done;
    let mut figure = |set: Figure| {
        linker
            .func_wrap(
                module,
                field,
                move |mut guest: Caller<'_, T>, name: u32, len: u32, value: f64| {
                    let name = text(&guest, name, len)?;
                    set(guest.data_mut().ctx_mut(), name, value)
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
                |mut guest: Caller<'_, T>, name: u32, len: u32, ok: u32| {
                    let name = text(&guest, name, len)?;
                    Host::check(guest.data_mut().ctx_mut(), name, ok != 0)
                },
            )?;
            Ok(true)
        }
        "sample" => {
            linker.func_wrap(module, field, sample::<T>)?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

#[expect(clippy::too_many_arguments, reason = "as the guest hands them over")]
fn sample<T: Data>(
    mut guest: Caller<'_, T>,
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
    metrics::Host::sample(guest.data_mut().ctx_mut(), kind, name, elapsed, bytes, error)
}
