//! How the runtime for Python is made; `guest-sdk/python/README.md` says of what and why.

use super::{Built, Work};
use crate::folder;
use crate::process::{self, command};
use crate::repository::Repository;
use crate::setup::python;
use anyhow::Result;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCES: &str = "guest-sdk/python";

/// The native module of componentize-py, in its package.
const PROGRAM: &str = "componentize_py/componentize_py.abi3.so";

/// CPython's own library, and what it links to, as they are named in the module that is linked.
const LIBPYTHON: &str = "libpython3.14.so";
const LIBRARIES: [&str; 5] = [
    "libc.so",
    "libwasi-emulated-signal.so",
    "libwasi-emulated-getpid.so",
    "libwasi-emulated-process-clocks.so",
    "libwasi-emulated-mman.so",
];
const ADAPTER: &str = "adapter.wasm";
const LIBRARY_ARCHIVE: &str = "library.tar";

/// Where an instance finds the standard library.
const LIBRARY: &str = "lib/python3.14";

/// Objects are freed by nested calls of this function, which takes native stack alone. A list in a
/// list in a list, and so on, would be freed until the host ends the instance. CPython stops that
/// in time where its shadow stack is used up first, so the function takes some of it.
const DEEPENED: (&str, &str) = ("_Py_Dealloc", "128");

/// Of the standard library: what makes no sense in a script of a load test, or cannot work.
const LEFT_OUT: [&str; 14] = [
    "__pycache__",
    "config-3.14-wasm32-wasi",
    "ctypes",
    "curses",
    "dbm",
    "ensurepip",
    "idlelib",
    "lib2to3",
    "pydoc_data",
    "test",
    "tkinter",
    "turtledemo",
    "turtle.py",
    "venv",
];

/// Packages that are in the runtime as they are distributed.
const PACKAGES: [&str; 3] = ["idna", "requests", "urllib3"];

pub(super) fn set_up(repository: &Repository) -> Result<PathBuf> {
    python::tool(repository, &python::WASM_TOOLS)?;
    python::tool(repository, &python::ZIG)?;
    python::packages(repository, SOURCES)
}

pub(super) fn build(repository: &Repository, work: &Work) -> Result<Built> {
    let packages = set_up(repository)?;
    let snapshot = Snapshot::new(repository)?;
    let sources = repository.path(SOURCES);

    let libraries = work.folder("libraries")?;
    snapshot.run(&[
        OsStr::new("extract"),
        packages.join(PROGRAM).as_os_str(),
        sources.join("libraries.sha256").as_os_str(),
        libraries.as_os_str(),
    ])?;
    let files = work.folder("files")?;
    library(repository, &libraries.join(LIBRARY_ARCHIVE), &files)?;
    licences(repository, &packages, &files)?;

    let glue = glue(repository, work)?;
    let linked = link(repository, work, &snapshot, &glue, &libraries)?;

    let inside = work.folder("inside")?;
    folder::copy(&sources.join("lib"), &inside)?;
    for package in PACKAGES {
        folder::copy(&packages.join(package), &inside.join(package))?;
    }
    let component = work.file("python.wasm");
    let mut library = files.join(LIBRARY).into_os_string();
    library.push("=/py/");
    library.push(LIBRARY);
    let mut inside = inside.into_os_string();
    inside.push("=/swarm");
    snapshot.run(&[
        OsStr::new("prepare"),
        linked.as_os_str(),
        component.as_os_str(),
        &library,
        &inside,
    ])?;
    Ok(Built { component, files })
}

/// The tool that changes components.
struct Snapshot(PathBuf);

impl Snapshot {
    fn new(repository: &Repository) -> Result<Self> {
        let mut cargo = command("cargo", repository.root());
        // Not by `--package`: dependencies would have fewer features, and be compiled once more.
        process::run(cargo.args(["build", "--release", "--bin", "swarm-snapshot"]))?;
        Ok(Self(repository.path("target/release/swarm-snapshot")))
    }

    fn run(&self, arguments: &[&OsStr]) -> Result<()> {
        process::run(Command::new(&self.0).args(arguments))
    }
}

