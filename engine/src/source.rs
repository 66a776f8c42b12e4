//! Files that are not WebAssembly: what they are, and what to do with them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// What every WebAssembly file begins with.
const MAGIC: &[u8] = b"\0asm";

/// Languages by the extension of a file: what a file is, and where it says how to build it.
const LANGUAGES: [(&[&str], &str, &str); 6] = [
    (&["js", "mjs", "cjs"], "JavaScript", "scenarios/website-js/README.md"),
    (&["ts", "mts", "cts"], "TypeScript", "scenarios/website-js/README.md (for JavaScript)"),
    (&["go"], "Go", "scenarios/website-go/README.md"),
    (&["rs"], "Rust", "guest-sdk/README.md"),
    (&["c", "h"], "C", "scenarios/website-c/README.md"),
    (&["har"], "a recording of a browser", "guest-sdk/README.md (scenarios are programs)"),
];

/// Says what a file is that is no WebAssembly, as far as that can be told.
pub(crate) fn describe(path: &Path, bytes: &[u8]) -> Option<String> {
    if bytes.starts_with(MAGIC) {
        return None;
    }
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let known = LANGUAGES.iter().find(|(extensions, ..)| {
        extensions.iter().any(|known| known.eq_ignore_ascii_case(extension))
    });
    let (_, language, guide) = known?;
    let what = match *language {
        "a recording of a browser" => format!("it is {language}"),
        _ => format!("it is {language} source"),
    };
    Some(format!(
        "{what}, and swarm runs WebAssembly components: build one of it first and give the .wasm \
         file; {guide} says how"
    ))
}

/// Is the file WebAssembly by what it begins with? One that cannot be read is not.
pub(crate) fn is_wasm(path: &Path) -> bool {
    let mut begin = [0; MAGIC.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut begin));
    read.is_ok() && begin == MAGIC
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_is_told_from_its_name() {
        let of = |name: &str, text: &str| describe(Path::new(name), text.as_bytes());
        let cases = [
            ("a/scenario.JS", "JavaScript source"),
            ("scenario.ts", "TypeScript source"),
            ("main.go", "Go source"),
            ("lib.rs", "Rust source"),
        ];
        for (name, part) in cases {
            let told = of(name, "").expect(name);
            assert!(told.contains(part) && told.contains("README.md"), "{name}: {told}");
        }
        assert_eq!(of("scenario", "import http from 'k6/http'"), None);
        assert_eq!(of("really.js", "\0asm\r\0\x01\0"), None, "whatever its name is");
    }

    /// The guides are there.
    #[test]
    fn the_guides_that_are_named_exist() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for (.., guide) in LANGUAGES {
            let file = guide.split(' ').next().expect("a path");
            assert!(root.join(file).is_file(), "{file}");
        }
    }
}
