//! What a component is made of: which core module holds the guest, and which host function stands
//! behind each of its imports.
//!
//! wasmtime's own translation of the component is read, so nothing here depends on names that a
//! toolchain chose. A component is flat when it is what `wit-component` makes of one core module:
//! the module itself, and two small ones around it (the *shim* and the *fixup*) by which it can
//! import functions that want its memory before it has one. A function of the shim does nothing but
//! call the one that the fixup has put into its table, so each can be resolved here.
//!
//! Relies on the inside of wasmtime: see `engine/WASMTIME.md`.

use std::collections::HashMap;

use wasmtime_environ::component::{
    CanonicalOptions, Component, ComponentTranslation, ComponentTypesBuilder, CoreDef, Export,
    ExportItem, GlobalInitializer, InstantiateModule, LoweredIndex, RuntimeImportIndex,
    RuntimeInstanceIndex, StringEncoding, Trampoline, Translator, TypeResourceTable,
    UnsafeIntrinsic,
};
use wasmtime_environ::wasmparser::{Chunk, Parser, Payload, Validator, WasmFeatures};
use wasmtime_environ::{
    EntityIndex, ModuleStartup, ModuleTranslation, PrimaryMap, ScopeVec, StaticModuleIndex,
    Tunables,
};

use crate::backend::Obstacle;

/// The interface of what the canonical ABI itself offers.
pub(crate) const CANON: &str = "canon";

/// The table of the shim, as `wit-component` calls it.
const SHIM_TABLE: &str = "$imports";

/// Core modules of a flat component that is more than one: shim, guest, fixup.
const PARTS: usize = 3;

/// A function of the world, as the component calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function {
    /// Such as `swarm:scenario/http@0.1.0`, or [`CANON`].
    pub(crate) interface: String,
    /// Such as `[method]client.get`, with `[async-lower]` before it if it is called without waiting
    /// for it; `[resource-drop]client` gives a handle back. Of [`CANON`] the name of the built-in,
    /// `task.return` with the number of its results.
    pub(crate) name: String,
}

/// An import of the guest's core module.
#[derive(Debug, Clone)]
pub(crate) struct Import {
    pub(crate) module: String,
    pub(crate) field: String,
    pub(crate) function: Function,
}

/// An exported function of the world: its name in the core module, that of the function that is
/// called with its result when that has been read, and of the one that is called when something has
/// happened that its task waits for.
#[derive(Debug, Clone)]
pub(crate) struct Exported {
    pub(crate) name: String,
    pub(crate) post_return: Option<String>,
    pub(crate) callback: Option<String>,
}

/// A flat component.
#[derive(Debug)]
pub(crate) struct Structure<'a> {
    /// The guest's core module.
    pub(crate) module: &'a [u8],
    pub(crate) imports: Vec<Import>,
    /// By name.
    pub(crate) exports: HashMap<String, Exported>,
    pub(crate) memory: String,
    pub(crate) realloc: Option<String>,
}

