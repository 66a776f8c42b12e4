//! What components are linked to: the functions of their world, and WASI's.

use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

use crate::contract::bindings::Scenario;
use crate::contract::bindings::swarm::scenario::{args, http, log, metrics, plan};
use crate::contract::bindings_async::script::swarm::scenario::{exchange, test, turns};
use crate::contract::bindings_async::swarm::scenario::{clock_async, http_async};
use crate::host::concurrent::{Common, State};
use crate::host::ctx::Ctx;

/// For the world `scenario`.
pub(crate) fn isolated(engine: &Engine) -> wasmtime::Result<Linker<Ctx>> {
    let mut linker = Linker::new(engine);
    Scenario::add_to_linker::<_, HasSelf<_>>(&mut linker, |ctx| ctx)?;
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    Ok(linker)
}

/// For the worlds `scenario-async` and `scenario-script`.
pub(crate) fn concurrent(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    type Own = HasSelf<State>;
    let mut linker = Linker::new(engine);
    plan::add_to_linker::<State, Common>(&mut linker, |state| &mut state.ctx)?;
    http::add_to_linker::<State, Common>(&mut linker, |state| &mut state.ctx)?;
    log::add_to_linker::<State, Common>(&mut linker, |state| &mut state.ctx)?;
    args::add_to_linker::<State, Common>(&mut linker, |state| &mut state.ctx)?;
    metrics::add_to_linker::<State, Common>(&mut linker, |state| &mut state.ctx)?;
    http_async::add_to_linker::<State, Own>(&mut linker, |state| state)?;
    clock_async::add_to_linker::<State, Own>(&mut linker, |state| state)?;
    exchange::add_to_linker::<State, Own>(&mut linker, |state| state)?;
    turns::add_to_linker::<State, Own>(&mut linker, |state| state)?;
    test::add_to_linker::<State, Own>(&mut linker, |state| state)?;
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    Ok(linker)
}
