//! The engines that all guests of a process share, and their clock of slices.
//!
//! Relies on the inside of wasmtime: see `engine/WASMTIME.md`.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::{Config, Engine};

use crate::engine::code_cache::{CodeCache, Compiler};
use crate::engine::stack::Stacks;

/// How long a guest computes before its neighbours get their turn.
pub const SLICE: Duration = Duration::from_millis(10);

/// How many epochs of the engines a slice has. It ends with the last of them, so the first one may
/// be cut short: the clock that would tell costs more than that.
pub(crate) const SLICE_EPOCHS: u64 = 2;

/// Wasm stack of a guest in bytes.
const WASM_STACK_BYTES: usize = 256 << 10;

/// Stack of a call in flight: the wasm stack and the host functions on top of it.
pub(crate) const CALL_STACK_BYTES: usize = 512 << 10;

/// The folder of compiled code in that of the cache.
pub(crate) const COMPILED: &str = "compiled";

/// Wasm stack of a call in bytes, in an instance with many at a time. It takes memory as far as it
/// has been used. An interpreter guards its other stack, that in memory, against recursion without
/// end, and some of its functions take several times as much of this one.
const CONCURRENT_WASM_STACK_BYTES: usize = 1 << 20;

/// With the host functions on top of it.
const CONCURRENT_CALL_STACK_BYTES: usize = CONCURRENT_WASM_STACK_BYTES + (256 << 10);

/// Modules up to this size are small: their memory is copied rather than mapped, see [`Size`].
const SMALL_MODULE_BYTES_MAX: usize = 256 << 10;

/// What a runtime allows its guests. [`Default`] is what `swarm` uses.
#[derive(Debug, Clone)]
pub struct RuntimeConfig {
    /// Folder of compiled modules; `None` compiles anew each time.
    pub cache_dir: Option<PathBuf>,
    /// Memory of an instance that carries one user, in bytes.
    pub user_memory_bytes_max: usize,
    /// Memory of an instance that several users share, in bytes.
    pub shared_memory_bytes_max: usize,
    /// Computing time of one call into a guest (a task, a start, a stop), in steps of [`SLICE`].
    pub call_cpu_max: Duration,
    /// Runs every guest by the component layer, also one that could do without: for tests that
    /// hold the two beside each other.
    pub component_layer: bool,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        Self {
            cache_dir: None,
            user_memory_bytes_max: 64 << 20,
            shared_memory_bytes_max: 1 << 30,
            call_cpu_max: Duration::from_secs(5),
            component_layer: false,
        }
    }
}

/// Why there is no runtime.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// wasmtime refused its settings.
    #[error("set up the WebAssembly engine")]
    Engine(#[source] wasmtime::Error),
    /// The cache folder cannot be used.
    #[error(
        "use the folder {} for compiled modules (choose another with SWARM_CACHE_DIR)",
        path.display()
    )]
    Cache {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Its threads cannot be started, such as the one that ends slices.
    #[error("start the threads of the engine")]
    Thread(#[source] io::Error),
}

/// The engines that all guests of a process share. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    inner: Arc<Inner>,
}

struct Inner {
    small: Compiler,
    large: Compiler,
    dense: Compiler,
    config: RuntimeConfig,
    _slices: SliceThread,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").field("config", &self.inner.config).finish_non_exhaustive()
    }
}

impl Runtime {
    /// Sets up the engines.
    pub fn new(config: RuntimeConfig) -> Result<Self, RuntimeError> {
        let cache = config.cache_dir.as_ref().map(|dir| {
            let cache = CodeCache::open(dir.join(COMPILED));
            cache.map_err(|source| RuntimeError::Cache { path: dir.clone(), source })
        });
        let cache = cache.transpose()?;
        let engine = |settings: &Config| Engine::new(settings).map_err(RuntimeError::Engine);
        let (small, large) = (engine(&settings(Size::Small))?, engine(&settings(Size::Large))?);
        let mut concurrent = settings(Size::Large);
        allow_concurrency(&mut concurrent);
        let dense = engine(&concurrent)?;
        let slices = SliceThread::start([small.clone(), large.clone(), dense.clone()]);
        let slices = slices.map_err(RuntimeError::Thread)?;
        let compiler = |engine| Compiler::new(engine, cache.clone());
        let (small, large, dense) = (compiler(small), compiler(large), compiler(dense));
        let inner = Inner { small, large, dense, config, _slices: slices };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Its settings.
    pub fn config(&self) -> &RuntimeConfig {
        &self.inner.config
    }

    /// What compiles a module of this size.
    pub(crate) fn compiler(&self, module_bytes: usize) -> &Compiler {
        if module_bytes <= SMALL_MODULE_BYTES_MAX { &self.inner.small } else { &self.inner.large }
    }

    /// The same for flat dense guests, whatever their size: there are few instances.
    pub(crate) fn dense_flat_compiler(&self) -> &Compiler {
        &self.inner.large
    }

    /// The same for dense users by the component layer.
    pub(crate) fn dense_compiler(&self) -> &Compiler {
        &self.inner.dense
    }
}

/// Starts the threads that compile modules, one a core, unless they run: the compiler panics when
/// it has to start them itself and cannot.
///
/// # Errors
/// Why there are none.
pub(crate) fn compile_threads() -> Result<(), String> {
    static STARTED: OnceLock<Result<(), String>> = OnceLock::new();
    let start = || {
        let threads = rayon::ThreadPoolBuilder::new().thread_name(|at| format!("compile-{at}"));
        // Without a cause it says that somebody has started them before.
        threads.build_global().or_else(|error| match std::error::Error::source(&error) {
            Some(cause) => Err(cause.to_string()),
            None => Ok(()),
        })
    };
    STARTED.get_or_init(start).clone()
}

/// How an instance gets its memory's first content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    /// By copying it: two memory maps a user less. With 6.3 maps each, 10,000 users come near the
    /// 65,530 that a process may have by default; with 4 they do not.
    Small,
    /// By mapping it copy-on-write: language runtimes bring megabytes that are never written.
    Large,
}

fn settings(size: Size) -> Config {
    let mut settings = Config::new();
    settings.epoch_interruption(true);
    // A call into a sync world costs a third with it off, and guests of this world have no use
    // for it.
    settings.concurrency_support(false);
    settings.memory_init_cow(size == Size::Large);
    // What lies before a memory is the guard behind another.
    settings.guard_before_linear_memory(false);
    settings.max_wasm_stack(WASM_STACK_BYTES);
    settings.async_stack_size(CALL_STACK_BYTES);
    settings.with_host_stack(Arc::new(Stacks));
    settings
}

/// What the engine for instances with many calls at a time does beyond the others.
fn allow_concurrency(settings: &mut Config) {
    settings.max_wasm_stack(CONCURRENT_WASM_STACK_BYTES);
    settings.async_stack_size(CONCURRENT_CALL_STACK_BYTES);
    settings.concurrency_support(true);
    settings.wasm_component_model_async(true);
    // Exports that are lifted without a callback: the calls of a language whose functions wait
    // where they stand, each on a stack of its own.
    settings.wasm_component_model_async_stackful(true);
}

/// Ends every guest's slice each [`SLICE`]. Stops with its owner.
struct SliceThread {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl SliceThread {
    fn start(engines: [Engine; 3]) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("guest-slices".into()).spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                std::thread::sleep(SLICE.div_f64(SLICE_EPOCHS as f64));
                engines.iter().for_each(Engine::increment_epoch);
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for SliceThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It can only have ended by a panic of its own, which has been printed.
            let _ = thread.join();
        }
    }
}
