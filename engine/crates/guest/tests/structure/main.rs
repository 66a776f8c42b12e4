//! How the sources of this crate hang together, and what of them hangs on wasmtime.

mod layers;
mod wasmtime;

use std::fs;
use std::path::Path;

/// The sources of this crate: their paths below `src`, and their texts.
fn sources() -> Vec<(String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut to_see = vec![src.clone()];
    while let Some(folder) = to_see.pop() {
        for entry in fs::read_dir(folder).expect("the folder can be read") {
            let path = entry.expect("its entries can be read").path();
            if path.is_dir() {
                to_see.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).expect("sources can be read");
                let name = path.strip_prefix(&src).expect("it is in there");
                found.push((name.display().to_string(), text));
            }
        }
    }
    found
}
