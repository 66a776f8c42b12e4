//! Puts a memory into a component: what its instances begin with.
//!
//! The component is one that `wasm-tools component link` has made, and its shape is relied upon:
//! core modules that share one memory, which the first of them defines; the last one's start
//! function first adds the base of each library to the addresses of what it exports, and then
//! calls what initialises the libraries. Of that function the additions stay, as globals begin
//! anew in each instance; everything that writes to memory goes: start functions, data segments,
//! and those calls. Anything else is an error.
//!
//! The state that globals hold is the adapter's to WASI, which makes itself anew when it finds
//! nothing there, and the stack pointer, which `prepare` has brought back to where it was.

use anyhow::{Context, Result, bail, ensure};
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    CodeSection, Component, ConstExpr, DataSection, Function, MemorySection, Module, ModuleSection,
    RawSection,
};
use wasmparser::{Operator, Parser, Payload, TypeRef};

/// Zeros in a row that end a segment: what begins a new one costs as much as these.
const ZEROS_MIN: usize = 64;

/// The number of the section that holds another component.
const COMPONENT: u8 = 4;

/// Page of a memory in bytes.
const PAGE_BYTES: usize = 64 << 10;

/// The component, with `memory` as what its instances begin with.
pub(crate) fn keep(component: &[u8], memory: &[u8]) -> Result<Vec<u8>> {
    ensure!(memory.len().is_multiple_of(PAGE_BYTES), "the memory is not whole pages");
    let mut kept = Component::new();
    let (mut depth, mut memories) = (0, 0);
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload?;
        let section = payload.as_section();
        match payload {
            Payload::ModuleSection { unchecked_range, .. } if depth == 0 => {
                let module = Kept::new(&component[range(&unchecked_range)?], memory)?;
                memories += usize::from(module.has_memory);
                kept.section(&ModuleSection(&module.module));
                depth += 1;
            }
            Payload::ComponentSection { unchecked_range, .. } if depth == 0 => {
                kept.section(&RawSection {
                    id: COMPONENT,
                    data: &component[range(&unchecked_range)?],
                });
                depth += 1;
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) if depth > 0 => depth -= 1,
            _ => {
                if let Some((id, part)) = section.filter(|_| depth == 0) {
                    kept.section(&RawSection { id, data: &component[range(&part)?] });
                }
            }
        }
    }
    ensure!(memories == 1, "{memories} core modules define a memory, not one");
    Ok(kept.finish())
}

/// A core module without what writes to memory.
struct Kept {
    module: Module,
    has_memory: bool,
}

impl Kept {
    fn new(bytes: &[u8], memory: &[u8]) -> Result<Self> {
        let mut kept = Self { module: Module::new(), has_memory: false };
        let start = Start::of(bytes)?;
        let (mut function, mut code) = (0, CodeSection::new());
        let mut functions = 0;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            let section = payload.as_section();
            match payload {
                Payload::DataCountSection { .. } | Payload::DataSection(_) => {}
                Payload::StartSection { func: function_index, .. } => {
                    if start.is_some() {
                        kept.module.section(&wasm_encoder::StartSection { function_index });
                    }
                }
                Payload::MemorySection(section) => kept.memories(section, memory)?,
                Payload::CodeSectionStart { count, .. } => functions = count,
                Payload::CodeSectionEntry(body) => {
                    match &start {
                        Some(start) if start.own == function => {
                            code.function(&start.additions);
                        }
                        _ => {
                            code.raw(&bytes[range(&body.range())?]);
                        }
                    }
                    function += 1;
                    if function == functions {
                        kept.module.section(&code);
                    }
                }
                _ => {
                    if let Some((id, part)) = section {
                        kept.module.section(&RawSection { id, data: &bytes[range(&part)?] });
                    }
                }
            }
        }
        if kept.has_memory {
            kept.module.section(&segments(memory)?);
        }
        Ok(kept)
    }

    fn memories(
        &mut self,
        section: wasmparser::MemorySectionReader<'_>,
        memory: &[u8],
    ) -> Result<()> {
        let mut memories = MemorySection::new();
        for ty in section {
            let mut ty = ty?;
            ty.initial = u64::try_from(memory.len() / PAGE_BYTES)?;
            memories.memory(RoundtripReencoder.memory_type(ty)?);
        }
        ensure!(memories.len() == 1 && !self.has_memory, "a core module has several memories");
        self.has_memory = true;
        self.module.section(&memories);
        Ok(())
    }
}

/// A start function of which something stays.
struct Start {
    /// Its number among the functions that are not imported.
    own: u32,
    additions: Function,
}

