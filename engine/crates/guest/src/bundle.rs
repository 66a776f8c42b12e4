//! Files that travel inside of a scenario: those of a script, and of the library of its language.
//!
//! Behind the component each file is a custom section of its own, with its path in the name. So a
//! script is shipped, named by its digest and kept as any scenario is. What is compiled is the
//! component before the files: it is the same for all scripts of a language.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use wasmtime_environ::wasmparser::{BinaryReader, BinaryReaderError};

/// What the name of a file's section begins with; its path follows.
const FILE: &str = "swarm:file";

/// Longest path in bytes.
const PATH_BYTES_MAX: usize = 1024;

/// Most files.
const FILES_MAX: usize = 20_000;

/// Magic, version and layer.
const PREAMBLE_BYTES: usize = 8;

/// The number of custom sections.
const CUSTOM: u8 = 0;

/// Why the files in a scenario cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// They are no files that a guest could open.
    #[error("the files in it cannot be used: {0}")]
    Unsound(String),
    /// Only runtimes of scripting languages read files.
    #[error("it has files in it, and is no runtime of a scripting language that could read them")]
    OfNobody,
    /// Nothing can be kept on this machine.
    #[error(
        "there is no folder that the files in it could be unpacked to: choose one with \
         SWARM_CACHE_DIR"
    )]
    NoFolder,
    /// They cannot be written.
    #[error(
        "cannot unpack the files in it to {} (choose another with SWARM_CACHE_DIR)",
        place.display()
    )]
    Unpack {
        /// The folder.
        place: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// A scenario in its parts.
#[derive(Debug)]
pub(crate) struct Bundle<'a> {
    /// What is compiled.
    pub(crate) component: &'a [u8],
    /// The bytes of files by their path, `/FOLDER/.../NAME`.
    pub(crate) files: BTreeMap<&'a str, &'a [u8]>,
}

impl<'a> Bundle<'a> {
    /// Takes a scenario apart. One that is broken before its first file has none: the compiler
    /// says what is wrong with it.
    ///
    /// # Errors
    /// When a file cannot be one.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, FilesError> {
        let mut files = BTreeMap::new();
        let mut component = bytes;
        let mut at = PREAMBLE_BYTES;
        while at < bytes.len() {
            match section(&bytes[at..]) {
                Ok(Section { file: Some((path, content)), length }) => {
                    check(path)?;
                    if files.insert(path, content).is_some() {
                        return Err(FilesError::Unsound(format!("there are two of {path}")));
                    }
                    component = &bytes[..at.min(component.len())];
                    at += length;
                }
                Ok(Section { file: None, length }) if files.is_empty() => at += length,
                Err(_) if files.is_empty() => break,
                _ => return Err(FilesError::Unsound("something else is among them".to_owned())),
            }
        }
        if files.len() > FILES_MAX {
            let text = format!("there are {}; {FILES_MAX} is the most", files.len());
            return Err(FilesError::Unsound(text));
        }
        // A file is not a folder. What begins with `PATH/` comes behind PATH, though not at once.
        for path in files.keys() {
            let folders = path.match_indices('/').skip(1).map(|(end, _)| &path[..end]);
            if let Some(both) = folders.into_iter().find(|folder| files.contains_key(folder)) {
                return Err(FilesError::Unsound(format!("{both} is a file and a folder")));
            }
        }
        Ok(Self { component, files })
    }
}

/// Puts a file behind a component or behind other files of it. `path` is `/FOLDER/.../NAME`.
///
/// # Errors
/// When no guest could open such a path.
pub fn add_file(scenario: &mut Vec<u8>, path: &str, content: &[u8]) -> Result<(), FilesError> {
    check(path)?;
    let name_bytes = FILE.len() + path.len();
    let section_bytes = leb128(name_bytes).len() + name_bytes + content.len();
    scenario.push(CUSTOM);
    scenario.extend(leb128(section_bytes));
    scenario.extend(leb128(name_bytes));
    scenario.extend_from_slice(FILE.as_bytes());
    scenario.extend_from_slice(path.as_bytes());
    scenario.extend_from_slice(content);
    Ok(())
}

/// Is it `/FOLDER/.../NAME`, and leads nowhere else?
fn check(path: &str) -> Result<(), FilesError> {
    let mut parts = path.split('/');
    let is_absolute = parts.next() == Some("");
    let is_plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', '\0']);
    let count = path.matches('/').count();
    if is_absolute && count >= 2 && path.len() <= PATH_BYTES_MAX && parts.all(is_plain) {
        return Ok(());
    }
    Err(FilesError::Unsound(format!("{path:?} is not the path of one")))
}

