//! A scenario as a checked, compiled module, and what it says of itself.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use swarm_core::message::Digest;
use swarm_core::plan::Scenario;
use swarm_core::validate;
use swarm_stats::Limits;
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use crate::backend::component::concurrent::{self, Pre};
use crate::backend::component::linker;
use crate::backend::concurrent::ConcurrentPre;
use crate::backend::core_abi::FlatPre;
use crate::backend::core_abi::concurrent::MachinePre;
use crate::backend::isolated;
use crate::backend::isolated::IsolatedPre;
use crate::backend::{Backend, Obstacle};
use crate::bundle::{Bundle, FilesError};
use crate::contract::bindings::ScenarioPre;
use crate::contract::bindings_async::ScenarioAsyncPre;
use crate::engine::code_cache::Compiler;
use crate::engine::runtime::Runtime;
use crate::engine::trap::Trap;
use crate::host::clock::Clock;
use crate::host::samples::Record;
use crate::scenario::precheck;
use crate::unpacked;

pub use crate::engine::digest::{digest, digest_text};

/// Largest module in bytes.
pub const MODULE_BYTES_MAX: usize = 256 << 20;

/// The package and version of the contract that this build runs.
pub const CONTRACT: &str = "swarm:scenario@0.1.0";

/// What a scenario exports.
const EXPORTS: [&str; 4] = ["describe", "start", "run", "stop"];

/// What only the runtime of a scripting language exports.
const HOOKS: &str = "swarm:scenario/hooks@0.1.0";

/// The functions that hand over the body of a response.
const BODY_READERS: [&str; 2] = ["[method]response.body", "[method]response.text"];

/// Time that a scenario has for saying what it consists of, waiting included.
const DESCRIBE_MAX: Duration = Duration::from_secs(30);

/// Why a file is not a scenario.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// Not wasm at all.
    #[error("it is not a WebAssembly component: {hint}")]
    NotWasm {
        /// What it looks like and what to do.
        hint: &'static str,
    },
    /// A core module.
    #[error(
        "it is a core WebAssembly module, not a component: wrap it with `wasm-tools component new`"
    )]
    CoreModule,
    /// Larger than [`MODULE_BYTES_MAX`].
    #[error("it has more than {MODULE_BYTES_MAX} bytes, which is the most")]
    TooLarge,
    /// Broken, truncated, or uses what the engine does not have.
    #[error("it is not a valid component (truncated?): {0}")]
    Invalid(String),
    /// A component of another world.
    #[error(
        "it is a component of another world: it does not export {missing}; {CONTRACT} has \
         describe, start, run and stop"
    )]
    OtherWorld {
        /// The names of the missing exports.
        missing: String,
    },
    /// It needs a contract that is not the one of this build.
    #[error("it was made for {wanted}; this build runs {CONTRACT}: use another version of swarm")]
    OtherVersion {
        /// Package and version that it asks for.
        wanted: String,
    },
    /// An import or export does not fit the contract.
    #[error("it does not fit {CONTRACT}: {0}")]
    Misfit(String),
    /// There are no threads to compile it.
    #[error("cannot start the threads that compile it: {0}")]
    Threads(String),
    /// The system gives it no memory: nothing is wrong with it.
    #[error(
        "there is no memory for it: {0}; raise the limit of the address space or of memory \
         (`ulimit -v unlimited`, or the container's)"
    )]
    Memory(String),
    /// The files that travel with it.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// `describe` ended in the middle.
    #[error("its describe() ended with: {0}")]
    DescribeTrap(String),
    /// `describe` took too long.
    #[error("its describe() took longer than {} s", DESCRIBE_MAX.as_secs())]
    DescribeTimeout,
    /// `describe` answered with an error.
    #[error("its describe() says: {0}")]
    DescribeError(String),
    /// The plan is not sound.
    #[error("its plan is not sound: {0}")]
    Plan(#[from] validate::PlanError),
}

impl From<Trap> for ModuleError {
    /// Of `describe`.
    fn from(trap: Trap) -> Self {
        match trap.no_memory {
            true => Self::Memory(trap.message),
            false => Self::DescribeTrap(trap.message),
        }
    }
}

