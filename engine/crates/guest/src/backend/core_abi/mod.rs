//! Guests without the component layer.
//!
//! A component that is one core module around host functions, as most are whose language is
//! compiled, needs nothing of the component layer at run time but the canonical ABI. Here such a
//! guest runs as the core module that it is: a user has one core instance, calls go straight in,
//! and the functions of the world take their parameters apart themselves. All other components run
//! by wasmtime's component layer; both ways end in the same host functions (`crate::host`), and
//! the tests of the whole run every kind of scenario through the program.
//!
//! Whether the component fits the world has been checked before, by the component layer.
//!
//! # Layout
//! - `analysis`: which core module is the guest, and which function is behind which import?
//! - `abi`: values in the guest's memory. `plain`: functions of the world that need no more than
//!   that; `blocking`: those that wait, and those that want room in the guest's memory. `wasi`: the
//!   little of WASI that standard libraries bring. `reencode`: a task in one call.
//! - `concurrent`: an instance with many calls at a time, and its `tasks` as the canonical ABI has
//!   them. `nonblocking`: what it imports, which never waits inside of a call. `state`: what its
//!   store holds.
//!
//! # What it saves
//! See "Flat guests" in `ARCHITECTURE.md`.

pub(crate) mod abi;
mod analysis;
mod blocking;

pub(crate) mod concurrent;
mod nonblocking;
mod plain;
mod reencode;
mod state;
pub(crate) mod tasks;

mod wasi;

use swarm_core::plan::Then;
use wasmtime::{Instance, InstancePre, Linker, ModuleExport, Store, TypedFunc};

pub(crate) use abi::Abi;
use analysis::Function;
pub(crate) use analysis::{Exported, Structure};

use crate::backend::Obstacle;
use crate::engine::code_cache::Compiler;
use crate::host::ctx::Ctx;

/// What the store of a flat guest holds.
pub(crate) trait Data: Send + 'static {
    /// What every guest's functions work on.
    fn ctx(&self) -> &Ctx;
    /// The same.
    fn ctx_mut(&mut self) -> &mut Ctx;
}

impl Data for Ctx {
    fn ctx(&self) -> &Ctx {
        self
    }

    fn ctx_mut(&mut self) -> &mut Ctx {
        self
    }
}

