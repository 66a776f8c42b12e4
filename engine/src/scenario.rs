//! Reading and compiling a scenario, or taking the embedded one.

mod compiling;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use swarm_core::limits::check_environment;
use swarm_core::plan::Scenario;
use swarm_guest::module::{MODULE_BYTES_MAX, ModuleError};
use swarm_guest::{Module, Runtime, RuntimeConfig};

use crate::cache::CacheFolder;
use crate::exit::{Exit, Failure, OrExit};
use crate::{script, session, source};
pub(crate) use compiling::load;

/// The scenario that runs when none is given: `scenarios/website`, compiled.
const WEBSITE: &[u8] = include_bytes!("../assets/website.wasm");

/// A component of this size takes seconds to compile, and is said to.
const LARGE_BYTES_MIN: usize = 1 << 20;

/// A scenario, checked and ready.
pub(crate) struct Loaded {
    /// For people.
    pub(crate) name: String,
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) module: Module,
    pub(crate) plan: Scenario,
}

/// The engine with the settings of this program. `call_cpu_max` and `component_layer` are those of
/// [`RuntimeConfig`].
pub(crate) fn runtime(
    cache: &CacheFolder,
    call_cpu_max: Option<Duration>,
    component_layer: bool,
) -> Result<Runtime, Failure> {
    let defaults = RuntimeConfig::default();
    let config = RuntimeConfig {
        cache_dir: cache.path().map(Path::to_owned),
        call_cpu_max: call_cpu_max.unwrap_or(defaults.call_cpu_max),
        component_layer,
        ..defaults
    };
    Runtime::new(config).map_err(|error| Failure::new(Exit::Internal, error))
}

/// A scenario that has been read and not been compiled.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    name: String,
    /// Of the file; `None` for the embedded one.
    path: Option<PathBuf>,
    bytes: Arc<[u8]>,
    /// Compiling it takes so long that people want to know.
    is_slow: bool,
    /// What a script finds in its environment.
    environment: Vec<(String, String)>,
}

impl Source {
    /// Reads a scenario; without a path the embedded one. One that takes long to compile is checked
    /// before, so that most mistakes are told at once.
    pub(crate) fn read(runtime: &Runtime, path: Option<&Path>) -> Result<Self, Failure> {
        let (name, bytes) = match path {
            Some(path) if script::is_script(path) => (path.display().to_string(), bundle(path)?),
            Some(path) => (path.display().to_string(), read(path)?),
            None => ("website (embedded)".to_owned(), WEBSITE.into()),
        };
        if let Some(what) = path.and_then(|path| source::describe(path, &bytes)) {
            let doing = || format!("cannot use the scenario {name}");
            return Err(anyhow::anyhow!(what)).or_exit(Exit::Scenario, doing);
        }
        let is_slow = bytes.len() >= LARGE_BYTES_MIN && !Module::is_compiled(runtime, &bytes);
        let path = path.map(Path::to_owned);
        let source = Self { name, path, bytes, is_slow, environment: Vec::new() };
        if is_slow {
            Module::check(&source.bytes).or_exit(Exit::Scenario, || source.cannot())?;
        }
        Ok(source)
    }

    /// The same scenario with an environment. Only scripts read one.
    pub(crate) fn with_environment(self, given: &[(String, String)]) -> Result<Self, Failure> {
        check_environment(given).map_err(|error| Failure::new(Exit::Settings, error))?;
        Ok(Self { environment: given.to_owned(), ..self })
    }

    /// Where it was read from, if from a file.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Does compiling it take so long that the page is opened meanwhile?
    pub(crate) fn is_slow(&self) -> bool {
        self.is_slow
    }

    fn cannot(&self) -> String {
        format!("cannot use the scenario {}", self.name)
    }

    /// Compiles it and asks it what it consists of.
    fn compile(self, runtime: &Runtime) -> Result<Loaded, Failure> {
        let module = Module::compile(runtime, &self.bytes);
        let exit = match module {
            Err(ModuleError::Threads(_)) => Exit::Internal,
            _ => Exit::Scenario,
        };
        let module = module.or_exit(exit, || self.cannot())?;
        if !module.is_script() && !self.environment.is_empty() {
            tracing::warn!("{} is no script: it cannot read what --env gives", self.name);
        }
        let module = module.with_environment(self.environment.clone());
        let plan = session::runtime()?.block_on(module.describe());
        let exit = match plan {
            Err(ModuleError::Memory(_)) => Exit::Internal,
            _ => Exit::Scenario,
        };
        let plan = plan.or_exit(exit, || self.cannot())?;
        Ok(Loaded { name: self.name, bytes: self.bytes, module, plan })
    }
}

/// A script with its folder and the runtime of its language.
fn bundle(path: &Path) -> Result<Arc<[u8]>, Failure> {
    let doing = || format!("cannot use the script {}", path.display());
    Ok(script::bundle(path).or_exit(Exit::Scenario, doing)?.into())
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
