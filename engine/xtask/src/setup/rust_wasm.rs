//! A Rust compiler for WebAssembly.
//!
//! rustup has one, where its downloads can be reached. Else Debian's `rustc-web` and its sources
//! do: unpacked into a private folder, for installed it would clash with rustup, and with `std`
//! built on first use. Which way it is, is found out once and remembered.

use super::{debian, python, rustup, stamp};
use crate::repository::Repository;
use crate::{folder, process};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The target that rustup installs. Its linker makes a component at once.
const RUSTUP_TARGET: &str = "wasm32-wasip2";
/// The target that needs nothing but `std` itself. Its output is a module.
const BARE_TARGET: &str = "wasm32-unknown-unknown";
/// A guest's stack: 255 KiB, deliberately no whole number of pages. The top of the stack then
/// shares a page with the data, which saves 4 KiB for each user.
const GUEST_FLAGS: &str = "-Clink-arg=-zstack-size=261120";
/// The name of the stamp that remembers which way it is.
const STAMP: &str = "Rust for WebAssembly";

/// Debian's packages. The compiler's libraries carry their version in the name and are looked up.
const DEBIAN_COMPILER: &str = "rustc-web";
const DEBIAN_STD: &str = "libstd-rust-web-dev";
const DEBIAN_SOURCES: &str = "rust-web-src";

/// How to compile Rust for WebAssembly on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RustWasm {
    /// The toolchain at hand, with rustup's target.
    Rustup,
    /// Debian's compiler, unpacked in this folder.
    Debian(PathBuf),
}

/// Finds a compiler, and installs one if there is none.
pub(crate) fn compiler(repository: &Repository) -> Result<RustWasm> {
    let debian = RustWasm::Debian(repository.tools().join("rust-debian"));
    match stamp::read(repository, STAMP).as_deref() {
        Some("rustup") if has_target(repository) => return Ok(RustWasm::Rustup),
        Some("debian") => {
            install_debian(repository)?;
            return Ok(debian);
        }
        _ => {}
    }
    if !has_target(repository)
        && let Err(error) = rustup::add(repository, "target", RUSTUP_TARGET)
    {
        eprintln!("rustup cannot ({error:#}); taking Debian's compiler from now on");
        install_debian(repository)?;
        stamp::write(repository, STAMP, "debian")?;
        return Ok(debian);
    }
    stamp::write(repository, STAMP, "rustup")?;
    Ok(RustWasm::Rustup)
}

impl RustWasm {
    /// What to add to a fingerprint: the same text, the same compiler.
    pub(crate) fn version(&self, repository: &Repository) -> Result<String> {
        let version = match self {
            Self::Rustup => {
                process::capture(process::command("rustc", repository.root()).arg("--version"))?
            }
            Self::Debian(folder) => fs::read_to_string(folder.join("version"))
                .context("failed to read the version of Debian's Rust")?,
        };
        Ok(format!("{self:?} {version} {GUEST_FLAGS}"))
    }

    /// `cargo build` for this target, without the package's name.
    pub(crate) fn cargo_build(&self, repository: &Repository) -> Result<Command> {
        let mut cargo = process::command("cargo", repository.root());
        cargo.args(["build", "--target", self.target()]);
        let flags = self.target().replace('-', "_").to_uppercase();
        cargo.env(format!("CARGO_TARGET_{flags}_RUSTFLAGS"), GUEST_FLAGS);
        if let Self::Debian(folder) = self {
            let linker = rustup::program(repository, "rust-lld")?;
            cargo
                .args(["-Zbuild-std=std,panic_abort", "-Zbuild-std-features="])
                .env("RUSTC", folder.join("usr/bin/rustc"))
                .env("LD_LIBRARY_PATH", folder.join("usr/lib").join(library_folder()))
                // Building `std` is not a stable feature.
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        Ok(cargo)
    }

    /// The target's name, which is also that of the folder with the output.
    pub(crate) fn target(&self) -> &'static str {
        match self {
            Self::Rustup => RUSTUP_TARGET,
            Self::Debian(_) => BARE_TARGET,
        }
    }