/// Prepares a component, if it is flat: defines the imports of its core module, each by `define`,
/// which says whether it knows the function, and has `link` do the rest. `concurrent`: its
/// functions may be asynchronous.
///
/// # Errors
/// What keeps it from being flat.
pub(crate) fn prepare<T: Data, P>(
    compiler: &Compiler,
    component: &[u8],
    concurrent: bool,
    define: impl Fn(&mut Linker<T>, (&str, &str), &Function) -> wasmtime::Result<bool>,
    link: impl FnOnce(&Compiler, &Linker<T>, &Structure<'_>) -> Result<P, Obstacle>,
) -> Result<P, Obstacle> {
    analysis::read(component, concurrent, |structure| {
        let mut linker = Linker::new(compiler.engine());
        linker.allow_shadowing(true);
        for import in &structure.imports {
            let at = (import.module.as_str(), import.field.as_str());
            if !define(&mut linker, at, &import.function).map_err(refused)? {
                let Function { interface, name } = import.function.clone();
                return Err(Obstacle::Import { interface, function: name });
            }
        }
        link(compiler, &linker, structure)
    })
}

/// wasmtime does not take the core module, or what it is linked to.
#[expect(clippy::needless_pass_by_value, reason = "as `map_err` gives it")]
pub(crate) fn refused(error: wasmtime::Error) -> Obstacle {
    Obstacle::Refused(error.root_cause().to_string())
}

/// A flat guest, compiled and linked.
pub(crate) struct FlatPre {
    pre: InstancePre<Ctx>,
    memory: ModuleExport,
    realloc: Option<ModuleExport>,
    describe: Entry,
    start: Entry,
    /// The function of `reencode`, and what is called when an error has been read.
    run: Entry,
    stop: Entry,
}

/// An exported function, and what is called when its result has been read.
struct Entry {
    function: ModuleExport,
    post_return: Option<ModuleExport>,
}

type Run = TypedFunc<(u32, u32), u64>;
type PostReturn = TypedFunc<u32, ()>;

/// An instance of a flat guest.
pub(crate) struct FlatGuest {
    instance: Instance,
    abi: Abi,
    /// The call of every task is at hand.
    run: Run,
}

/// What a task asks for, or its error.
pub(crate) type Ran = Result<Then, String>;

impl FlatPre {
    /// Compiles and links the component, if it is flat.
    ///
    /// # Errors
    /// What keeps it from being flat.
    pub(crate) fn new(compiler: &Compiler, component: &[u8]) -> Result<Self, Obstacle> {
        prepare(compiler, component, false, blocking::link, Self::link)
    }

    fn link(
        compiler: &Compiler,
        linker: &Linker<Ctx>,
        structure: &Structure<'_>,
    ) -> Result<Self, Obstacle> {
        let Exported { name, post_return, .. } =
            structure.exports.get("run").ok_or(Obstacle::Export("run"))?;
        let bytes = reencode::add(structure.module, name, post_return.as_deref());
        let bytes = bytes.ok_or(Obstacle::Export("run"))?;
        let module = compiler.module(&bytes).map_err(refused)?;
        let export = |name: &str| module.get_export_index(name);
        let entry = |name: &str| {
            let Exported { name, post_return, .. } = structure.exports.get(name)?;
            let post_return = match post_return {
                Some(name) => Some(export(name)?),
                None => None,
            };
            Some(Entry { function: export(name)?, post_return })
        };
        let entry = |name| entry(name).ok_or(Obstacle::Export(name));
        let realloc = structure.realloc.as_ref().and_then(|name| export(name));
        let memory = export(&structure.memory).ok_or(Obstacle::Shape("its memory is not found"))?;
        let function = export(reencode::RUN_TO_END).ok_or(Obstacle::Export("run"))?;
        Ok(Self {
            pre: linker.instantiate_pre(&module).map_err(refused)?,
            memory,
            realloc,
            describe: entry("describe")?,
            start: entry("start")?,
            run: Entry { function, ..entry("run")? },
            stop: entry("stop")?,
        })
    }
}

impl FlatGuest {
    /// An instance in its store.
    pub(crate) async fn new(pre: &FlatPre, store: &mut Store<Ctx>) -> wasmtime::Result<Self> {
        let instance = pre.pre.instantiate_async(&mut *store).await?;
        let memory = instance.get_module_export(&mut *store, &pre.memory);
        let memory = memory.and_then(wasmtime::Extern::into_memory);
        let memory = memory.expect("the component lifts its functions with this memory");
        let realloc = pre.realloc.as_ref();
        let realloc = realloc.and_then(|export| instance.get_module_export(&mut *store, export));
        let abi = Abi::new(memory, realloc.and_then(wasmtime::Extern::into_func));
        store.data_mut().abi = Some(abi);
        let run = function(&instance, store, &pre.run.function)?;
        Ok(Self { instance, abi, run })
    }

    /// Asks for the plan, and looks only whether there is one.
    pub(crate) async fn describe(
        &self,
        pre: &FlatPre,
        store: &mut Store<Ctx>,
    ) -> wasmtime::Result<Result<(), String>> {
        let describe = function(&self.instance, store, &pre.describe.function)?;
        let describe: TypedFunc<(), u32> = describe;
        let at = describe.call_async(&mut *store, ()).await?;
        let result = self.done(store, at)?;
        self.post_return(&pre.describe, store, at).await?;
        Ok(result)
    }

    /// Introduces a user with the handle of its client.
    pub(crate) async fn start(
        &self,
        pre: &FlatPre,
        store: &mut Store<Ctx>,
        [id, class, seed]: [u32; 3],
        client: u32,
    ) -> wasmtime::Result<Result<(), String>> {
        let start = function(&self.instance, store, &pre.start.function)?;
        let start: TypedFunc<(u32, u32, u32, u32), u32> = start;
        let at = start.call_async(&mut *store, (id, class, seed, client)).await?;
        let result = self.done(store, at)?;
        self.post_return(&pre.start, store, at).await?;
        Ok(result)
    }

    /// Reads the `result<_, string>` at this address.
    fn done(&self, store: &Store<Ctx>, at: u32) -> wasmtime::Result<Result<(), String>> {
        match abi::case(self.abi.u8(store, at)?.into(), 2)? {
            0 => Ok(Ok(())),
            _ => self.abi.text_at(store, at.wrapping_add(4)).map(Err),
        }
    }

    /// The result at this address has been read.
    async fn post_return(
        &self,
        entry: &Entry,
        store: &mut Store<Ctx>,
        at: u32,
    ) -> wasmtime::Result<()> {
        let Some(post) = &entry.post_return else { return Ok(()) };
        let post: PostReturn = function(&self.instance, store, post)?;
        post.call_async(store, at).await
    }

    /// Runs a task.
    pub(crate) async fn run(
        &self,
        pre: &FlatPre,
        store: &mut Store<Ctx>,
        user: u32,
        task: u32,
    ) -> wasmtime::Result<Ran> {
        let answer = self.run.call_async(&mut *store, (user, task)).await?;
        let case = u32::try_from(answer & !reencode::IS_ERROR).expect("the adapter says no more");
        if answer & reencode::IS_ERROR == 0 {
            return Ok(Ok(then(case)?));
        }
        let error = self.done(store, case)?;
        self.post_return(&pre.run, store, case).await?;
        Ok(Err(error.expect_err("the adapter has seen that it is one")))
    }

    /// Lets the guest forget a user.
    pub(crate) async fn stop(
        &self,
        pre: &FlatPre,
        store: &mut Store<Ctx>,
        user: u32,
    ) -> wasmtime::Result<()> {
        let stop: TypedFunc<u32, ()> = function(&self.instance, store, &pre.stop.function)?;
        stop.call_async(store, user).await
    }
}

/// The number of a handle as the guest knows it.
pub(crate) fn handle<T: 'static>(resource: &wasmtime::component::Resource<T>) -> u32 {
    abi::number(resource)
}

/// What a task asks for next.
pub(crate) fn then(case: u32) -> wasmtime::Result<Then> {
    let all = [Then::Rest, Then::Hurry, Then::Leave, Then::Finish];
    Ok(all[abi::case(case, 4)? as usize])
}

fn function<P: wasmtime::WasmParams, R: wasmtime::WasmResults>(
    instance: &Instance,
    store: &mut Store<Ctx>,
    export: &ModuleExport,
) -> wasmtime::Result<TypedFunc<P, R>> {
    let function = instance.get_module_export(&mut *store, export);
    let function = function.and_then(wasmtime::Extern::into_func);
    function.expect("the component lifts this function").typed(store)
}
