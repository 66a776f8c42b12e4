//! Which features of others' crates are compiled in, by `cargo tree`: for the machine that the
//! program runs on, so without macros and build scripts.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// What is built by itself, each in a command of its own: it should compile wasmtime only once.
const SELECTIONS: [&[&str]; 4] = [
    &["-p", "swarm", "-e", "normal,no-proc-macro"],
    &["-p", "swarm-guest", "-e", "normal,dev,no-proc-macro"],
    &["-p", "swarm-node", "-e", "normal,dev,no-proc-macro"],
    &["--workspace", "-e", "normal,dev,no-proc-macro"],
];

/// Packages with their versions, and all sets of features that they are
/// compiled with.
fn features(selection: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--locked", "--prefix", "none", "-f", "{p}|{f}"]).args(selection);
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let output = tree.current_dir(root).output().expect("cargo is here, for it built this");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut features = BTreeMap::<_, BTreeSet<_>>::new();
    for line in String::from_utf8(output.stdout).expect("names are text").lines() {
        if let Some((package, list)) = line.split_once('|') {
            let list = list.trim_end_matches(" (*)").to_owned();
            features.entry(package.to_owned()).or_default().insert(list);
        }
    }
    features
}

/// The sets of features of a package by its name.
fn of(name: &str, all: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let start = format!("{name} v");
    let found = all.iter().filter(|(package, _)| package.starts_with(&start));
    found.flat_map(|(_, lists)| lists).flat_map(|list| list.split(',').map(str::to_owned)).collect()
}

#[test]
fn the_program_has_nothing_in_it_that_only_tests_use() {
    let program = features(SELECTIONS[0]);
    let tokio = of("tokio", &program);
    assert!(tokio.contains("rt"), "{tokio:?}");
    assert!(!tokio.contains("test-util"), "{tokio:?}");
    let wasmtime = of("wasmtime", &program);
    assert!(wasmtime.contains("cranelift"), "{wasmtime:?}");
    assert!(!wasmtime.contains("pooling-allocator"), "{wasmtime:?}");
    for tests_only in ["proptest", "vt100", "wat"] {
        assert!(of(tests_only, &program).is_empty(), "{tests_only}");
    }
}

/// wasmtime takes minutes. It is compiled again when a command wants another feature of any package
/// below it: the crates that `swarm-guest` names for no other reason prevent that.
#[test]
fn every_command_compiles_the_same_wasmtime() {
    let below = features(&["-p", "wasmtime", "-e", "normal,no-proc-macro"]);
    assert!(below.len() > 50, "wasmtime is more than {} packages", below.len());
    let program = features(SELECTIONS[0]);
    for selection in &SELECTIONS[1..] {
        let other = features(selection);
        for package in below.keys() {
            if let (Some(one), Some(two)) = (program.get(package), other.get(package)) {
                assert_eq!(
                    one, two,
                    "{package} has other features by {selection:?} than in the program: have \
                     engine/crates/guest/Cargo.toml name it with all of them"
                );
            }
        }
    }
}
