//! What goes with a script: the files of its folder, as far as scripts can read them.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use swarm_guest::bundle::add_file;

use super::ignored::{IGNORE_FILE, Ignored};
use super::packages::{self, Role};

/// What a folder may have: it goes to each worker whole.
pub(super) const BYTES_MAX: u64 = 64 << 20;
const FILES_MAX: usize = 10_000;

/// Deepest folder in the folder.
const DEPTH_MAX: usize = 32;

/// Folders that no script reads: what Python and Node have written there themselves.
const PASSED_OVER: [&str; 2] = ["__pycache__", "node_modules"];

/// What marks a folder as an environment of another Python.
const ENVIRONMENT: &str = "pyvenv.cfg";

/// What has been taken along.
pub(super) struct Taken<'a> {
    root: PathBuf,
    inside: &'static str,
    ignored: Ignored,
    scenario: &'a mut Vec<u8>,
    files: usize,
    bytes: u64,
    /// Packages whose machine code has been left out.
    native: BTreeSet<String>,
}

impl<'a> Taken<'a> {
    /// Nothing yet of the folder `root`, which guests see as `inside`.
    pub(super) fn new(
        root: &Path,
        inside: &'static str,
        ignored: Ignored,
        scenario: &'a mut Vec<u8>,
    ) -> Self {
        Self {
            root: root.to_owned(),
            inside,
            ignored,
            scenario,
            files: 0,
            bytes: 0,
            native: BTreeSet::new(),
        }
    }

    /// Takes the whole folder.
    ///
    /// # Errors
    /// When something in it cannot be taken along, or it is too large.
    pub(super) fn all(&mut self) -> Result<()> {
        self.folder(&self.root.clone(), 0)
    }

    /// How many files have been taken.
    pub(super) fn files(&self) -> usize {
        self.files
    }

    /// How many bytes are in them.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The packages of `site-packages` whose machine code has been left out.
    pub(super) fn native(&self) -> &BTreeSet<String> {
        &self.native
    }

    /// Takes a folder, in the order of names: the same folder is the same scenario.
    fn folder(&mut self, folder: &Path, depth: usize) -> Result<()> {
        ensure!(depth <= DEPTH_MAX, "{} is too deep in folders", folder.display());
        let entries = fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
        let mut entries = entries.with_context(|| format!("read {}", folder.display()))?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let kind = entry.file_type().with_context(|| format!("look at {}", path.display()))?;
            if self.stays_behind(&path, kind.is_dir()) || !self.is_wanted(&path) {
                continue;
            }
            if kind.is_dir() {
                self.folder(&path, depth + 1)?;
            } else if kind.is_file() || (kind.is_symlink() && self.leads_inside(&path)?) {
                self.file(&path)?;
            } else {
                tracing::warn!("{} is not a file, and scripts do not see it", path.display());
            }
        }
        Ok(())
    }

    /// Can a script use it, if it is of a package?
    fn is_wanted(&mut self, path: &Path) -> bool {
        match packages::role(path.strip_prefix(&self.root).unwrap_or(path)) {
            Role::Wanted => true,
            Role::Brought => false,
            Role::MachineCode(package) => {
                self.native.insert(package.to_owned());
                false
            }
        }
    }

    /// May a link be followed?
    fn leads_inside(&self, link: &Path) -> Result<bool> {
        let what = link.display();
        let target = fs::canonicalize(link).with_context(|| format!("follow the link {what}"))?;
        let root = fs::canonicalize(&self.root).context("the folder is there")?;
        let below = target.strip_prefix(&root).ok();
        ensure!(
            below.is_some() && !target.is_dir(),
            "{what} is a link to {}: a script has only the files in its own folder, so put a copy \
             there, or exclude the link by a line in {IGNORE_FILE}",
            target.display()
        );
        // Itself, or a folder that it is in.
        let mut parts = below.into_iter().flat_map(Path::ancestors);
        let stays_behind = parts.any(|part| {
            let is_folder = Some(part) != below;
            part != Path::new("") && self.stays_behind(&self.root.join(part), is_folder)
        });
        ensure!(
            !stays_behind,
            "{what} is a link to {}, which stays behind itself: put a copy in its place, or \
             exclude the link by a line in {IGNORE_FILE}",
            target.display()
        );
        Ok(target.is_file())
    }

    /// Is this never taken, whatever is in it?
    fn stays_behind(&self, path: &Path, is_folder: bool) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with('.')
            || PASSED_OVER.contains(&&*name)
            || self.ignored.contains(path, is_folder)
            || (is_folder && path.join(ENVIRONMENT).exists())
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
             worker: put the script and what it needs into a folder of their own, or exclude the \
             rest by a file {IGNORE_FILE}",
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

    use super::super::tests::folder;
    use super::*;

    /// What is taken of a folder, or why it is not.
    fn taken(folder: &Path) -> Result<Vec<String>> {
        let mut scenario = Vec::new();
        Taken::new(folder, "/app", Ignored::read(folder)?, &mut scenario).all()?;
        // What is in the files of this test has no `/`.
        let text = String::from_utf8(scenario)?;
        let names = text.split("swarm:file").skip(1).map(|file| {
            let end = file.find([';', '\0']).unwrap_or(file.len());
            file[..end].to_owned()
        });
        Ok(names.collect())
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
    fn links_to_what_stays_behind_are_refused() {
        let targets = [".env", ".aws/keys", "venv/lib/site.py", "__pycache__/a.pyc"];
        for target in targets {
            let folder = folder(&["locustfile.py", "venv/pyvenv.cfg", target]);
            symlink(target, folder.path().join("link")).unwrap();
            let error = taken(folder.path()).unwrap_err().to_string();
            assert!(error.contains("which stays behind itself"), "{target}: {error}");
        }
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
    fn what_the_ignore_file_names_is_left_out() {
        let folder = folder(&[
            "locustfile.py",
            "results/old.csv",
            "results/keep.csv",
            "deep/results/a.csv",
            "logs/a.log",
            "data/users.csv",
            "a.log",
            "big.bin",
            ".env",
        ]);
        let lines = "# what scripts do not need\n/results/*\n!/results/keep.csv\n*.log\nbig.bin\n\
                     link\n!.env\n";
        fs::write(folder.path().join(IGNORE_FILE), lines).unwrap();
        // Nothing of what is excluded can stand in the way.
        symlink("/etc", folder.path().join("link")).unwrap();
        let large = fs::File::create(folder.path().join("big.bin")).unwrap();
        large.set_len(BYTES_MAX + 1).unwrap();
        let all = [
            "/app/data/users.csv",
            "/app/deep/results/a.csv",
            "/app/locustfile.py",
            "/app/results/keep.csv",
        ];
        assert_eq!(taken(folder.path()).unwrap(), all);
    }

    #[test]
    fn git_has_no_say_in_what_is_taken() {
        let folder = folder(&["locustfile.py", "users.csv"]);
        fs::write(folder.path().join(".gitignore"), "users.csv\n").unwrap();
        assert_eq!(taken(folder.path()).unwrap(), ["/app/locustfile.py", "/app/users.csv"]);
    }
}
