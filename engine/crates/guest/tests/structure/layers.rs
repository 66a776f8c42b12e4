//! The layers of this crate, see `lib.rs`: what is above is not used by what is below.

use crate::sources;

/// From the bottom to the top. Files and folders of `src`.
const LAYERS: [&str; 9] =
    ["contract", "engine", "bundle", "unpacked", "host", "backend", "scenario", "users", "fuzz"];

/// wit-bindgen puts our types for its resources into what it generates.
const GENERATED: [&str; 2] = ["contract/bindings.rs", "contract/bindings_async.rs"];

#[test]
fn no_layer_uses_a_higher_one() {
    let mut found = Vec::new();
    for (name, text) in sources() {
        if name != "lib.rs" && !GENERATED.contains(&name.as_str()) {
            found.extend(upward(&name, &text));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn what_goes_upwards_is_found() {
    let text = "use crate::engine::stack;\nuse crate::users::isolated;\n";
    assert_eq!(upward("host/ctx.rs", text), ["host/ctx.rs:2 uses crate::users"]);
    assert_eq!(upward("new.rs", ""), ["new.rs is in no layer"]);
    let in_tests = "#[cfg(test)]\nmod tests { use crate::users::isolated; }\n";
    let in_comments = "/// See [`crate::users`].\n";
    let root = "use crate::Module;\n";
    assert!(upward("host/ctx.rs", in_tests).is_empty());
    assert!(upward("host/ctx.rs", in_comments).is_empty());
    assert_eq!(upward("host/ctx.rs", root), ["host/ctx.rs:1 uses crate::Module"]);
}

/// What a file uses of the layers above its own, without its comments and tests. What the crate
/// exports at its root is of no layer, so nothing inside may use it from there.
fn upward(file: &str, text: &str) -> Vec<String> {
    let of = |name: &str| LAYERS.iter().position(|layer| *layer == name);
    let top = file.split('/').next().unwrap_or_default().trim_end_matches(".rs");
    let Some(own) = of(top) else { return vec![format!("{file} is in no layer")] };
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.starts_with("#[cfg(test)]") {
            break;
        }
        let code = line.split("//").next().unwrap_or_default();
        for (at, _) in code.match_indices("crate::") {
            let rest = &code[at + "crate::".len()..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            let name = &rest[..end.unwrap_or(rest.len())];
            if of(name).is_none_or(|other| other > own) {
                found.push(format!("{file}:{number} uses crate::{name}"));
            }
        }
    }
    found
}
