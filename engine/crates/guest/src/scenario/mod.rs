//! A scenario: a file that is checked, compiled, linked for a back end, and asked for its plan; and
//! a
//! test of one.

pub mod module;
pub(crate) mod precheck;
pub(crate) mod probe;
pub mod test;