/// Gives `then` what it is made of, if it is flat. `concurrent`: its functions may be asynchronous.
pub(crate) fn read<T>(
    component: &[u8],
    concurrent: bool,
    then: impl FnOnce(&Structure<'_>) -> Result<T, Obstacle>,
) -> Result<T, Obstacle> {
    check_parts(component)?;
    let scope = ScopeVec::new();
    let tunables = Tunables::default_host();
    let mut features = WasmFeatures::default();
    features.set(WasmFeatures::CM_ASYNC, concurrent);
    let mut validator = Validator::new_with_features(features);
    let mut types = ComponentTypesBuilder::new(&validator);
    let translator = Translator::new(&tunables, &mut validator, &mut types, &scope);
    let (translation, modules) =
        translator.translate(component).map_err(|_| Obstacle::Shape("it cannot be translated"))?;
    let reader = Reader { types: &types, translation: &translation, modules: &modules, concurrent };
    then(&reader.structure()?)
}

/// Has it as many core modules as a flat one? Only the headers of its sections are read: language
/// runtimes bring megabytes, which need not be translated to see that.
fn check_parts(component: &[u8]) -> Result<(), Obstacle> {
    let (mut parser, mut rest, mut modules) = (Parser::new(0), component, 0);
    while let Ok(Chunk::Parsed { consumed, payload }) = parser.parse(rest, true) {
        let skipped = match payload {
            Payload::ModuleSection { unchecked_range, .. } => {
                modules += 1;
                unchecked_range.len()
            }
            Payload::ComponentSection { .. } => return Err(Obstacle::Components),
            Payload::End(_) if matches!(modules, 1 | PARTS) => return Ok(()),
            Payload::End(_) => return Err(Obstacle::CoreModules(modules)),
            _ => 0,
        };
        let Some(after) = rest.get(consumed + skipped..) else { break };
        rest = after;
    }
    Err(Obstacle::Shape("it is truncated"))
}

struct Reader<'a, 'data> {
    types: &'a ComponentTypesBuilder,
    translation: &'a ComponentTranslation,
    modules: &'a PrimaryMap<StaticModuleIndex, ModuleTranslation<'data>>,
    concurrent: bool,
}

/// A core module as the component instantiates it.
struct Part<'a, 'data> {
    instance: RuntimeInstanceIndex,
    module: &'a ModuleTranslation<'data>,
    arguments: &'a [CoreDef],
}

impl<'a, 'data> Reader<'a, 'data> {
    fn component(&self) -> &'a Component {
        &self.translation.component
    }

    fn structure(&self) -> Result<Structure<'data>, Obstacle> {
        let parts = self.parts()?;
        let (shim, main, fixup) = match parts.as_slice() {
            [main] => (None, main, None),
            [shim, main, fixup] if is_shim(shim) && is_fixup(fixup) => {
                (Some(shim), main, Some(fixup))
            }
            _ => {
                return Err(Obstacle::Shape(
                    "its core modules are not one, its shim and its fixup",
                ));
            }
        };
        let imports = main.module.module.imports().zip(main.arguments);
        let imports = imports.map(|((module, field, _), argument)| {
            let behind = resolve(argument, shim, fixup);
            let function = behind.and_then(|behind| self.function(&behind));
            let function = function.ok_or_else(|| Obstacle::Import {
                interface: module.to_owned(),
                function: field.to_owned(),
            })?;
            Ok(Import { module: module.to_owned(), field: field.to_owned(), function })
        });
        let imports = imports.collect::<Result<Vec<_>, Obstacle>>()?;
        let exports = self.component().exports.raw_iter();
        let functions =
            exports.filter_map(|(name, (index, _))| match &self.component().export_items[*index] {
                Export::LiftedFunction { func, options, .. } => Some(
                    self.exported(main, func, &self.component().options[*options])
                        .map(|exported| (name.to_string(), exported)),
                ),
                _ => None,
            });
        let exports = functions
            .collect::<Option<HashMap<_, _>>>()
            .ok_or(Obstacle::Shape("its exports are not those of its core module"))?;
        let memory = self
            .memory(main)
            .ok_or(Obstacle::Shape("its functions do not share one memory of its core module"))?;
        let realloc = self
            .realloc(main)
            .ok_or(Obstacle::Shape("its functions do not share one way to make room"))?;
        Ok(Structure { module: main.module.wasm, imports, exports, memory, realloc })
    }

    /// The core modules in the order in which they are instantiated. The component must do nothing
    /// else.
    fn parts(&self) -> Result<Vec<Part<'a, 'data>>, Obstacle> {
        let component = self.component();
        if component.num_runtime_component_instances != 1 {
            return Err(Obstacle::Components);
        }
        if component.num_resources as usize != component.imported_resources.len() {
            return Err(Obstacle::Shape("it has resources of its own"));
        }
        if !component.options.values().all(|options| self.is_plain(options)) {
            let what = "its functions have another encoding of strings, or are asynchronous where \
                        its world has none";
            return Err(Obstacle::Shape(what));
        }
        let mut parts = Vec::new();
        for initializer in &component.initializers {
            match initializer {
                GlobalInitializer::InstantiateModule(InstantiateModule::Static(at, args), _) => {
                    let index = u32::try_from(parts.len()).expect("there are few");
                    let instance = RuntimeInstanceIndex::from_u32(index);
                    let module = &self.modules[*at];
                    parts.push(Part { instance, module, arguments: args });
                }
                GlobalInitializer::LowerImport { .. }
                | GlobalInitializer::ExtractMemory(_)
                | GlobalInitializer::ExtractRealloc(_)
                | GlobalInitializer::ExtractCallback(_)
                | GlobalInitializer::ExtractPostReturn(_) => {}
                _ => return Err(Obstacle::Shape("its instantiation does more than link modules")),
            }
        }
        Ok(parts)
    }

    /// The one memory that functions are lifted and lowered with.
    fn memory(&self, main: &Part<'_, '_>) -> Option<String> {
        let mut names = self.component().initializers.iter().filter_map(|initializer| {
            let GlobalInitializer::ExtractMemory(memory) = initializer else { return None };
            let export = CoreDef::from(memory.export.clone());
            Some(export_name(main, &export))
        });
        let name = names.next()??;
        names.all(|other| other.as_deref() == Some(&*name)).then_some(name)
    }

    /// The function that makes room in it, if there is one; the outer `None` is for several.
    #[expect(clippy::option_option, reason = "none at all is as good as one")]
    fn realloc(&self, main: &Part<'_, '_>) -> Option<Option<String>> {
        let mut names = self.component().initializers.iter().filter_map(|initializer| {
            let GlobalInitializer::ExtractRealloc(realloc) = initializer else { return None };
            Some(export_name(main, &realloc.def))
        });
        let Some(name) = names.next() else { return Some(None) };
        let name = name?;
        names.all(|other| other.as_deref() == Some(&*name)).then_some(Some(name))
    }

    fn exported(
        &self,
        main: &Part<'_, '_>,
        function: &CoreDef,
        options: &CanonicalOptions,
    ) -> Option<Exported> {
        let initializers = &self.component().initializers;
        let post_return = |wanted| {
            initializers.iter().find_map(|initializer| match initializer {
                GlobalInitializer::ExtractPostReturn(extracted) if extracted.index == wanted => {
                    export_name(main, &extracted.def)
                }
                _ => None,
            })
        };
        let callback = |wanted| {
            initializers.iter().find_map(|initializer| match initializer {
                GlobalInitializer::ExtractCallback(extracted) if extracted.index == wanted => {
                    export_name(main, &extracted.def)
                }
                _ => None,
            })
        };
        Some(Exported {
            name: export_name(main, function)?,
            post_return: match options.post_return {
                Some(wanted) => Some(post_return(wanted)?),
                None => None,
            },
            callback: match options.callback {
                Some(wanted) => Some(callback(wanted)?),
                None => None,
            },
        })
    }

    /// Strings in UTF-8, and nothing asynchronous unless it may be.
    fn is_plain(&self, options: &CanonicalOptions) -> bool {
        options.string_encoding == StringEncoding::Utf8
            && (self.concurrent || (!options.async_ && options.callback.is_none()))
    }

    /// What is behind an argument of the guest's module.
    fn function(&self, behind: &CoreDef) -> Option<Function> {
        let trampoline = match behind {
            CoreDef::Trampoline(trampoline) => *trampoline,
            CoreDef::UnsafeIntrinsic(intrinsic) => {
                let name = match intrinsic {
                    UnsafeIntrinsic::ContextGetI32_0 => "context.get",
                    UnsafeIntrinsic::ContextSetI32_0 => "context.set",
                    _ => return None,
                };
                return Some(Function { interface: CANON.to_owned(), name: name.to_owned() });
            }
            _ => return None,
        };
        match self.translation.trampolines.get(trampoline)? {
            Trampoline::LowerImport { index, options, .. } => {
                let (interface, mut name) = self.imported(self.lowered(*index)?)?;
                if self.component().options[*options].async_ {
                    name.insert_str(0, "[async-lower]");
                }
                Some(Function { interface, name })
            }
            Trampoline::ResourceDrop { ty, .. } => {
                let TypeResourceTable::Concrete { ty, .. } = self.types[*ty] else { return None };
                let import = *self.component().imported_resources.get(ty)?;
                let (interface, name) = self.imported(import)?;
                Some(Function { interface, name: format!("[resource-drop]{name}") })
            }
            other => {
                let name = self.built_in(other)?;
                Some(Function { interface: CANON.to_owned(), name })
            }
        }
    }

    fn built_in(&self, trampoline: &Trampoline) -> Option<String> {
        let name = match trampoline {
            Trampoline::TaskReturn { results, .. } => {
                return Some(format!("task.return {}", self.types[*results].types.len()));
            }
            Trampoline::TaskCancel { .. } => "task.cancel",
            Trampoline::WaitableSetNew { .. } => "waitable-set.new",
            Trampoline::WaitableSetPoll { .. } => "waitable-set.poll",
            Trampoline::WaitableSetDrop { .. } => "waitable-set.drop",
            Trampoline::WaitableJoin { .. } => "waitable.join",
            Trampoline::SubtaskDrop { .. } => "subtask.drop",
            Trampoline::SubtaskCancel { async_: false, .. } => "subtask.cancel",
            _ => return None,
        };
        Some(name.to_owned())
    }

    fn lowered(&self, wanted: LoweredIndex) -> Option<RuntimeImportIndex> {
        self.component().initializers.iter().find_map(|initializer| match initializer {
            GlobalInitializer::LowerImport { index, import } if *index == wanted => Some(*import),
            _ => None,
        })
    }

    /// Interface and name of something imported.
    fn imported(&self, import: RuntimeImportIndex) -> Option<(String, String)> {
        let (import, path) = self.component().imports.get(import)?;
        let (interface, _) = self.component().import_types.get(*import)?;
        let [name] = path.as_slice() else { return None };
        Some((interface.clone(), name.clone()))
    }
}

