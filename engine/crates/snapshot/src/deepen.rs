//! Has a function take more of the shadow stack.
//!
//! CPython guards itself against running out of stack by the address of a local variable. In
//! WebAssembly only what has an address lies on the stack that has addresses, the shadow stack; a
//! function that needs none recurses unseen, until the real stack ends, and with it the instance.
//! What frees objects is such a function: a list of a list of a list, 100,000 deep. With some bytes
//! of shadow stack for each call it is seen, and frees the rest later.

use anyhow::{Context, Result, ensure};
use wasm_encoder::{CodeSection, Function, FunctionSection, Instruction, Module, RawSection};
use wasmparser::{ExternalKind, Parser, Payload, TypeRef};

/// The module, with a function (of one `i32`, without a result) that takes `bytes` more.
///
/// The function that is there gets another number, and another one in its place moves the stack
/// pointer around a call of it: so everybody who calls it comes by.
pub(crate) fn deepen(module: &[u8], name: &str, bytes: u32) -> Result<Vec<u8>> {
    let (facts, count) = facts(module, name)?;
    let own = facts.function.checked_sub(facts.imported).context("it is imported")?;
    let moved = facts.imported + count;
    let mut deepened = Module::new();
    let (mut code, mut index, mut original) = (CodeSection::new(), 0, None);
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        let section = payload.as_section();
        match payload {
            Payload::FunctionSection(section) => {
                let mut functions = FunctionSection::new();
                let mut types = section.into_iter().collect::<Result<Vec<_>, _>>()?;
                types.push(types[own as usize]);
                for ty in types {
                    functions.function(ty);
                }
                deepened.section(&functions);
            }
            Payload::CodeSectionStart { .. } => {}
            Payload::CodeSectionEntry(body) => {
                let range = body.range();
                let body = &module[usize::try_from(range.start)?..usize::try_from(range.end)?];
                if index == own {
                    original = Some(body);
                    code.function(&around(moved, facts.stack_pointer, bytes)?);
                } else {
                    code.raw(body);
                }
                index += 1;
                if index == count {
                    code.raw(original.context("the function has no body")?);
                    deepened.section(&code);
                }
            }
            _ => {
                if let Some((id, range)) = section {
                    let range = usize::try_from(range.start)?..usize::try_from(range.end)?;
                    deepened.section(&RawSection { id, data: &module[range] });
                }
            }
        }
    }
    Ok(deepened.finish())
}

/// What has to be known of the module.
struct Facts {
    /// The function's number.
    function: u32,
    imported: u32,
    /// The stack pointer's number among globals.
    stack_pointer: u32,
}

/// And how many functions it has of its own.
fn facts(module: &[u8], name: &str) -> Result<(Facts, u32)> {
    let (mut function, mut imported, mut globals, mut count) = (None, 0, 0, 0);
    let mut stack_pointer = None;
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    match import.ty {
                        TypeRef::Func(_) => imported += 1,
                        TypeRef::Global(_) => {
                            if import.name == "__stack_pointer" {
                                stack_pointer = Some(globals);
                            }
                            globals += 1;
                        }
                        _ => {}
                    }
                }
            }
            Payload::FunctionSection(section) => count = section.count(),
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    if export.name == name && export.kind == ExternalKind::Func {
                        function = Some(export.index);
                    }
                }
            }
            _ => {}
        }
    }
    let function = function.with_context(|| format!("it exports no function {name}"))?;
    let stack_pointer = stack_pointer.context("it imports no __stack_pointer")?;
    ensure!(count > 0, "it has no function of its own");
    Ok((Facts { function, imported, stack_pointer }, count))
}

/// Calls a function with less stack.
fn around(function: u32, stack_pointer: u32, bytes: u32) -> Result<Function> {
    ensure!(bytes.is_multiple_of(16), "the stack is aligned to 16 bytes");
    let bytes = i32::try_from(bytes)?;
    let mut around = Function::new([]);
    for instruction in [
        Instruction::GlobalGet(stack_pointer),
        Instruction::I32Const(bytes),
        Instruction::I32Sub,
        Instruction::GlobalSet(stack_pointer),
        Instruction::LocalGet(0),
        Instruction::Call(function),
        Instruction::GlobalGet(stack_pointer),
        Instruction::I32Const(bytes),
        Instruction::I32Add,
        Instruction::GlobalSet(stack_pointer),
        Instruction::End,
    ] {
        around.instruction(&instruction);
    }
    Ok(around)
}

#[cfg(test)]
mod tests {
    use wasmtime::{Engine, Global, GlobalType, Instance, Module, Mutability, Store, Val, ValType};

    use super::*;

    #[test]
    fn each_call_takes_the_bytes_and_gives_them_back() {
        let module = wat::parse_str(
            r#"(module
                (import "env" "__stack_pointer" (global $sp (mut i32)))
                (global $lowest (export "lowest") (mut i32) (i32.const 0))
                (func (export "other"))
                (func $down (export "down") (param i32)
                    (global.set $lowest (global.get $sp))
                    (if (local.get 0) (then
                        (call $down (i32.sub (local.get 0) (i32.const 1)))))))"#,
        );
        let deepened = deepen(&module.unwrap(), "down", 64).unwrap();
        let engine = Engine::default();
        let mut store = Store::new(&engine, ());
        let ty = GlobalType::new(ValType::I32, Mutability::Var);
        let pointer = Global::new(&mut store, ty, Val::I32(10_000)).unwrap();
        let module = Module::new(&engine, deepened).unwrap();
        let instance = Instance::new(&mut store, &module, &[pointer.into()]).unwrap();
        let down = instance.get_typed_func::<i32, ()>(&mut store, "down").unwrap();
        down.call(&mut store, 9).unwrap();
        let lowest = instance.get_global(&mut store, "lowest").unwrap();
        assert_eq!(lowest.get(&mut store).unwrap_i32(), 10_000 - 10 * 64);
        assert_eq!(pointer.get(&mut store).unwrap_i32(), 10_000);
    }

    #[test]
    fn what_is_not_there_is_named() {
        let module = wat::parse_str(r#"(module (func (export "f")))"#).unwrap();
        assert!(deepen(&module, "g", 16).unwrap_err().to_string().contains("no function g"));
        assert!(deepen(&module, "f", 16).unwrap_err().to_string().contains("__stack_pointer"));
    }
}
