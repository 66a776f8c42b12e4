//! Takes the libraries out of a program that has them inside of itself, compressed.
//!
//! componentize-py is distributed as a program that carries CPython for WebAssembly: each library
//! is one Zstandard frame among the program's data. A list says which digests are wanted, so what
//! is taken is exactly what it was when the list was written, wherever in the program it stands.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};
use zstd::stream::read::Decoder;

/// What a Zstandard frame begins with.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Longest content of a frame that is looked at, in bytes.
const CONTENT_BYTES_MAX: u64 = 64 << 20;

/// The largest window of a frame, as a power of two.
const WINDOW_LOG_MAX: u32 = 27;

/// Writes each content that the list names to the folder. A line of the list is `SHA256  NAME`;
/// several lines may have one name, of which one content has to be there.
pub(crate) fn extract(program: &[u8], list: &str, folder: &Path) -> Result<()> {
    let mut wanted = wanted(list)?;
    for content in contents(program) {
        let digest: String =
            Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
        let Some(name) = wanted.get(digest.as_str()).copied() else { continue };
        let path = folder.join(name);
        std::fs::write(&path, &content)
            .with_context(|| format!("failed to write {}", path.display()))?;
        wanted.retain(|_, other| *other != name);
    }
    if let Some((digest, name)) = wanted.first_key_value() {
        bail!("the program has no {name} with the digest {digest}");
    }
    Ok(())
}

/// Names by digests.
fn wanted(list: &str) -> Result<BTreeMap<&str, &str>> {
    let lines = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pairs = lines.map(|line| {
        let (digest, name) =
            line.split_once("  ").with_context(|| format!("`{line}` is not `SHA256  NAME`"))?;
        let is_plain = !name.is_empty() && !name.contains(['/', '\\']) && name != "..";
        ensure!(is_plain, "`{name}` is no name of a file");
        Ok((digest, name))
    });
    pairs.collect()
}

/// What each frame holds. Bytes that look like the begin of one, and are none, are passed over.
fn contents(program: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let begins = program.windows(MAGIC.len()).enumerate();
    begins.filter(|(_, bytes)| *bytes == MAGIC).filter_map(|(at, _)| content(&program[at..]))
}

fn content(frame: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = Decoder::new(frame).ok()?.single_frame();
    decoder.window_log_max(WINDOW_LOG_MAX).ok()?;
    let mut content = Vec::new();
    let length = decoder.take(CONTENT_BYTES_MAX + 1).read_to_end(&mut content).ok()?;
    (length as u64 <= CONTENT_BYTES_MAX).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(contents: &[&[u8]]) -> Vec<u8> {
        let mut program = b"ELF and more".to_vec();
        // Looks like a frame, and is none.
        program.extend(MAGIC);
        for content in contents {
            program.extend(zstd::encode_all(*content, 3).unwrap());
            program.extend(b"between");
        }
        program
    }

    fn digest(of: &[u8]) -> String {
        Sha256::digest(of).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn what_the_list_names_is_written_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let list = format!("# libraries\n{}  a.so\n{}  b\n", digest(b"first"), digest(b"third"));
        let list = format!("{list}{}  b\n", digest(b"b of another machine"));
        extract(&program(&[b"first", b"second", b"third"]), &list, folder.path()).unwrap();
        assert_eq!(std::fs::read(folder.path().join("a.so")).unwrap(), b"first");
        assert_eq!(std::fs::read(folder.path().join("b")).unwrap(), b"third");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_is_missing_or_changed_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let list = format!("{}  a.so\n", digest(b"first"));
        let error = extract(&program(&[b"another"]), &list, folder.path()).unwrap_err();
        assert!(error.to_string().contains("a.so"), "{error}");
    }

    #[test]
    fn a_list_that_names_no_file_is_refused() {
        for (list, told) in [("abc a.so", "is not `SHA256"), ("abc  ../a.so", "no name of a file")]
        {
            let error = extract(&[], list, Path::new("/")).unwrap_err();
            assert!(error.to_string().contains(told), "{error}");
        }
    }
}
