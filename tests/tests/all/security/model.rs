//! The threat model: each of its lines names tests, and each of them is there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Names of functions in all Rust files below a folder, as far as tests are likely there.
fn functions(folder: &Path, found: &mut BTreeSet<String>) {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    for entry in entries.map(|entry| entry.expect("it can be listed").path()) {
        let name = entry.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if entry.is_dir() && !matches!(name, "target" | "node_modules" | ".git" | "generated") {
            functions(&entry, found);
        } else if name.ends_with(".rs") {
            let text = std::fs::read_to_string(&entry).expect("sources are texts");
            let (mut is_test, mut in_list) = (false, false);
            for line in text.lines().map(str::trim) {
                if line == "by_either_backend! {" {
                    in_list = true;
                } else if in_list {
                    in_list = line != "}";
                    found.insert(line.trim_end_matches(',').to_owned());
                } else if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                    is_test = true;
                } else if let Some(name) = line.split("fn ").nth(1).filter(|_| is_test) {
                    found.insert(name.split('(').next().unwrap_or_default().to_owned());
                    is_test = false;
                }
            }
        }
    }
}

#[test]
fn every_line_of_the_threat_model_has_a_test() {
    let text = std::fs::read_to_string(root().join("engine/THREAT_MODEL.md")).expect("it is there");
    let mut tests = BTreeSet::new();
    functions(&root().join("engine"), &mut tests);
    functions(&root().join("tests"), &mut tests);
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| threat"));
    let rows: Vec<_> = rows.filter(|line| !line.starts_with("| --")).collect();
    assert!(rows.len() > 20, "only {} lines", rows.len());
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").collect();
        assert_eq!(cells.len(), 3, "{row}");
        let names: Vec<_> = cells[2].split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test in: {row}");
        for name in names {
            assert!(tests.contains(name), "there is no test {name:?}, named in: {row}");
        }
    }
}
