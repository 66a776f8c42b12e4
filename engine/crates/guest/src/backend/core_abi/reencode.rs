//! A function added to the guest's core module, so that a task is one call.
//!
//! `run` gives the address of a `result<then, string>`, and its post-return function is to be
//! called when that has been read. As two calls from outside that costs a third more than as one,
//! for each task of each user. So the module gets one more function, which is what this would be in
//! Rust:
//!
//! ```ignore
//! fn run_to_end(user: u32, task: u32) -> u64 {
//!     let result = run(user, task);
//!     if load_u8(result) != 0 {
//!         return 1 << 32 | result; // An error: it has to be read before the post-return.
//!     }
//!     let then = load_u8(result + 4);
//!     post_return(result);
//!     then
//! }
//! ```
//!
//! wasmparser reads the module and wasm-encoder writes it. Every section is copied as it is; four
//! of them get one more item behind their own: a type, a function, an export and the code.

use wasmtime_encoder::{
    BlockType, Encode, ExportKind, Function, MemArg, Module, RawSection, ValType,
};
use wasmtime_environ::wasmparser::{
    BinaryReader, CodeSectionReader, ExportSectionReader, ExternalKind, Parser, Payload,
    SectionLimited, TypeRef, TypeSectionReader,
};

/// The name of the added function. No toolchain makes one like it.
pub(super) const RUN_TO_END: &str = "swarm:run-to-end";

/// What [`RUN_TO_END`] adds to the address of an error.
pub(super) const IS_ERROR: u64 = 1 << 32;

/// What a type that is a function begins with in the binary format.
const FUNCTION_TYPE: u8 = 0x60;

/// Sections of a module that get one more item.
const SECTIONS_CHANGED: usize = 4;

/// What the sections that have been read say. They come in the order of the binary format, so each
/// number is complete when it is used.
#[derive(Debug, Default)]
struct Indices {
    types: u32,
    functions: u32,
    run: Option<u32>,
    post_return: Option<u32>,
}

/// The module with the function added; `None` when it is not as expected.
pub(super) fn add(module: &[u8], run: &str, post_return: Option<&str>) -> Option<Vec<u8>> {
    let (mut indices, mut made, mut changed) = (Indices::default(), Module::new(), 0);
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.ok()?;
        let item = match &payload {
            Payload::TypeSection(types) => {
                indices.types = count_types(types)?;
                Some(with_item(module, types, &function_type())?)
            }
            Payload::ImportSection(imports) => {
                for import in imports.clone().into_imports() {
                    let is_function = matches!(import.ok()?.ty, TypeRef::Func(_));
                    indices.functions += u32::from(is_function);
                }
                None
            }
            Payload::FunctionSection(functions) => {
                indices.functions = indices.functions.checked_add(functions.count())?;
                Some(with_item(module, functions, &encoded(indices.types))?)
            }
            Payload::ExportSection(exports) => {
                find(exports, run, post_return, &mut indices)?;
                Some(with_item(module, exports, &export(indices.functions))?)
            }
            Payload::CodeSectionStart { range, .. } => {
                let bodies = BinaryReader::new(module.get(range.clone())?, range.start);
                let bodies = CodeSectionReader::new(bodies).ok()?;
                let body = run_to_end(indices.run?, indices.post_return);
                Some(with_item(module, &bodies, &encoded(body))?)
            }
            _ => None,
        };
        changed += usize::from(item.is_some());
        if let Some((id, range)) = payload.as_section() {
            let data = item.as_deref().or_else(|| module.get(range))?;
            made.section(&RawSection { id, data });
        }
    }
    let is_whole = changed == SECTIONS_CHANGED
        && indices.run.is_some()
        && indices.post_return.is_some() == post_return.is_some();
    is_whole.then(|| made.finish())
}

/// Of groups of types that refer to each other there is one index for each.
fn count_types(types: &TypeSectionReader<'_>) -> Option<u32> {
    types.clone().into_iter().try_fold(0_u32, |count, group| {
        count.checked_add(u32::try_from(group.ok()?.types().len()).ok()?)
    })
}

/// Finds the functions that the added one calls.
fn find(
    exports: &ExportSectionReader<'_>,
    run: &str,
    post_return: Option<&str>,
    indices: &mut Indices,
) -> Option<()> {
    for export in exports.clone() {
        let export = export.ok()?;
        if export.kind != ExternalKind::Func {
            continue;
        }
        if export.name == run {
            indices.run = Some(export.index);
        }
        if Some(export.name) == post_return {
            indices.post_return = Some(export.index);
        }
    }
    Some(())
}

/// The content of a section with one more item at its end.
fn with_item<T>(module: &[u8], section: &SectionLimited<'_, T>, item: &[u8]) -> Option<Vec<u8>> {
    let mut content = encoded(section.count().checked_add(1)?);
    content.extend_from_slice(module.get(section.original_position()..section.range().end)?);
    content.extend_from_slice(item);
    Some(content)
}

fn encoded(item: impl Encode) -> Vec<u8> {
    let mut bytes = Vec::new();
    item.encode(&mut bytes);
    bytes
}

