//! A scenario with many calls at a time in an instance, linked for both back ends.

use crate::backend::Obstacle;
use crate::backend::component::concurrent::Pre;
use crate::backend::core_abi::concurrent::MachinePre;

/// A scenario whose instances have many calls at a time, linked to what it imports.
pub(crate) struct ConcurrentPre {
    /// By the component layer.
    pub(crate) component: Pre,
    /// Straight in its core module, if that is possible.
    pub(crate) core: Result<MachinePre, Obstacle>,
}