/// Functions and a table, each function with a number for a name, and nothing that runs by itself.
fn is_shim(part: &Part<'_, '_>) -> bool {
    let module = &part.module.module;
    part.arguments.is_empty()
        && matches!(module.startup, ModuleStartup::None)
        && module.exports.iter().all(|(name, entity)| {
            let name = &module.strings[*name];
            match entity {
                EntityIndex::Function(_) => name.parse::<u32>().is_ok(),
                EntityIndex::Table(_) => name == SHIM_TABLE,
                _ => false,
            }
        })
}

/// No function of its own: it only fills the shim's table, each function at the place that is its
/// name.
fn is_fixup(part: &Part<'_, '_>) -> bool {
    let module = &part.module.module;
    let own = module.functions.len() - module.num_imported_funcs;
    own == 0 && module.exports.is_empty()
}

/// What is behind an argument of the guest's module, through the shim if it leads there.
fn resolve(
    argument: &CoreDef,
    shim: Option<&Part<'_, '_>>,
    fixup: Option<&Part<'_, '_>>,
) -> Option<CoreDef> {
    let CoreDef::Export(_) = argument else { return Some(argument.clone()) };
    let place = export_name(shim?, argument)?;
    let fixup = fixup?;
    let mut filled = fixup.module.module.imports().zip(fixup.arguments);
    let (_, behind) = filled.find(|((_, field, _), _)| *field == place)?;
    Some(behind.clone())
}