    /// Is the output a component? Else it is a module that says what component it wants to be.
    pub(crate) fn makes_components(&self) -> bool {
        *self == Self::Rustup
    }
}

fn has_target(repository: &Repository) -> bool {
    let mut print = process::command("rustc", repository.root());
    print.args(["--print", "target-libdir", "--target", RUSTUP_TARGET]);
    process::capture(&mut print).is_ok_and(|folder| Path::new(&folder).is_dir())
}

fn library_folder() -> String {
    format!("{}-linux-gnu", std::env::consts::ARCH)
}

fn install_debian(repository: &Repository) -> Result<()> {
    python::tool(repository, &python::WASM_TOOLS)?;
    let folder = repository.tools().join("rust-debian");
    let version_file = folder.join("version");
    if version_file.exists() {
        return Ok(());
    }
    eprintln!("installing Debian's Rust compiler (target/tools/rust-debian, 520 MB)");
    let packages = debian_packages(repository)?;
    let downloads = repository.tools().join("downloads");
    for empty in [&folder, &downloads] {
        folder::make_empty(empty)?;
    }
    process::quiet(
        process::command("apt-get", &downloads).args(["download", "-qq"]).args(&packages),
    )?;
    let mut files: Vec<PathBuf> = fs::read_dir(&downloads)
        .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
        .context("failed to list the downloads")?
        .iter()
        .map(fs::DirEntry::path)
        .collect();
    files.sort();
    for file in &files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(DEBIAN_SOURCES) {
            unpack_sources(&folder, file)?;
        } else {
            process::quiet(process::command("dpkg", &folder).arg("-x").arg(file).arg("."))?;
        }
    }
    let versions: Vec<_> = files.iter().filter_map(|file| file.file_name()?.to_str()).collect();
    let versions = versions.join("\n");
    fs::remove_dir_all(&downloads).context("failed to remove the downloads")?;
    // Last: with this file the installation is complete.
    fs::write(&version_file, versions).context("failed to write the version of Debian's Rust")
}

/// The compiler, its libraries by their present names, and the sources of `std`.
fn debian_packages(repository: &Repository) -> Result<Vec<String>> {
    debian::know(repository, &[DEBIAN_COMPILER, DEBIAN_STD, DEBIAN_SOURCES])?;
    let mut packages: Vec<_> =
        [DEBIAN_COMPILER, DEBIAN_STD, DEBIAN_SOURCES].map(str::to_owned).into();
    let mut list = process::command("apt-cache", repository.root());
    list.args(["depends", "--recurse", "--important", "--no-recommends", "--no-suggests"]);
    let depends = process::capture(list.args([DEBIAN_COMPILER, DEBIAN_STD]))?;
    for prefix in ["libstd-rust-web-1", "libllvm"] {
        let library = depends
            .lines()
            .find(|line| line.starts_with(prefix))
            .with_context(|| format!("Debian's {DEBIAN_COMPILER} names no {prefix}*"))?;
        packages.push(library.to_owned());
    }
    Ok(packages)
}

/// Only the library's sources: the compiler's own are 300 MB more.
fn unpack_sources(folder: &Path, package: &Path) -> Result<()> {
    // By the shell for its pipe; the paths are arguments, not part of the script.
    let script = "dpkg --fsys-tarfile \"$1\" | tar -x --wildcards \
                  './usr/src/rustc-*/library/*' './usr/lib/rustlib/src/*'";
    let mut unpack = process::command("sh", folder);
    process::quiet(unpack.args(["-c", script, "sh"]).arg(package))?;
    if !folder.join("usr/src").is_dir() {
        bail!("{} has no sources of std", package.display());
    }
    Ok(())
}
