//! The canonical ABI from inside of a host function: where the caller's memory is.

use wasmtime::Caller;

use super::Data;
use crate::engine::canonical_abi::AbiError;
pub(crate) use crate::engine::canonical_abi::{
    Abi, OUTCOME_BYTES, aligned, case, given, lent, number,
};

/// The ABI of the instance that makes this call.
pub(crate) fn of<T: Data>(caller: &Caller<'_, T>) -> wasmtime::Result<Abi> {
    Ok(caller.data().ctx().abi.ok_or(AbiError::NotReady)?)
}

/// A text that the guest gives to a host function.
pub(crate) fn text<T: Data>(caller: &Caller<'_, T>, at: u32, len: u32) -> wasmtime::Result<String> {
    of(caller)?.text(caller, at, len)
}
