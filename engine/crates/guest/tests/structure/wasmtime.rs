//! What relies on the inside of wasmtime is listed in `engine/WASMTIME.md`, for the release that it
//! was checked with.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::sources;

/// The release that the places in the document have been checked with.
const VERSION: &str = "48.0.8";

/// Stands in each file that relies on more than wasmtime promises.
const MARK: &str = "Relies on the inside of wasmtime";

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn wasmtime_is_the_release_that_was_checked() {
    let lock = read("../../../Cargo.lock");
    let document = read("../../WASMTIME.md");
    for name in ["wasmtime", "wasmtime-environ", "wasmtime-wasi"] {
        let entry = format!("name = \"{name}\"\nversion = \"{VERSION}\"\n");
        assert!(
            lock.contains(&entry),
            "Cargo.lock has another {name} than {VERSION}: follow the checklist in \
             engine/WASMTIME.md, whose table names the places to look at:\n{}",
            listed(&document).into_iter().collect::<Vec<_>>().join("\n")
        );
    }
    let said = format!("made for wasmtime {VERSION}.");
    assert!(document.contains(&said), "engine/WASMTIME.md is of another release than {VERSION}");
}

#[test]
fn every_place_is_listed_and_every_listed_place_is_marked() {
    let document = read("../../WASMTIME.md");
    let marked = sources().into_iter().filter(|(_, text)| text.contains(MARK));
    let marked: BTreeSet<_> = marked.map(|(name, _)| name).collect();
    assert_eq!(marked, listed(&document), "marked in the sources, and listed in WASMTIME.md");
}

/// The files in the first column of the table.
fn listed(document: &str) -> BTreeSet<String> {
    let row = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    document.lines().filter_map(row).collect()
}
