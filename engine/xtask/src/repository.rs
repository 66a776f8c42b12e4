//! Where things are in this repository.

use std::path::{Path, PathBuf};

/// The repository that this program was built from.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    root: PathBuf,
}

impl Repository {
    /// The repository around this crate.
    pub(crate) fn here() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .nth(2)
            .expect("the crate is two folders below the root");
        Self { root: root.to_owned() }
    }

    /// One that a test has made.
    #[cfg(test)]
    pub(crate) fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// A path below the root.
    pub(crate) fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.root.join(below)
    }

    /// The root itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What `setup` installs for this repository alone.
    pub(crate) fn tools(&self) -> PathBuf {
        self.path("target/tools")
    }

    /// The built binary.
    pub(crate) fn swarm(&self) -> PathBuf {
        self.path("target/release/swarm")
    }

    /// The binary as it is distributed: the same source, optimised as a whole and by what it does.
    pub(crate) fn distributed(&self) -> PathBuf {
        self.distributed_folder().join("swarm")
    }

    /// The folder that is distributed: the program with what belongs beside it.
    pub(crate) fn distributed_folder(&self) -> PathBuf {
        self.path("target/distributed")
    }

    /// A built scenario.
    pub(crate) fn component(&self, scenario: &str) -> PathBuf {
        self.path("target/scenarios").join(format!("{scenario}.wasm"))
    }
}