impl Start {
    /// None where there is no start function, or nothing of it stays.
    fn of(module: &[u8]) -> Result<Option<Self>> {
        let (mut imported, mut own, mut function) = (0, None, 0);
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        imported += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                    }
                }
                Payload::StartSection { func, .. } => {
                    own = Some(func.checked_sub(imported).context("it starts with an import")?);
                }
                Payload::CodeSectionEntry(body) => {
                    if let Some(own) = own.filter(|&own| own == function) {
                        let additions = additions(&body)?;
                        return Ok(additions.map(|additions| Self { own, additions }));
                    }
                    function += 1;
                }
                _ => {}
            }
        }
        Ok(None)
    }
}

fn range(part: &std::ops::Range<u64>) -> Result<std::ops::Range<usize>> {
    Ok(usize::try_from(part.start)?..usize::try_from(part.end)?)
}

/// What a start function does before its first call, if that is only to add globals to globals.
/// None if it begins with anything else: it writes to memory then.
fn additions(body: &wasmparser::FunctionBody<'_>) -> Result<Option<Function>> {
    let mut kept = Function::new([]);
    let mut operators = body.get_operators_reader()?;
    let mut found = false;
    while !operators.eof() {
        match operators.read()? {
            Operator::Call { .. } => break,
            operator @ (Operator::GlobalGet { .. }
            | Operator::GlobalSet { .. }
            | Operator::I32Add) => {
                found = true;
                kept.instruction(&RoundtripReencoder.instruction(operator)?);
            }
            Operator::End => break,
            _ if found => bail!("a start function does more than to add globals to globals"),
            _ => return Ok(None),
        }
    }
    kept.instructions().end();
    Ok(found.then_some(kept))
}

/// The parts of a memory that are not zero.
fn segments(memory: &[u8]) -> Result<DataSection> {
    let mut data = DataSection::new();
    let mut at = 0;
    while let Some(begin) = memory[at..].iter().position(|&byte| byte != 0) {
        let begin = at + begin;
        let (mut end, mut zeros) = (begin, 0);
        for (index, &byte) in memory.iter().enumerate().skip(begin) {
            if byte != 0 {
                (end, zeros) = (index + 1, 0);
            } else {
                zeros += 1;
                if zeros >= ZEROS_MIN {
                    break;
                }
            }
        }
        let place = i32::try_from(begin).context("the memory is larger than 2 GiB")?;
        data.active(0, &ConstExpr::i32_const(place), memory[begin..end].iter().copied());
        at = end;
    }
    Ok(data)
}

#[cfg(test)]
mod tests {
    use wasmtime::{Engine, Instance, Module as Compiled, Store};

    use super::*;

    /// What an instance of a core module has in memory at 8, and in its global, after a start.
    fn begun(module: &[u8]) -> (i32, i32, u64) {
        let engine = Engine::default();
        let mut store = Store::new(&engine, ());
        let module = Compiled::new(&engine, module).unwrap();
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        let mut bytes = [0; 4];
        memory.read(&store, 8, &mut bytes).unwrap();
        let global = instance.get_global(&mut store, "address").unwrap().get(&mut store);
        (i32::from_le_bytes(bytes), global.unwrap_i32(), memory.size(&store))
    }

    #[test]
    fn what_wrote_to_memory_is_gone_and_addresses_are_made_anew() {
        let module = wat::parse_str(
            r#"(module
                (memory (export "memory") 1)
                (global $base i32 (i32.const 100))
                (global $address (export "address") (mut i32) (i32.const 5))
                (data (i32.const 8) "\01")
                (start $start)
                (func $start
                    (global.set $address (i32.add (global.get $base) (global.get $address)))
                    call $init)
                (func $init (i32.store (i32.const 8) (i32.const 99))))"#,
        );
        let module = module.unwrap();
        assert_eq!(begun(&module), (99, 105, 1));
        let mut memory = vec![0; 2 * PAGE_BYTES];
        memory[8] = 7;
        memory[2 * PAGE_BYTES - 1] = 1;
        let kept = Kept::new(&module, &memory).unwrap();
        assert!(kept.has_memory);
        assert_eq!(begun(&kept.module.finish()), (7, 105, 2));
    }

    #[test]
    fn a_start_that_only_writes_to_memory_is_left_out() {
        let module = wat::parse_str(
            r#"(module
                (memory (export "memory") 1)
                (global (export "address") i32 (i32.const 5))
                (start $start)
                (func $start (i32.store (i32.const 8) (i32.const 99))))"#,
        );
        let kept = Kept::new(&module.unwrap(), &vec![0; PAGE_BYTES]).unwrap();
        assert_eq!(begun(&kept.module.finish()), (0, 5, 1));
    }

    #[test]
    fn a_component_needs_one_memory() {
        let none = wat::parse_str("(component (core module))").unwrap();
        let error = keep(&none, &[]).unwrap_err().to_string();
        assert!(error.contains("0 core modules define a memory"), "{error}");
        let two = wat::parse_str("(component (core module (memory 1)) (core module (memory 1)))");
        assert!(keep(&two.unwrap(), &[]).is_err());
    }
}
