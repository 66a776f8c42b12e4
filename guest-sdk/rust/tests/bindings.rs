//! `src/bindings.rs` is what the generator makes of `wit/scenario.wit`, so it can't go stale.
//!
//! After a change of the contract:
//! `SWARM_WRITE_BINDINGS=1 cargo test --release -p swarm-sdk --test bindings`.

use std::path::Path;
use wit_bindgen_core::{Files, WorldGenerator, wit_parser::Resolve};
use wit_bindgen_rust::Opts;

const WIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit");
const BINDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bindings.rs");
const DENSE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bindings_dense.rs");

#[test]
fn the_shipped_bindings_are_those_of_the_contract() {
    check("scenario", BINDINGS);
}

#[test]
fn the_shipped_bindings_of_the_async_world_are_those_of_the_contract() {
    check("scenario-async", DENSE);
}

fn check(world: &str, file: &str) {
    let generated = generate(world);
    if std::env::var_os("SWARM_WRITE_BINDINGS").is_some() {
        std::fs::write(file, &generated).expect("the folder is there");
    }
    let shipped = std::fs::read_to_string(file).expect("it is shipped");
    // Not assert_eq: a thousand lines of difference help nobody.
    assert!(
        shipped == generated,
        "{file} is not what wit/ gives; write it anew with \
         SWARM_WRITE_BINDINGS=1 cargo test --release -p swarm-sdk --test bindings"
    );
}

fn generate(world: &str) -> String {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(Path::new(WIT)).expect("the contract parses");
    let world = resolve.select_world(&[package], Some(world)).expect("the world is there");
    let options = Opts {
        format: true,
        // `scenario!` expands in the author's crate, which depends on the SDK alone.
        pub_export_macro: true,
        default_bindings_module: Some("$crate::bindings".into()),
        ..Opts::default()
    };
    let mut files = Files::default();
    options
        .build()
        .generate(&mut resolve, world, &mut files)
        .expect("the generator knows the contract's types");
    let (_, bytes) =
        files.iter().find(|(name, _)| name.ends_with(".rs")).expect("the generator writes Rust");
    String::from_utf8(bytes.to_vec()).expect("source is text")
}
