//! Values between host and guest, laid out as the canonical ABI of the component model says:
//! <https://github.com/WebAssembly/component-model/blob/main/design/mvp/CanonicalABI.md>.
//!
//! Every address and length comes from the guest: what is not inside of its memory is a trap.

use std::ops::Range;

use wasmtime::component::Resource;
use wasmtime::{AsContext, AsContextMut, Caller, Func, Memory};

use super::Data;

/// Bytes of a `result<response, error>`.
pub(crate) const OUTCOME_BYTES: u32 = 16;

/// What the host needs of an instance to hand values over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Abi {
    memory: Memory,
    realloc: Option<Func>,
}

/// What a guest did wrong.
#[derive(Debug, thiserror::Error)]
enum AbiError {
    #[error("an address outside of the guest's memory was given to the host")]
    OutOfBounds,
    #[error("a text that is not UTF-8 was given to the host")]
    NotUtf8,
    #[error("{0} is no value of an enumeration with {1} cases")]
    NoSuchCase(u32, u32),
    #[error("a host function was called before the instance was ready")]
    NotReady,
    #[error("the guest has no `realloc` for what the host hands over")]
    NoRealloc,
}

impl Abi {
    pub(crate) fn new(memory: Memory, realloc: Option<Func>) -> Self {
        Self { memory, realloc }
    }

    /// Bytes of the guest's memory.
    pub(crate) fn bytes<'a>(
        &self,
        store: &'a impl AsContext,
        at: u32,
        len: u32,
    ) -> wasmtime::Result<&'a [u8]> {
        let memory = self.memory.data(store.as_context());
        Ok(memory.get(range(at, len)).ok_or(AbiError::OutOfBounds)?)
    }

    pub(crate) fn text(
        &self,
        store: &impl AsContext,
        at: u32,
        len: u32,
    ) -> wasmtime::Result<String> {
        let bytes = self.bytes(store, at, len)?;
        Ok(str::from_utf8(bytes).map_err(|_| AbiError::NotUtf8)?.to_owned())
    }

    pub(crate) fn u8(&self, store: &impl AsContext, at: u32) -> wasmtime::Result<u8> {
        Ok(self.bytes(store, at, 1)?[0])
    }

    pub(crate) fn u32(&self, store: &impl AsContext, at: u32) -> wasmtime::Result<u32> {
        let bytes = self.bytes(store, at, 4)?;
        Ok(u32::from_le_bytes(bytes.try_into().expect("4 bytes were asked for")))
    }

    /// A list of handles that the guest gives away.
    pub(crate) fn handles<R: 'static>(
        &self,
        store: &impl AsContext,
        list: u32,
        len: u32,
    ) -> wasmtime::Result<Vec<Resource<R>>> {
        let words = self.bytes(store, list, len.saturating_mul(4))?.chunks_exact(4);
        let number = |word: &[u8]| u32::from_le_bytes(word.try_into().expect("chunks of 4"));
        Ok(words.map(|word| given(number(word))).collect())
    }

    /// A text that the guest has put into its memory as address and length.
    pub(crate) fn text_at(&self, store: &impl AsContext, at: u32) -> wasmtime::Result<String> {
        let (text, len) = (self.u32(store, at)?, self.u32(store, at.wrapping_add(4))?);
        self.text(store, text, len)
    }

    pub(crate) fn write(
        &self,
        mut store: impl AsContextMut,
        at: u32,
        bytes: &[u8],
    ) -> wasmtime::Result<()> {
        let memory = self.memory.data_mut(store.as_context_mut());
        let place = memory.get_mut(range(at, bytes.len())).ok_or(AbiError::OutOfBounds)?;
        place.copy_from_slice(bytes);
        Ok(())
    }

    /// Writes words one after the other.
    pub(crate) fn write_words<const N: usize>(
        &self,
        store: impl AsContextMut,
        at: u32,
        words: [u32; N],
    ) -> wasmtime::Result<()> {
        let mut bytes = [0; 64];
        let bytes = &mut bytes[..4 * N];
        for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        self.write(store, at, bytes)
    }

    /// Makes room in the guest's memory, by the guest.
    pub(super) async fn room<T: Data>(
        &self,
        mut store: impl AsContextMut<Data = T>,
        align: u32,
        bytes: usize,
    ) -> wasmtime::Result<u32> {
        let realloc = self.realloc.ok_or(AbiError::NoRealloc)?;
        let realloc = realloc.typed::<(u32, u32, u32, u32), u32>(&store)?;
        let bytes = u32::try_from(bytes).map_err(|_| AbiError::OutOfBounds)?;
        let at = realloc.call_async(store.as_context_mut(), (0, 0, align, bytes)).await?;
        self.bytes(&store, at, bytes)?;
        Ok(at)
    }

    /// Hands bytes over: their address and length.
    pub(super) async fn hand_over<T: Data>(
        &self,
        mut store: impl AsContextMut<Data = T>,
        bytes: &[u8],
    ) -> wasmtime::Result<[u32; 2]> {
        let at = self.room(store.as_context_mut(), 1, bytes.len()).await?;
        self.write(store, at, bytes)?;
        Ok([at, u32::try_from(bytes.len()).expect("it fits into the guest's memory")])
    }

    /// As [`Self::room`], in a store whose guests never wait.
    pub(crate) fn room_now(
        &self,
        mut store: impl AsContextMut,
        align: u32,
        bytes: usize,
    ) -> wasmtime::Result<u32> {
        let realloc = self.realloc.ok_or(AbiError::NoRealloc)?;
        let realloc = realloc.typed::<(u32, u32, u32, u32), u32>(&store)?;
        let bytes = u32::try_from(bytes).map_err(|_| AbiError::OutOfBounds)?;
        let at = realloc.call(store.as_context_mut(), (0, 0, align, bytes))?;
        self.bytes(&store, at, bytes)?;
        Ok(at)
    }

    /// As [`Self::hand_over`], in a store whose guests never wait.
    pub(crate) fn hand_over_now(
        &self,
        mut store: impl AsContextMut,
        bytes: &[u8],
    ) -> wasmtime::Result<[u32; 2]> {
        let at = self.room_now(store.as_context_mut(), 1, bytes.len())?;
        self.write(store, at, bytes)?;
        Ok([at, u32::try_from(bytes.len()).expect("it fits into the guest's memory")])
    }
}

