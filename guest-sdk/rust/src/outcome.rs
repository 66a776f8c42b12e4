//! What methods may return: the traits behind `#[task]`, `#[on_start]` and `#[on_stop]`.

use crate::{TaskError, Then};

/// What a task may return.
#[diagnostic::on_unimplemented(
    message = "a task can't return `{Self}`",
    label = "not something a task can return",
    note = "a task returns nothing, `Then`, `TaskResult`, or `Result<(), E>` or `Result<Then, E>` \
            with an error that can be displayed"
)]
pub trait Outcome {
    /// What comes next, or the text of an exception.
    fn outcome(self) -> Result<Then, String>;
}

impl Outcome for () {
    fn outcome(self) -> Result<Then, String> {
        Ok(Then::Rest)
    }
}

impl Outcome for Then {
    fn outcome(self) -> Result<Then, String> {
        Ok(self)
    }
}

impl<E: Into<TaskError>> Outcome for Result<(), E> {
    fn outcome(self) -> Result<Then, String> {
        self.map(|()| Then::Rest).outcome()
    }
}

impl<E: Into<TaskError>> Outcome for Result<Then, E> {
    fn outcome(self) -> Result<Then, String> {
        match self {
            Ok(then) => Ok(then),
            Err(error) => match error.into().into_exception() {
                Some(exception) => Err(exception),
                None => Ok(Then::Rest),
            },
        }
    }
}

/// What `#[on_start]` and `#[on_stop]` may return.
#[diagnostic::on_unimplemented(
    message = "`#[on_start]` and `#[on_stop]` can't return `{Self}`",
    label = "not something this method can return",
    note = "it returns nothing, `TaskResult`, or `Result<(), E>` with an error that can be \
            displayed"
)]
pub trait Hook {
    /// Done, or why not.
    fn hook(self) -> Result<(), TaskError>;
}

impl Hook for () {
    fn hook(self) -> Result<(), TaskError> {
        Ok(())
    }
}

impl<E: Into<TaskError>> Hook for Result<(), E> {
    fn hook(self) -> Result<(), TaskError> {
        self.map_err(Into::into)
    }
}
