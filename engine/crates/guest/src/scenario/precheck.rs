//! What can be said of a file before it is compiled, which may take long: is it a sound component,
//! and one of our world?

use wasmtime_environ::wasmparser::{BinaryReaderError, Parser, Payload, Validator, WasmFeatures};

use crate::scenario::module::{ModuleError, check_exported, check_version, first_line};

/// Checks what the compiler would refuse, in a fraction of its time.
pub(crate) fn check(bytes: &[u8]) -> Result<(), ModuleError> {
    let invalid = |error: BinaryReaderError| ModuleError::Invalid(first_line(&error.to_string()));
    // What this build does not run, the compiler refuses.
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    validator.validate_all(bytes).map_err(invalid)?;
    let (mut imports, mut exports, mut depth) = (Vec::new(), Vec::new(), 0_u32);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(invalid)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    imports.push(import.map_err(invalid)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    exports.push(export.map_err(invalid)?.name.name);
                }
            }
            _ => {}
        }
    }
    check_version(&imports)?;
    check_exported(|name| exports.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEBSITE: &[u8] = include_bytes!("../../../../assets/website.wasm");

    #[test]
    fn a_scenario_passes() {
        check(WEBSITE).unwrap();
    }

    #[test]
    fn what_the_compiler_would_refuse_is_refused() {
        let cut = check(&WEBSITE[..WEBSITE.len() - 100]).unwrap_err();
        assert!(matches!(cut, ModuleError::Invalid(_)), "{cut}");
        let component = |text: &str| check(&wat::parse_str(text).unwrap()).unwrap_err();
        let other = component("(component)");
        assert!(matches!(other, ModuleError::OtherWorld { .. }), "{other}");
        let import = r#"(component (import "swarm:scenario/log@0.9.0" (instance)))"#;
        let newer = component(import);
        assert!(matches!(newer, ModuleError::OtherVersion { .. }), "{newer}");
        // What is inside of it does not count.
        let within = r#"(component (component (import "swarm:scenario/log@0.9.0" (instance))))"#;
        assert!(matches!(component(within), ModuleError::OtherWorld { .. }));
    }
}