/// A scenario as a checked, compiled module. Cheap to clone.
#[derive(Clone)]
pub struct Module {
    inner: Arc<Inner>,
    /// Names and values, for a script.
    environment: Arc<[(String, String)]>,
}

/// A module linked to the functions of the world that it is made for.
#[expect(clippy::large_enum_variant, reason = "a process has a handful of modules")]
enum World {
    /// `scenario`: a call at a time in an instance.
    Isolated(IsolatedPre),
    /// `scenario-async`: any number.
    Concurrent(ConcurrentPre),
}

struct Inner {
    runtime: Runtime,
    world: World,
    digest: Digest,
    size_bytes: usize,
    imports: Vec<String>,
    reads_bodies: bool,
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module")
            .field("digest", &digest_text(&self.digest()))
            .finish_non_exhaustive()
    }
}

impl Module {
    /// Checks `bytes` without compiling them: quick, whatever their size.
    ///
    /// # Errors
    /// When compiling them would fail as well.
    pub fn check(bytes: &[u8]) -> Result<(), ModuleError> {
        check_header(bytes)?;
        precheck::check(Bundle::read(bytes)?.component)
    }

    /// Has what must be compiled of `bytes` been compiled on this machine, so that it is ready at
    /// once? For scripts that is their language's runtime, which they have in common.
    pub fn is_compiled(runtime: &Runtime, bytes: &[u8]) -> bool {
        let bundle = Bundle::read(bytes);
        bundle.is_ok_and(|bundle| is_known(runtime, &bundle, &digest(bundle.component)))
    }

