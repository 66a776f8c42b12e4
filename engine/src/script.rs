//! Scripts: a file in a scripting language, with all that lies in its folder, and the runtime of
//! the language make one scenario. It is shipped and named by its digest as any other.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use swarm_guest::bundle::add_file;

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

/// What a folder may have: it goes to each worker whole.
const BYTES_MAX: u64 = 64 << 20;
const FILES_MAX: usize = 10_000;

/// Deepest folder in the folder.
const DEPTH_MAX: usize = 32;

/// Folders that no script reads: what Python and Node have written there themselves.
const PASSED_OVER: [&str; 2] = ["__pycache__", "node_modules"];

/// What marks a folder as an environment of another Python.
const ENVIRONMENT: &str = "pyvenv.cfg";

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

    let runtime = runtime()?;
    let component = runtime.join(RUNTIME);
    let mut scenario =
        fs::read(&component).with_context(|| format!("read {}", component.display()))?;
    let library = runtime.join(LIBRARY);
    let mut library = Taken::new(&library, LIBRARY_INSIDE, &mut scenario);
    library.folder(&library.root.clone(), 0)?;
    let mut taken = Taken::new(folder, FOLDER_INSIDE, &mut scenario);
    taken.folder(folder, 0)?;
    tracing::info!("{} files ({} bytes) go with the script", taken.files, taken.bytes);
    add_file(&mut scenario, NAME_INSIDE, name.as_bytes())?;
    Ok(scenario)
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

/// What has been taken along.
struct Taken<'a> {
    root: PathBuf,
    inside: &'static str,
    scenario: &'a mut Vec<u8>,
    files: usize,
    bytes: u64,
}

impl<'a> Taken<'a> {
    fn new(root: &Path, inside: &'static str, scenario: &'a mut Vec<u8>) -> Self {
        Self { root: root.to_owned(), inside, scenario, files: 0, bytes: 0 }
    }

    /// Takes a folder, in the order of names: the same folder is the same scenario.
    fn folder(&mut self, folder: &Path, depth: usize) -> Result<()> {
        ensure!(depth <= DEPTH_MAX, "{} is too deep in folders", folder.display());
        let entries = fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
        let mut entries = entries.with_context(|| format!("read {}", folder.display()))?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            if name.starts_with('.') || PASSED_OVER.contains(&&*name) {
                continue;
            }
            let kind = entry.file_type().with_context(|| format!("look at {}", path.display()))?;
            if kind.is_dir() {
                if !path.join(ENVIRONMENT).exists() {
                    self.folder(&path, depth + 1)?;
                }
            } else if kind.is_file() || (kind.is_symlink() && self.leads_inside(&path)?) {
                self.file(&path)?;
            } else {
                tracing::warn!("{} is not a file, and scripts do not see it", path.display());
            }
        }
        Ok(())
    }

    /// May a link be followed?
    fn leads_inside(&self, link: &Path) -> Result<bool> {
        let what = link.display();
        let target = fs::canonicalize(link).with_context(|| format!("follow the link {what}"))?;
        let is_inside = fs::canonicalize(&self.root).is_ok_and(|root| target.starts_with(root));
        ensure!(
            is_inside && !target.is_dir(),
            "{what} is a link to {}: a script has only the files in its own folder, so put a copy \
             there",
            target.display()
        );
        Ok(target.is_file())
    }

    fn file(&mut self, path: &Path) -> Result<()> {
        let below = path.strip_prefix(&self.root).context("it is in the folder")?;
        let below =
            below.to_str().with_context(|| format!("{} is not UTF-8 by name", path.display()))?;
        let mut content = Vec::new();
        let file = fs::File::open(path).with_context(|| format!("read {}", path.display()))?;
        // One byte more than is left tells that it is too large, also of a file that grows.
        let read = file.take(BYTES_MAX - self.bytes + 1).read_to_end(&mut content);
        read.with_context(|| format!("read {}", path.display()))?;
        self.files += 1;
        self.bytes += content.len() as u64;
        ensure!(
            self.bytes <= BYTES_MAX && self.files <= FILES_MAX,
            "{} has more than {} MiB or {FILES_MAX} files in it, and all of it would go to each \
             worker: put the script and what it needs into a folder of their own",
            self.root.display(),
            BYTES_MAX >> 20
        );
        add_file(self.scenario, &format!("{}/{below}", self.inside), &content)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// What is taken of a folder, or why it is not.
    fn taken(folder: &Path) -> Result<Vec<String>> {
        let mut scenario = Vec::new();
        Taken::new(folder, "/app", &mut scenario).folder(folder, 0)?;
        // What is in the files of this test has no `/`.
        let text = String::from_utf8(scenario)?;
        let names = text.split("swarm:file").skip(1).map(|file| {
            let end = file.find([';', '\0']).unwrap_or(file.len());
            file[..end].to_owned()
        });
        Ok(names.collect())
    }

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("temporary folders can be made");
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, ";").expect("a file");
        }
        folder
    }

    #[test]
    fn a_folder_is_taken_without_what_others_keep_there() {
        let folder = folder(&[
            "locustfile.py",
            "data/users.csv",
            ".git/config",
            ".env",
            "__pycache__/locustfile.pyc",
            "venv/pyvenv.cfg",
            "venv/lib/site.py",
            "a.txt",
        ]);
        symlink("data/users.csv", folder.path().join("link.csv")).unwrap();
        let all = ["/app/a.txt", "/app/data/users.csv", "/app/link.csv", "/app/locustfile.py"];
        assert_eq!(taken(folder.path()).unwrap(), all);
    }

    #[test]
    fn links_out_of_the_folder_are_refused() {
        let others = folder(&["secret"]);
        for target in [others.path().join("secret"), others.path().to_owned()] {
            let folder = folder(&["locustfile.py"]);
            symlink(&target, folder.path().join("link")).unwrap();
            let error = taken(folder.path()).unwrap_err().to_string();
            assert!(error.contains("link is a link to"), "{error}");
        }
        let folder = folder(&["locustfile.py"]);
        symlink("nowhere", folder.path().join("link")).unwrap();
        taken(folder.path()).unwrap_err();
    }

    #[test]
    fn a_folder_that_is_too_large_is_refused() {
        let folder = folder(&["locustfile.py"]);
        let large = fs::File::create(folder.path().join("large")).unwrap();
        large.set_len(BYTES_MAX + 1).unwrap();
        let error = taken(folder.path()).unwrap_err().to_string();
        assert!(error.contains("more than 64 MiB"), "{error}");
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
