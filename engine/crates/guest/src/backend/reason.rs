//! How the users of a scenario run: straight in its core module, or by the component layer.

use std::fmt;

/// How calls reach a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backend {
    /// Straight into the core module that the component is made around.
    CoreModule,
    /// By wasmtime's component layer, which costs more memory for each user and more time for each
    /// request.
    Component(Obstacle),
}

impl Backend {
    /// Its name, as `swarm check --json` has it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CoreModule => "core-module",
            Self::Component(_) => "component",
        }
    }

    /// What keeps it from running as a core module, if something does.
    pub fn obstacle(&self) -> Option<&Obstacle> {
        match self {
            Self::CoreModule => None,
            Self::Component(obstacle) => Some(obstacle),
        }
    }
}

/// What keeps a scenario from running as a core module. As text it goes on after "because".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// [`crate::RuntimeConfig::component_layer`] is set.
    Asked,
    /// It is the runtime of a scripting language, whose functions wait where they stand.
    Script,
    /// It has this many core modules.
    CoreModules(usize),
    /// It has other components in it.
    Components,
    /// It imports a function that only the component layer offers.
    Import {
        /// Such as `wasi:filesystem/types@0.2.6`, or `canon` for a built-in of the canonical ABI.
        interface: String,
        /// Such as `[method]descriptor.read`.
        function: String,
    },
    /// It does not export this function of the world in a form that is known.
    Export(&'static str),
    /// It is put together otherwise than a core module around host functions.
    Shape(&'static str),
    /// wasmtime refused its core module.
    Refused(String),
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => f.write_str("the settings ask for it"),
            Self::Script => f.write_str(
                "it is the runtime of a scripting language, whose functions wait where they stand",
            ),
            Self::CoreModules(count) => write!(
                f,
                "it has {count} core modules, and only one can run so, with the two that \
                 wit-component puts around it"
            ),
            Self::Components => f.write_str("it has other components in it"),
            Self::Import { interface, function } => {
                write!(f, "it imports {function} of {interface}")
            }
            Self::Export(name) => write!(f, "its function {name} has an unknown form"),
            Self::Shape(what) => f.write_str(what),
            Self::Refused(error) => write!(f, "its core module was refused: {error}"),
        }
    }
}
