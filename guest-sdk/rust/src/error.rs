//! What can go wrong with a request, and how a task says that it went wrong.

use crate::bindings::swarm::scenario::http as wit;
use std::any::Any;
use std::fmt;

/// What a task returns: `Ok(())`, or an error by `?`.
///
/// `TaskResult<Then>` decides what comes next as well.
pub type TaskResult<T = ()> = Result<T, TaskError>;

/// Why a request got no usable answer.
///
/// It is in the statistics already when the scenario sees it: a task that returns it by `?` ends
/// quietly.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// The kind of an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No complete answer in time.
    Timeout,
    /// No connection.
    Connect,
    /// The host's name has no address.
    Dns,
    /// TLS failed.
    Tls,
    /// The answer is not HTTP.
    Protocol,
    /// The answer is larger than allowed.
    TooLarge,
    /// The operator did not allow this host.
    Denied,
    /// The answer came and the scenario rejected it, as by `expect_status`.
    Rejected,
    /// Anything else.
    Other,
}

impl Error {
    /// A response that the scenario marked as failed.
    pub(crate) fn rejected(reason: String) -> Self {
        Self { kind: ErrorKind::Rejected, message: reason }
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The details, for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<wit::Error> for Error {
    fn from(error: wit::Error) -> Self {
        let kind = match error.kind {
            wit::ErrorKind::Timeout => ErrorKind::Timeout,
            wit::ErrorKind::Connect => ErrorKind::Connect,
            wit::ErrorKind::Dns => ErrorKind::Dns,
            wit::ErrorKind::Tls => ErrorKind::Tls,
            wit::ErrorKind::Protocol => ErrorKind::Protocol,
            wit::ErrorKind::TooLarge => ErrorKind::TooLarge,
            wit::ErrorKind::Denied => ErrorKind::Denied,
            wit::ErrorKind::Other => ErrorKind::Other,
        };
        Self { kind, message: error.message }
    }
}

/// Why a task ended early. Made by `?` from any error or text.
///
/// A request's [`Error`] is in the statistics of requests already and ends the task quietly.
/// Everything else counts as an exception of the task.
#[derive(Debug)]
pub struct TaskError {
    message: String,
    counted: bool,
}

impl TaskError {
    /// The text of an exception; none when the statistics have the failure already.
    pub(crate) fn into_exception(self) -> Option<String> {
        (!self.counted).then_some(self.message)
    }

    /// The text in any case, for a user that can't start.
    pub(crate) fn into_message(self) -> String {
        self.message
    }
}

// `TaskError` is not itself `Display`, which keeps this apart from `From<T> for T`.
impl<E: fmt::Display + 'static> From<E> for TaskError {
    fn from(error: E) -> Self {
        // Settled at compile time, each `E` for itself.
        let counted = (&error as &dyn Any).is::<Error>();
        Self { message: error.to_string(), counted }
    }
}