    /// Checks `bytes` and compiles them, or takes the compiled code from the cache. Blocks, for
    /// seconds where a language runtime is compiled for the first time.
    ///
    /// # Errors
    /// When it is not a component of the world that this build runs.
    pub fn compile(runtime: &Runtime, bytes: &[u8]) -> Result<Self, ModuleError> {
        check_header(bytes)?;
        let bundle = Bundle::read(bytes)?;
        // Scripts have a component in common, so it is what compiled code belongs to.
        let component = digest(bundle.component);
        if !is_known(runtime, &bundle, &component) {
            crate::engine::runtime::compile_threads().map_err(ModuleError::Threads)?;
        }
        let component = self::component(runtime, bundle.component, &component)?;
        let engine = component.engine();
        let imports: Vec<String> = component
            .component_type()
            .imports(engine)
            .filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentInstance(_)))
            .map(|(name, _)| name.to_owned())
            .collect();
        check_version(&imports)?;
        check_exports(&component, engine)?;
        let world = link(runtime, &component);
        let mut world = world.map_err(|error| ModuleError::Misfit(chain(&error)))?;
        if !bundle.files.is_empty() && !is_script(&world) {
            return Err(FilesError::OfNobody.into());
        }
        if !runtime.config().component_layer {
            match &mut world {
                World::Isolated(pre) => {
                    let compiler = runtime.compiler(bundle.component.len());
                    pre.core = FlatPre::new(compiler, bundle.component).map(Arc::new);
                }
                // Its functions wait where they stand.
                World::Concurrent(pre) if pre.component.is_script => {
                    pre.core = Err(Obstacle::Script);
                }
                World::Concurrent(pre) => {
                    pre.core = MachinePre::new(runtime.dense_flat_compiler(), bundle.component);
                }
            }
        }
        if let World::Concurrent(pre) = &mut world {
            let cache = runtime.config().cache_dir.as_deref();
            pre.component.folders = unpacked::unpack(cache, &bundle.files)?;
        }
        Ok(Self {
            inner: Arc::new(Inner {
                runtime: runtime.clone(),
                world,
                digest: digest(bytes),
                size_bytes: bytes.len(),
                imports,
                reads_bodies: reads_bodies(&component),
            }),
            environment: Arc::default(),
        })
    }

    /// The same module with an environment: names and values, which a script finds there. Other
    /// scenarios have none.
    #[must_use]
    pub fn with_environment(self, variables: Vec<(String, String)>) -> Self {
        Self { environment: variables.into(), ..self }
    }

    /// The names and values of its environment.
    pub fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    /// Asks the scenario what it consists of, in a sandbox that reaches nothing, and checks the
    /// answer.
    ///
    /// # Errors
    /// When it traps, computes or waits too long, or the plan is not sound.
    pub async fn describe(&self) -> Result<Scenario, ModuleError> {
        let scenario = tokio::time::timeout(DESCRIBE_MAX, self.describe_unchecked()).await;
        let mut scenario = scenario.map_err(|_| ModuleError::DescribeTimeout)??;
        scenario.default_hosts = self.is_script();
        if !self.is_script() {
            validate::refuse_custom_waits(&scenario)?;
        }
        validate::validate(&scenario)?;
        Ok(scenario)
    }

    async fn describe_unchecked(&self) -> Result<Scenario, ModuleError> {
        let record = Record::new(Limits::default(), Arc::new(Clock::new()));
        let config = self.runtime().config();
        let plan = match &self.inner.world {
            World::Isolated(pre) => {
                isolated::describe(pre, record, config.user_memory_bytes_max).await
            }
            World::Concurrent(pre) => {
                let memory = config.shared_memory_bytes_max;
                let variables = self.environment();
                concurrent::describe(&pre.component, config, variables, record, memory).await
            }
        };
        // The author of a script finds the mistake by the lines that it is in.
        let text = |error: String| if self.is_script() { error } else { first_line(&error) };
        plan.map_err(ModuleError::from)?.map_err(|error| ModuleError::DescribeError(text(error)))
    }

    /// SHA-256 of its bytes.
    pub fn digest(&self) -> Digest {
        self.inner.digest
    }

    /// Size in bytes, as it travels.
    pub fn size_bytes(&self) -> usize {
        self.inner.size_bytes
    }

    /// The interfaces that it imports.
    pub fn imports(&self) -> &[String] {
        &self.inner.imports
    }

    /// Does it import a function that hands over the body of a response? What a guest does not use
    /// is not in its imports.
    pub(crate) fn reads_bodies(&self) -> bool {
        self.inner.reads_bodies
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.inner.runtime
    }

    /// How its users run.
    pub fn backend(&self) -> Backend {
        let obstacle = match &self.inner.world {
            World::Isolated(pre) => pre.core.as_ref().err(),
            World::Concurrent(pre) => pre.core.as_ref().err(),
        };
        match obstacle {
            None => Backend::CoreModule,
            Some(obstacle) => Backend::Component(obstacle.clone()),
        }
    }

    /// Is it made for many users in one instance, all in the middle of something?
    pub fn is_dense(&self) -> bool {
        self.concurrent().is_some()
    }

    /// Is it the runtime of a scripting language, which sees its author's files and decides more by
    /// itself?
    pub fn is_script(&self) -> bool {
        is_script(&self.inner.world)
    }

    /// How it runs, if its instances have one call at a time.
    pub(crate) fn isolated(&self) -> Option<&IsolatedPre> {
        match &self.inner.world {
            World::Isolated(pre) => Some(pre),
            World::Concurrent(_) => None,
        }
    }

    /// How it runs, if its instances have many.
    pub(crate) fn concurrent(&self) -> Option<&ConcurrentPre> {
        match &self.inner.world {
            World::Isolated(_) => None,
            World::Concurrent(pre) => Some(pre),
        }
    }
}

/// The preamble: magic, version, layer.
fn check_header(bytes: &[u8]) -> Result<(), ModuleError> {
    if bytes.len() > MODULE_BYTES_MAX {
        return Err(ModuleError::TooLarge);
    }
    let hint = match bytes {
        [] => "the file is empty",
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => return Err(ModuleError::CoreModule),
        [b'\0', b'a', b's', b'm', _, _, 1, 0, ..] => return Ok(()),
        [b'\0', b'a', b's', b'm', ..] => "its version is unknown to this build, or it is truncated",
        text if is_text(text) => {
            "it is WebAssembly text; assemble it with `wasm-tools parse`, \
             and if it is a core module, wrap it with `wasm-tools component new`"
        }
        _ => "it does not begin with the WebAssembly magic number; give the compiled .wasm file",
    };
    Err(ModuleError::NotWasm { hint })
}

