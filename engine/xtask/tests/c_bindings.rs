//! `guest-sdk/c` is what the generator makes of `wit/scenario.wit`, so it can't go stale.
//!
//! After a change of the contract:
//! `SWARM_WRITE_BINDINGS=1 cargo test --release -p xtask --test c_bindings`.

use std::path::Path;
use wit_bindgen_c::Opts;
use wit_bindgen_core::{Files, wit_parser::Resolve};

const WIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit/scenario.wit");
const SDK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../guest-sdk/c");
const WORLD: &str = "scenario";

#[test]
fn the_shipped_c_bindings_are_those_of_the_contract() {
    let mut resolve = Resolve::default();
    let package = resolve.push_file(Path::new(WIT)).unwrap();
    let world = resolve.select_world(&[package], Some(WORLD)).unwrap();
    // The type comes from the contract itself, by `wasm-tools component embed`.
    let options = Opts { no_object_file: true, ..Opts::default() };
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files).unwrap();

    let mut names = Vec::new();
    for (name, generated) in files.iter() {
        let path = Path::new(SDK).join(name);
        if std::env::var_os("SWARM_WRITE_BINDINGS").is_some() {
            std::fs::write(&path, generated).unwrap();
        }
        // Not assert_eq: a thousand lines of difference help nobody.
        assert!(
            std::fs::read(&path).is_ok_and(|shipped| shipped == generated),
            "guest-sdk/c/{name} is not what wit/scenario.wit gives; write it anew with \
             SWARM_WRITE_BINDINGS=1 cargo test --release -p xtask --test c_bindings"
        );
        names.push(name.to_owned());
    }
    names.sort();
    assert_eq!(names, ["scenario.c", "scenario.h"]);
}