/// Compiles and links the glue; returns a library.
fn glue(repository: &Repository, work: &Work) -> Result<PathBuf> {
    let python = python::tool(repository, &python::ZIG)?;
    let headers = process::capture(command(&python, repository.root()).args([
        "-c",
        "import os, ziglang; print(os.path.join(os.path.dirname(ziglang.__file__), 'lib/include'))",
    ]))?;
    let folder = repository.path(SOURCES).join("glue");
    let mut sources: Vec<PathBuf> = folder::entries(&folder)?;
    sources.retain(|source| source.extension().is_some_and(|extension| extension == "c"));
    let mut objects = Vec::new();
    for source in sources {
        let object = work.file(&format!("{}.o", stem(&source)));
        let mut clang = command(&python, repository.root());
        clang.args(["-m", "ziglang", "clang", "--target=wasm32-wasip2", "-std=gnu17", "-O2"]);
        clang.args(["-fPIC", "-fvisibility=hidden", "-ffreestanding", "-nostdlibinc", "-isystem"]);
        clang.arg(&headers).args(["-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"]);
        clang.arg("-Wno-cast-function-type");
        if stem(&source) == "entries" {
            // The file says why.
            clang.arg("-Wframe-larger-than=0");
        }
        process::run(clang.arg("-c").arg(&source).arg("-o").arg(&object))?;
        objects.push(object);
    }
    let library = work.file("libglue.so");
    let mut ld = command(&python, repository.root());
    ld.args(["-m", "ziglang", "wasm-ld", "-shared", "--experimental-pic", "--no-entry"]);
    ld.arg("--unresolved-symbols=import-dynamic").args(&objects).arg("-o").arg(&library);
    process::run(&mut ld)?;
    Ok(library)
}

/// Makes one component of the glue and CPython.
fn link(
    repository: &Repository,
    work: &Work,
    snapshot: &Snapshot,
    glue: &Path,
    libraries: &Path,
) -> Result<PathBuf> {
    let (function, bytes) = DEEPENED;
    let libpython = work.file(LIBPYTHON);
    snapshot.run(&[
        OsStr::new("deepen"),
        libraries.join(LIBPYTHON).as_os_str(),
        libpython.as_os_str(),
        OsStr::new(function),
        OsStr::new(bytes),
    ])?;
    let wit = work.folder("wit")?;
    for folder in ["wit", &format!("{SOURCES}/wit")] {
        for file in folder::entries(&repository.path(folder))? {
            if file.extension().is_some_and(|extension| extension == "wit") {
                folder::copy_file(&file, &wit.join(file.file_name().unwrap_or_default()))?;
            }
        }
    }
    let wasm_tools = python::tool(repository, &python::WASM_TOOLS)?;
    let typed = work.file("libglue.typed.so");
    let mut embed = command(&wasm_tools, repository.root());
    embed.args(["component", "embed", "--world", "python"]).arg(&wit).arg(glue);
    process::run(embed.arg("--output").arg(&typed))?;

    let linked = work.file("linked.wasm");
    let mut link = command(&wasm_tools, repository.root());
    link.args(["component", "link", "--use-built-in-libdl", "--adapt"]);
    link.arg(named("wasi_snapshot_preview1", &libraries.join(ADAPTER)));
    link.arg(named("libglue.so", &typed)).arg(named(LIBPYTHON, &libpython));
    link.args(LIBRARIES.map(|name| named(name, &libraries.join(name))));
    process::run(link.arg("--output").arg(&linked))?;
    Ok(linked)
}

/// `NAME=PATH`.
fn named(name: &str, path: &Path) -> String {
    format!("{name}={}", path.display())
}

/// Unpacks the standard library, without what is left out.
fn library(repository: &Repository, archive: &Path, files: &Path) -> Result<()> {
    let library = files.join(LIBRARY);
    folder::make(&library)?;
    let mut unpack = command(python::tool(repository, &python::ZIG)?, repository.root());
    process::run(unpack.args(["-m", "tarfile", "--extract"]).arg(archive).arg(&library))?;
    for path in folder::entries(&library)? {
        if path.file_name().is_some_and(|name| LEFT_OUT.iter().any(|left| name == *left)) {
            folder::remove(&path)?;
        }
    }
    Ok(())
}

/// Whose work is in the runtime, and under which terms.
fn licences(repository: &Repository, packages: &Path, files: &Path) -> Result<()> {
    let licences = files.join("licences");
    folder::make(&licences)?;
    folder::copy_file(&files.join(LIBRARY).join("LICENSE.txt"), &licences.join("CPython.txt"))?;
    for entry in folder::entries(packages)? {
        let name = stem(&entry);
        let package = name.split('-').next().unwrap_or_default();
        let is_inside = PACKAGES.contains(&package) && name.contains('-');
        if !is_inside {
            continue;
        }
        for folder in [entry.join("licenses"), entry] {
            let found = if folder.is_dir() { folder::entries(&folder)? } else { Vec::new() };
            for file in found.iter().filter(|file| file.is_file() && is_licence(file)) {
                let file_name = file.file_name().unwrap_or_default().to_string_lossy();
                folder::copy_file(file, &licences.join(format!("{package}-{file_name}")))?;
            }
        }
    }
    folder::copy_file(&repository.path("LICENSE-MIT"), &licences.join("swarm-MIT.txt"))
}

fn is_licence(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
    name.starts_with("LICENSE") || name.starts_with("LICENCE") || name.starts_with("NOTICE")
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
