//! Scripts: a file in a scripting language, with all that lies in its folder, and the runtime of
//! the language make one scenario. It is shipped and named by its digest as any other.

mod ignored;
mod packages;
mod taken;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use swarm_guest::bundle::add_file;

use self::ignored::{IGNORE_FILE, Ignored};
use self::taken::Taken;
use crate::source;

/// The file that is run when a folder is given.
const MAIN: &str = "locustfile.py";

/// What tells a script by its name.
const EXTENSION: &str = "py";

/// The runtime's component, and beside it the folder with the library.
const RUNTIME: &str = "python.wasm";
const LIBRARY: &str = "python/lib";

/// Where the runtime's folder may be, from that of the program: beside it where it is installed,
/// and above it where it is built.
const PLACES: [&str; 2] = ["runtimes", "../runtimes"];

/// Where an instance finds the library, the author's folder, and the name of the file in that.
const LIBRARY_INSIDE: &str = "/py/lib";
const FOLDER_INSIDE: &str = "/app";
const NAME_INSIDE: &str = "/run/script";

/// Is it a script, or a folder, which can only be that of one?
pub(crate) fn is_script(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default();
    path.is_dir() || (extension.eq_ignore_ascii_case(EXTENSION) && !source::is_wasm(path))
}

/// The scenario that a script makes. `path` is that of a file or of its folder.
///
/// # Errors
/// When there is no runtime, the script cannot be read, or something in its folder cannot be taken
/// along.
pub(crate) fn bundle(path: &Path) -> Result<Vec<u8>> {
    let file = if path.is_dir() { path.join(MAIN) } else { path.to_owned() };
    ensure!(file.is_file(), "there is no {}", file.display());
    // Of `locustfile.py` it is nothing, which is no folder that could be read.
    let file = fs::canonicalize(&file).with_context(|| format!("find {}", file.display()))?;
    let folder = file.parent().context("a file is in a folder")?;
    let name = file.file_name().context("a file has a name")?;
    let name = name.to_str().context("the name of the file is not UTF-8")?;

    check_text(&file)?;
    let runtime = runtime()?;
    let component = runtime.join(RUNTIME);
    let mut scenario =
        fs::read(&component).with_context(|| format!("read {}", component.display()))?;
    let library = runtime.join(LIBRARY);
    Taken::new(&library, LIBRARY_INSIDE, Ignored::nothing(), &mut scenario).all()?;
    let ignored = Ignored::read(folder)?;
    ensure!(
        !ignored.contains(&file, false),
        "{IGNORE_FILE} excludes {}, which is the script itself",
        file.display()
    );
    let has_requirements = !ignored.contains(&folder.join(packages::REQUIREMENTS), false);
    let mut taken = Taken::new(folder, FOLDER_INSIDE, ignored, &mut scenario);
    taken.all()?;
    if !taken.native().is_empty() {
        let names: Vec<_> = taken.native().iter().map(String::as_str).collect();
        tracing::warn!(
            "machine code of packages stays behind, as scripts run in WebAssembly; without it \
             these may fail to import: {}",
            names.join(", ")
        );
    }
    if has_requirements {
        packages::warn_of_missing(folder);
    }
    tracing::info!("{} files ({} bytes) go with the script", taken.files(), taken.bytes());
    add_file(&mut scenario, NAME_INSIDE, name.as_bytes())?;
    Ok(scenario)
}

/// Refuses what Python would refuse without naming the place: a zero byte, as in each text that is
/// UTF-16. A text in another encoding may say so in its first lines, and Python judges that.
fn check_text(script: &Path) -> Result<()> {
    let named = script.display();
    let mut text = Vec::new();
    let file = fs::File::open(script).with_context(|| format!("read {named}"))?;
    let read = file.take(taken::BYTES_MAX).read_to_end(&mut text);
    read.with_context(|| format!("read {named}"))?;
    if let Some(at) = text.iter().position(|byte| *byte == 0) {
        let line = 1 + text[..at].iter().filter(|byte| **byte == b'\n').count();
        bail!("{named}, line {line}, has a zero byte, so it is no UTF-8 text: save it as UTF-8");
    }
    Ok(())
}

/// The folder with the runtimes.
fn runtime() -> Result<PathBuf> {
    let program = std::env::current_exe().context("find this program")?;
    let beside = program.parent().context("a program is in a folder")?;
    let places = PLACES.map(|place| beside.join(place));
    if let Some(found) = places.iter().find(|place| place.join(RUNTIME).is_file()) {
        return Ok(found.clone());
    }
    bail!(
        "the runtime of Python is not there: build it with `cargo xtask runtimes`, or put the \
         folder target/runtimes that this makes beside the program, as {}",
        places[0].display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with these files.
    pub(super) fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("temporary folders can be made");
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, ";").expect("a file");
        }
        folder
    }

    #[test]
    fn scripts_are_told_by_their_names_unless_they_are_wasm() {
        let folder = folder(&["a.py", "b.PY", "c.js"]);
        let wasm = folder.path().join("wasm.py");
        fs::write(&wasm, b"\0asm\r\0\x01\0").unwrap();
        let at = |name: &str| folder.path().join(name);
        assert!(is_script(folder.path()) && is_script(&at("a.py")) && is_script(&at("b.PY")));
        assert!(is_script(&at("nowhere.py")));
        assert!(!is_script(&at("c.js")) && !is_script(&wasm));
        let error = bundle(folder.path()).unwrap_err().to_string();
        assert!(error.contains("there is no") && error.contains(MAIN), "{error}");
    }
}