/// The name by which this part exports `item`, if it is of this part.
fn export_name(part: &Part<'_, '_>, item: &CoreDef) -> Option<String> {
    let CoreDef::Export(export) = item else { return None };
    if export.instance != part.instance {
        return None;
    }
    let module = &part.module.module;
    match &export.item {
        ExportItem::Name(name) => Some(name.clone()),
        ExportItem::Index(wanted) => {
            let (name, _) = module.exports.iter().find(|(_, entity)| *entity == wanted)?;
            Some(module.strings[*name].to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_core_modules_tells_what_cannot_be_flat() {
        let check = |parts: &str| {
            check_parts(&wat::parse_str(format!("(component {parts})")).expect("a component"))
        };
        let module = "(core module (func (export \"f\")))";
        assert_eq!((check(module), check(&module.repeat(PARTS))), (Ok(()), Ok(())));
        for count in [0, 2, PARTS + 1] {
            assert_eq!(check(&module.repeat(count)), Err(Obstacle::CoreModules(count)));
        }
        assert_eq!(check(&format!("{module} (component)")), Err(Obstacle::Components));
        let whole = wat::parse_str(format!("(component {module})")).expect("a component");
        assert!(matches!(check_parts(&whole[..whole.len() - 1]), Err(Obstacle::Shape(_))));
    }
}