fn range(at: u32, len: impl TryInto<usize>) -> Range<usize> {
    let at = at as usize;
    // What does not fit is outside of any memory.
    at..at.saturating_add(len.try_into().unwrap_or(usize::MAX))
}

/// The ABI of the instance that makes this call.
pub(crate) fn of<T: Data>(caller: &Caller<'_, T>) -> wasmtime::Result<Abi> {
    Ok(caller.data().ctx().abi.ok_or(AbiError::NotReady)?)
}

/// A text that the guest gives to a host function.
pub(crate) fn text<T: Data>(caller: &Caller<'_, T>, at: u32, len: u32) -> wasmtime::Result<String> {
    of(caller)?.text(caller, at, len)
}

/// A case of an enumeration, checked against the number of cases.
pub(crate) fn case(value: u32, cases: u32) -> wasmtime::Result<u32> {
    if value < cases { Ok(value) } else { Err(AbiError::NoSuchCase(value, cases).into()) }
}

/// The number of a handle in the guest. 0 is never one.
pub(crate) fn number<T: 'static>(handle: &Resource<T>) -> u32 {
    handle.rep() + 1
}

/// A handle that the guest lends for the time of the call.
pub(crate) fn lent<T: 'static>(number: u32) -> Resource<T> {
    // 0 becomes a number that no table reaches.
    Resource::new_borrow(number.wrapping_sub(1))
}

/// A handle that the guest gives away.
pub(crate) fn given<T: 'static>(number: u32) -> Resource<T> {
    Resource::new_own(number.wrapping_sub(1))
}