/// `(i32, i32) -> i64`
fn function_type() -> Vec<u8> {
    let mut item = vec![FUNCTION_TYPE];
    [ValType::I32, ValType::I32].as_slice().encode(&mut item);
    [ValType::I64].as_slice().encode(&mut item);
    item
}

fn export(function: u32) -> Vec<u8> {
    let mut item = encoded(RUN_TO_END);
    ExportKind::Func.encode(&mut item);
    function.encode(&mut item);
    item
}

/// The added function, as the module's documentation has it in Rust.
fn run_to_end(run: u32, post_return: Option<u32>) -> Function {
    const USER: u32 = 0;
    const TASK: u32 = 1;
    const RESULT: u32 = 2;
    const THEN: u32 = 3;
    let byte = |offset| MemArg { offset, align: 0, memory_index: 0 };
    let mut function = Function::new([(1, ValType::I32), (1, ValType::I64)]);
    let mut code = function.instructions();
    code.local_get(USER).local_get(TASK).call(run).local_tee(RESULT).i32_load8_u(byte(0));
    code.if_(BlockType::Result(ValType::I64));
    code.local_get(RESULT).i64_extend_i32_u().i64_const(IS_ERROR.cast_signed()).i64_or();
    code.else_();
    code.local_get(RESULT).i32_load8_u(byte(4)).i64_extend_i32_u().local_set(THEN);
    if let Some(post_return) = post_return {
        code.local_get(RESULT).call(post_return);
    }
    code.local_get(THEN).end().end();
    function
}

#[cfg(test)]
mod tests {
    use wasmtime::{Engine, Instance, Module, Store};
    use wasmtime_environ::wasmparser::{Validator, WasmFeatures};

    use super::{IS_ERROR, Parser, RUN_TO_END, add};

    const GUEST: &str = r#"(module
        (memory (export "memory") 1)
        (global $freed (mut i32) (i32.const 0))
        (data (i32.const 16) "\00\00\00\00\03")
        (data (i32.const 32) "\01\00\00\00\40\00\00\00\05\00\00\00")
        (func (export "run") (param $user i32) (param $task i32) (result i32)
            (select (i32.const 32) (i32.const 16) (local.get $task)))
        (func (export "post") (param $at i32) (global.set $freed (local.get $at)))
        (func (export "freed") (result i32) (global.get $freed)))"#;

    fn run(post_return: Option<&str>, task: u32) -> (u64, u32) {
        let module = wat::parse_str(GUEST).unwrap();
        let module = add(&module, "run", post_return).expect("an ordinary module");
        let engine = Engine::default();
        let module = Module::new(&engine, module).expect("it is still a module");
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let run = instance.get_typed_func::<(u32, u32), u64>(&mut store, RUN_TO_END).unwrap();
        let answer = run.call(&mut store, (7, task)).unwrap();
        let freed = instance.get_typed_func::<(), u32>(&mut store, "freed").unwrap();
        (answer, freed.call(&mut store, ()).unwrap())
    }

    #[test]
    fn what_comes_next_is_read_and_then_the_guest_may_forget_it() {
        assert_eq!(run(Some("post"), 0), (3, 16));
        assert_eq!(run(None, 0), (3, 0));
    }

    #[test]
    fn an_error_is_left_for_the_host_to_read() {
        assert_eq!(run(Some("post"), 1), (IS_ERROR | 32, 0));
    }

    #[test]
    fn the_rest_of_the_module_is_left_as_it_is() {
        let text = r#"(module
            (rec (type (func)) (type (struct (field i32))))
            (type (func (param i32 i32) (result i32)))
            (import "host" "a" (func (type 0)))
            (import "host" "m" (memory 1))
            (table 1 funcref)
            (global (export "g") i64 (i64.const 7))
            (func (export "run") (type 2) (call 0) (i32.const 300))
            (func (export "post") (param i32))
            (@custom "c" "content"))"#;
        let module = wat::parse_str(text).unwrap();
        let made = add(&module, "run", Some("post")).expect("an ordinary module");
        let sections = |module: &[u8]| -> Vec<(u8, Vec<u8>)> {
            let payloads = Parser::new(0).parse_all(module);
            let sections = payloads.filter_map(|payload| payload.unwrap().as_section());
            sections.map(|(id, range)| (id, module[range].to_vec())).collect()
        };
        let (before, after) = (sections(&module), sections(&made));
        assert_eq!(before.len(), after.len());
        let changed = before.iter().zip(&after).filter(|(before, after)| before != after);
        let changed: Vec<u8> = changed.map(|((id, _), _)| *id).collect();
        assert_eq!(changed, [1, 3, 7, 10], "types, functions, exports and code");
        Validator::new_with_features(WasmFeatures::all()).validate_all(&made).unwrap();
    }

    #[test]
    fn a_module_without_the_functions_is_refused() {
        let module = wat::parse_str(GUEST).unwrap();
        assert_eq!(add(&module, "runs", None), None);
        assert_eq!(add(&module, "run", Some("posts")), None);
        assert_eq!(add(&module, "memory", None), None);
        assert_eq!(add(&module[..module.len() - 1], "run", None), None);
    }
}
