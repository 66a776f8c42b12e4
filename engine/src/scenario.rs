//! Reading and compiling a scenario, or taking the embedded one.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use swarm_core::plan::Scenario;
use swarm_guest::module::MODULE_BYTES_MAX;
use swarm_guest::{Module, Runtime, RuntimeConfig};

use crate::exit::{Exit, Failure, OrExit};
use crate::source;

/// The scenario that runs when none is given: `scenarios/website`, compiled.
const WEBSITE: &[u8] = include_bytes!("../assets/website.wasm");

/// A scenario, checked and ready.
pub(crate) struct Loaded {
    /// For people.
    pub(crate) name: String,
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) module: Module,
    pub(crate) plan: Scenario,
}

/// The folder of modules and compiled code: `SWARM_CACHE_DIR`, or `swarm` in the user's cache.
pub(crate) fn cache_dir() -> Result<PathBuf, Failure> {
    let var = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    var("SWARM_CACHE_DIR")
        .or_else(|| Some(var("XDG_CACHE_HOME")?.join("swarm")))
        .or_else(|| Some(var("HOME")?.join(".cache/swarm")))
        .context("no folder for compiled modules: set SWARM_CACHE_DIR, XDG_CACHE_HOME or HOME")
        .map_err(|error| Failure::new(Exit::Settings, error))
}

/// The engine with the settings of this program. `call_cpu_max` and `component_layer` are those of
/// [`RuntimeConfig`].
pub(crate) fn runtime(
    call_cpu_max: Option<Duration>,
    component_layer: bool,
) -> Result<Runtime, Failure> {
    let dir = cache_dir()?;
    let made = std::fs::create_dir_all(&dir);
    made.or_exit(Exit::Settings, || {
        format!("make the folder {} (choose another with SWARM_CACHE_DIR)", dir.display())
    })?;
    let defaults = RuntimeConfig::default();
    let config = RuntimeConfig {
        cache_dir: Some(dir),
        call_cpu_max: call_cpu_max.unwrap_or(defaults.call_cpu_max),
        component_layer,
        ..defaults
    };
    Runtime::new(config).map_err(|error| Failure::new(Exit::Internal, error))
}

/// Reads, compiles and questions a scenario; without a path the embedded one.
pub(crate) fn load(runtime: &Runtime, path: Option<&Path>) -> Result<Loaded, Failure> {
    let (name, bytes) = match path {
        Some(path) => (path.display().to_string(), read(path)?),
        None => ("website (embedded)".to_owned(), WEBSITE.into()),
    };
    let doing = || format!("cannot use the scenario {name}");
    if let Some(what) = path.and_then(|path| source::describe(path, &bytes)) {
        return Err(anyhow::anyhow!(what)).or_exit(Exit::Scenario, doing);
    }
    let module = Module::compile(runtime, &bytes).or_exit(Exit::Scenario, doing)?;
    let questions = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let questions = questions.or_exit(Exit::Internal, || "set up a thread".to_owned())?;
    let plan = questions.block_on(module.describe()).or_exit(Exit::Scenario, doing)?;
    Ok(Loaded { name, bytes, module, plan })
}

fn read(path: &Path) -> Result<Arc<[u8]>, Failure> {
    let doing = || format!("cannot read the scenario {}", path.display());
    let file = File::open(path).or_exit(Exit::Scenario, doing)?;
    // One byte more than is allowed tells a file that is too large, also where its size does not:
    // that of a pipe or a device.
    let mut bytes = Vec::new();
    let read = file.take(MODULE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
    read.or_exit(Exit::Scenario, doing)?;
    Ok(bytes.into())
}