/// A section of a component.
struct Section<'a> {
    /// Path and bytes, if it holds a file.
    file: Option<(&'a str, &'a [u8])>,
    /// In bytes, with its head.
    length: usize,
}

fn section(bytes: &[u8]) -> Result<Section<'_>, BinaryReaderError> {
    let mut reader = BinaryReader::new(bytes, 0);
    let number = reader.read_u8()?;
    let content_bytes = reader.read_var_u32()? as usize;
    let content = reader.read_bytes(content_bytes)?;
    let length = bytes.len() - reader.bytes_remaining();
    if number != CUSTOM {
        return Ok(Section { file: None, length });
    }
    let mut reader = BinaryReader::new(content, 0);
    let name = reader.read_string()?;
    let rest = reader.read_bytes(reader.bytes_remaining())?;
    Ok(Section { file: name.strip_prefix(FILE).map(|path| (path, rest)), length })
}

/// A number as WebAssembly writes it.
fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            bytes.push(low & 0x7f);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEBSITE: &[u8] = include_bytes!("../../../assets/website.wasm");

    fn with(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bytes = WEBSITE.to_vec();
        for (path, content) in files {
            add_file(&mut bytes, path, content).unwrap();
        }
        bytes
    }

    fn refused(bytes: &[u8]) -> String {
        Bundle::read(bytes).expect_err("it is refused").to_string()
    }

    #[test]
    fn files_come_back_and_the_component_is_as_it_was() {
        let large = vec![7; 70_000];
        let bytes = with(&[("/app/locustfile.py", b"x = 1"), ("/app/a/b", b""), ("/py/l", &large)]);
        let bundle = Bundle::read(&bytes).unwrap();
        assert_eq!(bundle.component, WEBSITE);
        let files: Vec<_> = bundle.files.into_iter().collect();
        let wanted: [(&str, &[u8]); 3] =
            [("/app/a/b", b""), ("/app/locustfile.py", b"x = 1"), ("/py/l", &large)];
        assert_eq!(files, wanted);
        // To whoever knows nothing of files it is the same component.
        crate::scenario::precheck::check(&bytes).unwrap();
    }

    #[test]
    fn a_scenario_without_files_has_none() {
        let bundle = Bundle::read(WEBSITE).unwrap();
        assert_eq!((bundle.component, bundle.files.len()), (WEBSITE, 0));
        let cut = &WEBSITE[..WEBSITE.len() - 1];
        assert_eq!(Bundle::read(cut).unwrap().component, cut);
        assert_eq!(Bundle::read(b"\0a").unwrap().component, b"\0a");
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        let paths = ["", "/", "/a", "a/b", "/a/../b", "/a/./b", "/a//b", "/a/", "/a/b\\c", "/a/\0"];
        let long = format!("/a/{}", "b".repeat(PATH_BYTES_MAX));
        for path in paths.into_iter().chain([long.as_str()]) {
            add_file(&mut Vec::new(), path, b"").expect_err(path);
            // Nor do they get through if another program has written them.
            let mut bytes = with(&[]);
            let name = format!("{FILE}{path}");
            bytes.push(CUSTOM);
            bytes.extend(leb128(leb128(name.len()).len() + name.len()));
            bytes.extend(leb128(name.len()));
            bytes.extend(name.as_bytes());
            assert!(refused(&bytes).contains("is not the path of one"), "{path}");
        }
    }

    #[test]
    fn what_is_ambiguous_or_cut_off_is_refused() {
        assert!(refused(&with(&[("/a/b", b"1"), ("/a/b", b"2")])).contains("two of /a/b"));
        let both = with(&[("/a/b", b""), ("/a/b.c", b""), ("/a/b/c", b"")]);
        assert!(refused(&both).contains("/a/b is a file and a folder"));
        let whole = with(&[("/a/b", b"12")]);
        let cut = with(&[("/a/a", b"")]).len();
        assert_eq!(Bundle::read(&whole[..whole.len() - 1]).unwrap().files.len(), 0);
        let behind = [&with(&[("/a/a", b"")])[..], &whole[WEBSITE.len()..whole.len() - 1]].concat();
        assert!(behind.len() > cut && refused(&behind).contains("something else"));
    }
}
