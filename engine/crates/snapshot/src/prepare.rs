//! Runs a component's `prepare`, and takes its memory.
//!
//! What it sees is the same each time: the clock stands still, what is random comes from a fixed
//! seed, there are no arguments and no environment. So the same component with the same folders
//! leaves the same memory.

use std::time::Duration;

use anyhow::{Context, Result};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, ResourceTable, ResourceType, Val};
use wasmtime::{Config, Engine, Store};
use wasmtime_wasi::{FsPerms, HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxView, WasiView};

/// Stack of the WebAssembly code in bytes: importing goes deeper than a user's functions.
const WASM_STACK_BYTES: usize = 4 << 20;

/// What the clock shows: the first of January 2026.
const NOW: Duration = Duration::from_secs(1_767_225_600);

/// Where the guest says what goes wrong.
const LOG: &str = "swarm:scenario/log@";

struct Ctx {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Ctx {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

struct Standing;

impl HostWallClock for Standing {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        NOW
    }
}

impl HostMonotonicClock for Standing {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        0
    }
}

/// Runs `prepare` with these folders, `HOST=GUEST` each, and returns the memory.
pub(crate) fn run(component: &[u8], folders: &[&str]) -> Result<Vec<u8>> {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    config.wasm_component_model_async_stackful(true);
    config.max_wasm_stack(WASM_STACK_BYTES);
    config.async_stack_size(2 * WASM_STACK_BYTES);
    let engine = Engine::new(&config)?;
    let component = Component::new(&engine, component)?;
    let mut linker = Linker::<Ctx>::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    deny(&mut linker, &component)?;
    let mut store = Store::new(&engine, Ctx { wasi: wasi(folders)?, table: ResourceTable::new() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let memory = runtime.block_on(async {
        let instance = linker.instantiate_async(&mut store, &component).await?;
        let prepare = instance.get_typed_func::<(), ()>(&mut store, "prepare")?;
        prepare.call_async(&mut store, ()).await?;
        let memory = instance.get_typed_func::<(), (Vec<u8>,)>(&mut store, "memory")?;
        memory.call_async(&mut store, ()).await
    });
    let memory = memory.map_err(anyhow::Error::from).context("its `prepare` has failed")?;
    Ok(memory.0)
}

/// There is no test yet: of what a scenario imports beside WASI, only the log is of use.
fn deny(linker: &mut Linker<Ctx>, component: &Component) -> Result<()> {
    let engine = linker.engine().clone();
    for (name, import) in component.component_type().imports(&engine) {
        let ComponentItem::ComponentInstance(interface) = import.ty else { continue };
        if !name.starts_with("swarm:scenario/") {
            continue;
        }
        let mut denied = linker.instance(name)?;
        for (item, export) in interface.exports(&engine) {
            let text = format!("{name}: {item} was called, and there is no test");
            match export.ty {
                ComponentItem::ComponentFunc(function) if function.async_() => {
                    denied.func_new_concurrent(item, move |_, _, _, _| {
                        let error = wasmtime::Error::msg(text.clone());
                        Box::pin(async move { Err(error) })
                    })?;
                }
                ComponentItem::ComponentFunc(_) if name.starts_with(LOG) => {
                    denied.func_new(item, |_, _, given, _| {
                        if let Some(Val::String(line)) = given.last() {
                            eprintln!("{line}");
                        }
                        Ok(())
                    })?;
                }
                ComponentItem::ComponentFunc(_) => {
                    denied.func_new(item, move |_, _, _, _| {
                        Err(wasmtime::Error::msg(text.clone()))
                    })?;
                }
                ComponentItem::Resource(_) => {
                    denied.resource(item, ResourceType::host::<()>(), |_, _| Ok(()))?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn wasi(folders: &[&str]) -> Result<WasiCtx> {
    let mut wasi = WasiCtx::builder();
    wasi.inherit_stdout().inherit_stderr().allow_blocking_current_thread(true);
    wasi.secure_random(SmallRng::seed_from_u64(0)).insecure_random(SmallRng::seed_from_u64(1));
    wasi.insecure_random_seed(0).wall_clock(Standing).monotonic_clock(Standing);
    for folder in folders {
        let (host, guest) =
            folder.split_once('=').with_context(|| format!("{folder} is not HOST=GUEST"))?;
        let opened = wasi.preopened_dir(host, guest, FsPerms::ReadOnly);
        opened.map_err(|error| error.context(format!("open {host}")))?;
    }
    Ok(wasi.build())
}
