//! The generated code that is checked in is what the schema says.

#![forbid(unsafe_code)]

use std::path::Path;

const FIX: &str = "run `SWARM_BLESS=1 cargo test --release -p swarm-wire --test schema` and \
                   check in src/generated/swarm_capnp.rs";

/// Needs the `capnp` tool and its standard schemas (Debian: `capnproto` and `libcapnp-dev`).
#[test]
fn generated_code_is_current() {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = tempfile::tempdir().unwrap();
    capnpc::CompilerCommand::new()
        .src_prefix(crate_dir.join("schema"))
        .file(crate_dir.join("schema/swarm.capnp"))
        .output_path(output.path())
        .default_parent_module(vec!["generated".into()])
        .run()
        .expect("install the capnp tool (Debian: apt-get install capnproto libcapnp-dev)");

    let fresh = std::fs::read_to_string(output.path().join("swarm_capnp.rs")).unwrap();
    let checked_in = crate_dir.join("src/generated/swarm_capnp.rs");
    if std::env::var_os("SWARM_BLESS").is_some() {
        std::fs::write(&checked_in, &fresh).unwrap();
    }
    let current = std::fs::read_to_string(&checked_in).unwrap_or_default();
    assert!(current == fresh, "schema/swarm.capnp has changed: {FIX}");
}