/// Does it look like WebAssembly text: a parenthesis or a comment, behind any space?
fn is_text(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii_start();
    text.starts_with(b"(") || text.starts_with(b";;")
}

fn reads_bodies(component: &Component) -> bool {
    let engine = component.engine();
    component.component_type().imports(engine).any(|(_, item)| match item.ty {
        ComponentItem::ComponentInstance(interface) => {
            interface.exports(engine).any(|(name, _)| BODY_READERS.contains(&name))
        }
        _ => false,
    })
}

pub(crate) fn check_version(imports: &[String]) -> Result<(), ModuleError> {
    let (package, version) = CONTRACT.split_once('@').expect("it has a version");
    for import in imports {
        let Some((interface, wanted)) = import.split_once('@') else { continue };
        let of_package = interface.strip_prefix(package).is_some_and(|rest| rest.starts_with('/'));
        if of_package && wanted != version {
            return Err(ModuleError::OtherVersion { wanted: format!("{package}@{wanted}") });
        }
    }
    Ok(())
}

fn check_exports(component: &Component, engine: &Engine) -> Result<(), ModuleError> {
    let ty = component.component_type();
    let exported = |name: &&str| {
        let export = ty.get_export(engine, name);
        export.is_some_and(|item| matches!(item.ty, ComponentItem::ComponentFunc(_)))
    };
    check_exported(|name| exported(&name))
}

/// Is everything there that a scenario exports?
pub(crate) fn check_exported(exported: impl Fn(&str) -> bool) -> Result<(), ModuleError> {
    let missing: Vec<_> = EXPORTS.into_iter().filter(|name| !exported(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(ModuleError::OtherWorld { missing: missing.join(", ") })
}

/// What may have compiled a component: it is made for one world or for the other.
fn compilers<'a>(runtime: &'a Runtime, component: &[u8]) -> [&'a Compiler; 2] {
    [runtime.compiler(component.len()), runtime.dense_compiler()]
}

/// Has this machine what is compiled of the component of this digest?
fn is_known(runtime: &Runtime, bundle: &Bundle<'_>, digest: &Digest) -> bool {
    let compilers = compilers(runtime, bundle.component);
    compilers.into_iter().any(|compiler| compiler.knows_component(digest))
}

/// Compiles it for the world that it is made for. The engine of the usual world does not know the
/// types of the other, and says so before it compiles anything.
fn component(runtime: &Runtime, bytes: &[u8], digest: &Digest) -> Result<Component, ModuleError> {
    let [usual, dense] = compilers(runtime, bytes);
    if let Some(known) = [usual, dense].iter().find_map(|of| of.known_component(digest)) {
        return Ok(known);
    }
    let error = match usual.component(bytes, digest) {
        Ok(component) => return Ok(component),
        Err(error) => error,
    };
    let component = dense.component(bytes, digest);
    component.map_err(|_| ModuleError::Invalid(first_line(&error.root_cause().to_string())))
}

/// Links it by the component layer. Whether it can do without is for others to see.
fn link(runtime: &Runtime, component: &Component) -> wasmtime::Result<World> {
    let engine = component.engine();
    if Engine::same(engine, runtime.dense_compiler().engine()) {
        let pre = linker::concurrent(engine)?.instantiate_pre(component)?;
        let is_script = component.component_type().get_export(engine, HOOKS).is_some();
        let component = ScenarioAsyncPre::new(pre)?;
        let component = Pre { component, is_script, folders: Vec::new() };
        return Ok(World::Concurrent(ConcurrentPre { component, core: Err(Obstacle::Asked) }));
    }
    let pre = linker::isolated(engine)?.instantiate_pre(component)?;
    let component = ScenarioPre::new(pre)?;
    let runtime = runtime.clone();
    Ok(World::Isolated(IsolatedPre { runtime, component, core: Err(Obstacle::Asked) }))
}

fn is_script(world: &World) -> bool {
    matches!(world, World::Concurrent(pre) if pre.component.is_script)
}

fn chain(error: &wasmtime::Error) -> String {
    error.chain().map(|cause| first_line(&cause.to_string())).collect::<Vec<_>>().join(": ")
}

pub(crate) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
