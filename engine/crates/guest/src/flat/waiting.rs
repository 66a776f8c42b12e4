//! The functions of the world `scenario` that wait, and those whose result wants room in the
//! guest's memory: calling the guest for it is a call that may wait, too. They run on the guest's
//! stack, which others get meanwhile (`crate::stack`).

use wasmtime::{Caller, Linker};

use super::abi::{self, OUTCOME_BYTES, given, lent, number, text};
use super::imports;
use super::structure::Function;
use crate::bindings::swarm::scenario::{args, clock, http};
use crate::ctx::Ctx;
use crate::host::http::{Client, Outcome, Request, Response};

type Guest<'a> = Caller<'a, Ctx>;
type Done<T = ()> = wasmtime::Result<T>;

/// Defines an import of a core module. False when this build does not know the function.
pub(super) fn link(
    linker: &mut Linker<Ctx>,
    at @ (module, field): (&str, &str),
    function: &Function,
) -> Done<bool> {
    match (function.interface.as_str(), function.name.as_str()) {
        ("swarm:scenario/http@0.1.0", "[method]client.get") => linker.func_wrap_async(
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
        ("swarm:scenario/http@0.1.0", "[method]client.send") => linker.func_wrap_async(
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
        ("swarm:scenario/http@0.1.0", "[method]client.batch") => linker.func_wrap_async(
            module,
            field,
            |mut guest: Guest<'_>, (client, list, len, result): (u32, u32, u32, u32)| {
                Box::new(async move { batch(&mut guest, client, (list, len), result).await })
            },
        )?,
        ("swarm:scenario/http@0.1.0", "[method]response.header") => linker.func_wrap_async(
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
        ("swarm:scenario/http@0.1.0", "[method]response.body") => linker.func_wrap_async(
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
        ("swarm:scenario/http@0.1.0", "[method]response.text") => linker.func_wrap_async(
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
        _ => return imports::link(linker, at, function),
    };
    Ok(true)
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
