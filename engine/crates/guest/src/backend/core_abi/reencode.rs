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
//! Sections are laid out as in <https://webassembly.github.io/spec/core/binary/modules.html>.

use wasmtime_environ::wasmparser::{ExternalKind, Parser, Payload, TypeRef};

/// The name of the added function. No toolchain makes one like it.
pub(super) const RUN_TO_END: &str = "swarm:run-to-end";

/// What [`RUN_TO_END`] adds to the address of an error.
pub(super) const IS_ERROR: u64 = 1 << 32;

const TYPES: u8 = 1;
const FUNCTIONS: u8 = 3;
const EXPORTS: u8 = 7;
const CODE: u8 = 10;

const I32: u8 = 0x7f;
const I64: u8 = 0x7e;

/// Indices in the module.
#[derive(Debug, Default)]
struct Indices {
    types: u32,
    functions: u32,
    run: Option<u32>,
    post_return: Option<u32>,
}

/// The module with the function added; `None` when it is not as expected.
pub(super) fn add(module: &[u8], run: &str, post_return: Option<&str>) -> Option<Vec<u8>> {
    let indices = look(module, run, post_return)?;
    if post_return.is_some() != indices.post_return.is_some() {
        return None;
    }
    let mut made = module.get(..8)?.to_vec();
    let mut rest = &module[8..];
    let mut added = 0;
    while let [id, after @ ..] = rest {
        let (size, after) = number(after)?;
        let content = after.get(..size as usize)?;
        rest = &after[size as usize..];
        let item = match *id {
            TYPES => Some(function_type()),
            FUNCTIONS => Some(leb(indices.types)),
            EXPORTS => Some(export(indices.functions)),
            CODE => Some(code(indices.run?, indices.post_return)),
            _ => None,
        };
        made.push(*id);
        match item {
            None => {
                made.extend(leb(size));
                made.extend_from_slice(content);
            }
            Some(item) => {
                let (count, items) = number(content)?;
                let count = leb(count.checked_add(1)?);
                let size = count.len() + items.len() + item.len();
                made.extend(leb(u32::try_from(size).ok()?));
                made.extend(count);
                made.extend_from_slice(items);
                made.extend(item);
                added += 1;
            }
        }
    }
    (added == 4).then_some(made)
}

fn look(module: &[u8], run: &str, post_return: Option<&str>) -> Option<Indices> {
    let mut indices = Indices::default();
    for payload in Parser::new(0).parse_all(module) {
        match payload.ok()? {
            Payload::TypeSection(types) => {
                // Of groups of types that refer to each other there is one index each.
                for group in types {
                    indices.types += u32::try_from(group.ok()?.types().len()).ok()?;
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let import = import.ok()?;
                    indices.functions += u32::from(matches!(import.ty, TypeRef::Func(_)));
                }
            }
            Payload::FunctionSection(functions) => indices.functions += functions.count(),
            Payload::ExportSection(exports) => {
                for export in exports {
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
            }
            _ => {}
        }
    }
    indices.run.is_some().then_some(indices)
}

/// `(i32, i32) -> i64`
fn function_type() -> Vec<u8> {
    vec![0x60, 2, I32, I32, 1, I64]
}

fn export(function: u32) -> Vec<u8> {
    let mut item = leb(u32::try_from(RUN_TO_END.len()).expect("a short name"));
    item.extend_from_slice(RUN_TO_END.as_bytes());
    item.push(0x00);
    item.extend(leb(function));
    item
}

fn code(run: u32, post_return: Option<u32>) -> Vec<u8> {
    const RESULT: u8 = 2;
    const THEN: u8 = 3;
    const LOCAL_GET: u8 = 0x20;
    const LOCAL_SET: u8 = 0x21;
    const LOCAL_TEE: u8 = 0x22;
    const CALL: u8 = 0x10;
    const LOAD8_U: u8 = 0x2d;
    const EXTEND_U: u8 = 0xad;
    // Two locals: the address of the result, and what it says.
    let mut body = vec![2, 1, I32, 1, I64];
    body.extend([LOCAL_GET, 0, LOCAL_GET, 1, CALL]);
    body.extend(leb(run));
    body.extend([LOCAL_TEE, RESULT, LOAD8_U, 0, 0]);
    // if (result i64): the address, with bit 32 set; 0x80 0x80 0x80 0x80 0x10 is 1 << 32.
    body.extend([0x04, I64, LOCAL_GET, RESULT, EXTEND_U]);
    body.extend([0x42, 0x80, 0x80, 0x80, 0x80, 0x10, 0x84]);
    // else
    body.extend([0x05, LOCAL_GET, RESULT, LOAD8_U, 0, 4, EXTEND_U, LOCAL_SET, THEN]);
    if let Some(post_return) = post_return {
        body.extend([LOCAL_GET, RESULT, CALL]);
        body.extend(leb(post_return));
    }
    body.extend([LOCAL_GET, THEN, 0x0b, 0x0b]);
    let mut item = leb(u32::try_from(body.len()).expect("a short function"));
    item.extend(body);
    item
}

/// An unsigned LEB128 number.
fn leb(mut value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
    bytes
}

/// Reads an unsigned LEB128 number, and what follows it.
fn number(mut bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut value = 0_u64;
    for shift in (0..35).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((u32::try_from(value).ok()?, bytes));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use wasmtime::{Engine, Instance, Module, Store};

    use super::*;

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
    fn numbers_are_read_as_they_are_written() {
        for value in [0, 1, 127, 128, 300, 1 << 21, u32::MAX] {
            assert_eq!(number(&leb(value)), Some((value, &[][..])));
        }
        assert_eq!(number(&[0xff; 5]), None);
        assert_eq!(number(&[0x80]), None);
    }
}
