//! What can go wrong between master and worker.

use std::fmt;

/// A field that cannot be sent or was not fit to be received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    path: String,
    problem: String,
}

impl FieldError {
    pub(crate) fn new(field: &str, problem: impl fmt::Display) -> FieldError {
        FieldError { path: field.to_owned(), problem: problem.to_string() }
    }

    /// The same error seen from the structure that has the field in its field `outer`.
    pub(crate) fn within(mut self, outer: impl fmt::Display) -> FieldError {
        self.path = format!("{outer}.{}", self.path);
        self
    }

    /// Where it is, from the message inwards: `report.delta.entries[3].name`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path, self.problem)
    }
}

impl std::error::Error for FieldError {}

/// Why a call to the other side failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The connection has ended; every further call on it fails the same way.
    #[error("the connection has ended: {0}")]
    Closed(String),
    /// The other side has answered with an error. The connection goes on.
    #[error("the other side answered: {0}")]
    Remote(String),
    /// What should be sent breaks a limit or contradicts itself. Nothing was sent.
    #[error("cannot be sent: {0}")]
    Unsendable(#[source] FieldError),
    /// The other side's answer breaks a limit or contradicts itself.
    #[error("the other side's answer is not usable: {0}")]
    Answer(#[source] FieldError),
    /// The module's bytes could not be taken or are not what was announced.
    #[error("cannot fetch the module: {0}")]
    Module(String),
}

/// Why a worker could not register.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The master does not take this worker, and will not until somebody changes a setting.
    #[error("refused by the master: {0}")]
    Refused(String),
    /// The master does not take this worker now. Trying again in a while may help.
    #[error("refused by the master for now: {0}")]
    RefusedForNow(String),
    /// This worker does not take orders from whoever answers. Why.
    #[error("not the master that this worker trusts: {0}")]
    Untrusted(String),
    /// The connection or what came over it failed.
    #[error(transparent)]
    Wire(#[from] WireError),
}
