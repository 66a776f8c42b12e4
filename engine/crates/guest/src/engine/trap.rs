//! The end of a guest in the middle of a call.

use rustix::io::Errno;

/// A guest ended in the middle of a call. Its instance is of no more use.
#[derive(Debug)]
pub(crate) struct Trap {
    /// One line.
    pub(crate) message: String,
    /// Wasm backtrace, or empty.
    pub(crate) trace: String,
    /// The system has given it no memory.
    pub(crate) no_memory: bool,
}

impl Trap {
    pub(crate) fn new(error: &wasmtime::Error) -> Self {
        let trace = error
            .downcast_ref::<wasmtime::WasmBacktrace>()
            .map(|trace| trace.to_string().trim_end().to_owned())
            .unwrap_or_default();
        let message = error.root_cause().to_string();
        let message = message.lines().next().unwrap_or_default().to_owned();
        let is_short = |cause: &(dyn std::error::Error + 'static)| {
            let of_system = cause.downcast_ref::<std::io::Error>();
            cause.downcast_ref() == Some(&Errno::NOMEM)
                || of_system.and_then(Errno::from_io_error) == Some(Errno::NOMEM)
        };
        let no_memory = error.chain().any(is_short);
        Self { message, trace, no_memory }
    }
}
