//! Packages of Python: those that lie in `site-packages` beside a script go with it, and the
//! script's `requirements.txt` tells which of them are missing.
//!
//! Nothing is installed: neither pip nor a network need be there. A requirement that is missing is
//! told and is no error, as such a file often serves a whole project. If the script imports the
//! package, it is refused by name.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// The folder with packages, in that of a script.
const PACKAGES: &str = "site-packages";

/// The file that lists what a script needs, in the folder of the script.
pub(super) const REQUIREMENTS: &str = "requirements.txt";

/// Largest of these that is read, in bytes.
const REQUIREMENTS_BYTES_MAX: u64 = 1 << 20;

/// What the runtime brings, in its own form. Scripts would never see another one.
const BROUGHT: [&str; 8] =
    ["certifi", "gevent", "geventhttpclient", "greenlet", "idna", "locust", "requests", "urllib3"];

/// What a file of a script's folder is to its packages.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Role<'a> {
    /// It goes with the script.
    Wanted,
    /// The runtime has this package itself.
    Brought,
    /// It is machine code, of this package.
    MachineCode(&'a str),
}

/// The role of what has this path below the script's folder.
pub(super) fn role(below: &Path) -> Role<'_> {
    let mut parts = below.iter().map(|part| part.to_str().unwrap_or_default());
    let (Some(PACKAGES), Some(package)) = (parts.next(), parts.next()) else {
        return Role::Wanted;
    };
    let package = package.split('.').next().unwrap_or_default();
    let file = below.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if BROUGHT.contains(&package) {
        Role::Brought
    } else if [".so", ".pyd", ".dylib"].iter().any(|end| file.ends_with(end))
        || file.contains(".so.")
    {
        Role::MachineCode(package)
    } else {
        Role::Wanted
    }
}

/// Warns of what the script's `requirements.txt` lists and scripts will not find.
pub(super) fn warn_of_missing(folder: &Path) {
    let path = folder.join(REQUIREMENTS);
    if !path.is_file() {
        return;
    }
    let mut text = String::new();
    let file = File::open(&path).map(|file| file.take(REQUIREMENTS_BYTES_MAX));
    match file.and_then(|mut file| file.read_to_string(&mut text)) {
        Err(error) => {
            tracing::warn!("{} cannot be read, and is not checked: {error}", path.display());
        }
        Ok(_) => {
            let missing = missing(&text, folder);
            if !missing.is_empty() {
                tracing::warn!("{}", missing_text(&missing, folder));
            }
        }
    }
}

/// Which packages are missing, and what to do.
fn missing_text(missing: &[String], folder: &Path) -> String {
    let packages = missing.join(" ");
    format!(
        "{REQUIREMENTS} lists what is not beside the script: {}. If the script imports it, run \
         `pip install --target {} {packages}` once; only packages of Python alone can be used",
        missing.join(", "),
        folder.join(PACKAGES).display()
    )
}

/// The requirements that neither the folder nor the runtime has, as the file names them.
fn missing(requirements: &str, folder: &Path) -> Vec<String> {
    let installed = installed(folder);
    let mut missing: Vec<String> = Vec::new();
    for name in requirements.lines().filter_map(required) {
        let is_there = BROUGHT.contains(&&*plain(name)) || installed.contains(&plain(name));
        if !is_there && missing.iter().all(|other| plain(other) != plain(name)) {
            missing.push(name.to_owned());
        }
    }
    missing
}

/// The name in a line of `requirements.txt`. Options, paths and what holds only for some machines
/// (`; sys_platform == ...`) have none.
fn required(line: &str) -> Option<&str> {
    let line = line.split(" #").next().unwrap_or_default().trim();
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let end = line.find(|c| !is_name(c)).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    let is_path = rest.starts_with(['/', '\\', ':']) && rest != "\\";
    (begins && !is_path && !line.contains(';')).then_some(name)
}

/// What lies in the folder, by [`plain`] names: packages by the records of pip, and modules.
fn installed(folder: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for place in [folder, &folder.join(PACKAGES)] {
        let Ok(entries) = fs::read_dir(place) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let ends = [".dist-info", ".egg-info", ".py"];
            let stem = ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
            // Of `NAME-VERSION`; the hyphens of a name are underscores there.
            names.insert(plain(stem.split('-').next().unwrap_or_default()));
        }
    }
    names
}

/// A name as PyPI compares it.
fn plain(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::super::tests::folder;
    use super::*;

    #[test]
    fn what_a_file_is_to_the_packages_is_told_by_its_path() {
        let role = |path: &'static str| role(Path::new(path));
        assert_eq!(role("site-packages/faker/a.py"), Role::Wanted);
        assert_eq!(role("site-packages/locust/env.py"), Role::Brought);
        assert_eq!(role("site-packages/idna"), Role::Brought);
        // Which version is there is asked for by some packages.
        assert_eq!(role("site-packages/requests-2.0.dist-info/METADATA"), Role::Wanted);
        assert_eq!(role("site-packages/requests_mock/a.py"), Role::Wanted);
        let code = "site-packages/yaml/_yaml.cpython-311-x86_64-linux-gnu.so";
        assert_eq!(role(code), Role::MachineCode("yaml"));
        assert_eq!(role("site-packages/_cffi.abi3.so"), Role::MachineCode("_cffi"));
        assert_eq!(role("site-packages/numpy.libs/libblas.so.3"), Role::MachineCode("numpy"));
        // Elsewhere they are the author's own.
        assert_eq!(role("locust/env.py"), Role::Wanted);
        assert_eq!(role("data/a.so"), Role::Wanted);
    }

    #[test]
    fn requirements_are_looked_for_where_scripts_find_them() {
        let folder = folder(&[
            "site-packages/Faker-40.1.dist-info/METADATA",
            "site-packages/typing_extensions-4.0.dist-info/METADATA",
            "site-packages/six.py",
            "shop/__init__.py",
        ]);
        let lines = "# what we need\n\nlocust==2.43\nfaker >= 40 # names\nTyping.Extensions\n\
                     six\nshop\njwt[crypto]~=2.0\nPyYAML\npyyaml\n-r more.txt\n--hash=sha256:00\n\
                     ./local\nhttps://host/a.whl\nfoo @ https://host/foo.whl\n\
                     pywin32; sys_platform == 'win32'\nbar==1 \\\n    --hash=sha256:00\n";
        assert_eq!(missing(lines, folder.path()), ["jwt", "PyYAML", "foo", "bar"]);
        assert_eq!(missing("locust\r\nrequests\r\n", folder.path()), [""; 0]);
    }

    #[test]
    fn the_runtime_brings_what_is_said_of_it() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-sdk/python");
        let mut brought = BTreeSet::new();
        for entry in fs::read_dir(sources.join("lib")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            brought.insert(name.trim_end_matches(".py").to_owned());
        }
        let requirements = fs::read_to_string(sources.join(REQUIREMENTS)).unwrap();
        brought.extend(requirements.lines().filter_map(required).map(str::to_owned));
        // What is inside of it is nobody's package.
        for inside in ["_swarm_runtime", "__pycache__", "componentize-py"] {
            brought.remove(inside);
        }
        assert!(brought.iter().eq(BROUGHT), "{brought:?}");
    }
}
