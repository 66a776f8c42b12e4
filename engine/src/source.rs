//! Files that are not WebAssembly: what they are, and what to do with them.

use std::path::Path;

/// What every WebAssembly file begins with.
const MAGIC: &[u8] = b"\0asm";

/// Bytes of a file that are looked at.
const LOOKED_AT: usize = 4096;

/// Languages by the extension of a file: what a file is, and where it says how to build it.
const LANGUAGES: [(&[&str], &str, &str); 7] = [
    (&["py"], "Python", "scenarios/website-py/README.md"),
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
        "Python" if imports_locust(bytes) => "it is a locustfile, Python source".to_owned(),
        "a recording of a browser" => format!("it is {language}"),
        _ => format!("it is {language} source"),
    };
    Some(format!(
        "{what}, and swarm runs WebAssembly components: build one of it first and give the .wasm \
         file; {guide} says how"
    ))
}

fn imports_locust(bytes: &[u8]) -> bool {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(LOOKED_AT)]);
    let mut lines = head.lines().map(str::trim_start);
    lines.any(|line| line.starts_with("from locust") || line.starts_with("import locust"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_is_told_from_its_name() {
        let of = |name: &str, text: &str| describe(Path::new(name), text.as_bytes());
        let locustfile = of("locustfile.py", "import time\nfrom locust import HttpUser\n");
        let locustfile = locustfile.expect("it is known");
        assert!(locustfile.contains("a locustfile, Python source"), "{locustfile}");
        assert!(locustfile.contains("scenarios/website-py/README.md"), "{locustfile}");
        let cases = [
            ("a/b.PY", "Python source"),
            ("scenario.js", "JavaScript source"),
            ("scenario.ts", "TypeScript source"),
            ("main.go", "Go source"),
            ("lib.rs", "Rust source"),
        ];
        for (name, part) in cases {
            let told = of(name, "").expect(name);
            assert!(told.contains(part) && told.contains("README.md"), "{name}: {told}");
        }
        assert_eq!(of("locustfile", "from locust import HttpUser"), None);
        assert_eq!(of("really.py", "\0asm\r\0\x01\0"), None, "whatever its name is");
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
