//! Values between host and guest, laid out as the canonical ABI of the component model says:
//! <https://github.com/WebAssembly/component-model/blob/main/design/mvp/CanonicalABI.md>.
//!
//! Every address and length comes from the guest: what is not inside of its memory is a trap.

use std::ops::Range;

use wasmtime::component::Resource;
use wasmtime::{AsContext, AsContextMut, Func, Memory};

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
pub(crate) enum AbiError {
    #[error("an address outside of the guest's memory was given to the host")]
    OutOfBounds,
    #[error("an address was given to the host that is no multiple of {0}")]
    Misaligned(u32),
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
        let bytes = self.bytes(store, aligned(at, 4)?, 4)?;
        Ok(u32::from_le_bytes(bytes.try_into().expect("4 bytes were asked for")))
    }

    /// A list of handles that the guest gives away.
    pub(crate) fn handles<R: 'static>(
        &self,
        store: &impl AsContext,
        list: u32,
        len: u32,
    ) -> wasmtime::Result<Vec<Resource<R>>> {
        // More than there are addresses is outside of any memory.
        let bytes = len.checked_mul(4).ok_or(AbiError::OutOfBounds)?;
        let words = self.bytes(store, aligned(list, 4)?, bytes)?.chunks_exact(4);
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
        self.write(store, aligned(at, 4)?, bytes)
    }

    /// Makes room in the guest's memory, by the guest.
    pub(crate) async fn room<T: Send + 'static>(
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
        aligned(at, align)
    }

    /// Hands bytes over: their address and length.
    pub(crate) async fn hand_over<T: Send + 'static>(
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
        aligned(at, align)
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

/// The address, if it is a multiple of `align`, as that of every value of this size must be.
pub(crate) fn aligned(at: u32, align: u32) -> wasmtime::Result<u32> {
    if at.is_multiple_of(align) { Ok(at) } else { Err(AbiError::Misaligned(align).into()) }
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

#[cfg(test)]
mod tests {
    use wasmtime::{Engine, MemoryType, Module, Store};

    use super::*;

    /// Bytes of the guest's memory.
    const SIZE: u32 = 0x1_0000;

    struct Guest {
        store: Store<()>,
        abi: Abi,
    }

    /// A guest with one page of memory, and no `realloc`.
    fn guest() -> Guest {
        let mut store = Store::new(&Engine::default(), ());
        let memory = Memory::new(&mut store, MemoryType::new(1, Some(1))).unwrap();
        Guest { store, abi: Abi::new(memory, None) }
    }

    /// A guest whose `realloc` answers every wish with this address.
    fn guest_that_allocates_at(at: u32) -> Guest {
        let text = format!(
            r#"(module (memory (export "m") 1 1)
                (func (export "r") (param i32 i32 i32 i32) (result i32) (i32.const {at})))"#,
            at = at.cast_signed()
        );
        let mut store = Store::new(&Engine::default(), ());
        let module = Module::new(store.engine(), wat::parse_str(text).unwrap()).unwrap();
        let instance = wasmtime::Instance::new(&mut store, &module, &[]).unwrap();
        let memory = instance.get_memory(&mut store, "m").unwrap();
        let realloc = instance.get_func(&mut store, "r");
        Guest { store, abi: Abi::new(memory, realloc) }
    }

    /// Whether it goes well; what else there may be is one of the errors of this module, no panic.
    #[track_caller]
    fn goes_well<T>(outcome: wasmtime::Result<T>) -> bool {
        match outcome {
            Ok(_) => true,
            Err(error) => {
                assert!(error.downcast_ref::<AbiError>().is_some(), "{error:#}");
                false
            }
        }
    }

    #[test]
    fn what_is_read_lies_inside_of_the_memory_to_the_last_byte() {
        let Guest { store, abi } = guest();
        let reads = |at, len| goes_well(abi.bytes(&store, at, len));
        for (at, len) in [(0, 0), (0, SIZE), (SIZE - 1, 1), (SIZE, 0)] {
            assert!(reads(at, len), "{at:#x} {len:#x}");
        }
        for (at, len) in [
            (0, SIZE + 1),
            (SIZE - 1, 2),
            (SIZE, 1),
            (SIZE + 1, 0),
            (1, u32::MAX),
            (u32::MAX, 0),
            (u32::MAX, 1),
            (u32::MAX, u32::MAX),
        ] {
            assert!(!reads(at, len), "{at:#x} {len:#x}");
        }
        assert!(goes_well(abi.u8(&store, SIZE - 1)) && !goes_well(abi.u8(&store, SIZE)));
    }

    #[test]
    fn words_have_addresses_of_their_own_kind() {
        let Guest { mut store, abi } = guest();
        for (at, fits) in [
            (0, true),
            (SIZE - 4, true),
            (SIZE - 3, false),
            (SIZE - 2, false),
            (SIZE, false),
            (1, false),
            (2, false),
            (3, false),
            (u32::MAX - 3, false),
            (u32::MAX, false),
        ] {
            assert_eq!(goes_well(abi.u32(&store, at)), fits, "read {at:#x}");
            assert_eq!(goes_well(abi.write_words(&mut store, at, [7])), fits, "write {at:#x}");
        }
        assert!(!goes_well(abi.write_words(&mut store, SIZE - 4, [7, 8])), "half of it is outside");
        assert_eq!(abi.u32(&store, SIZE - 4).unwrap(), 7, "nothing of it was written");
        assert!(goes_well(aligned(16, 8)) && !goes_well(aligned(12, 8)));
    }

    #[test]
    fn lists_of_handles_are_as_long_as_the_memory_at_most() {
        let Guest { mut store, abi } = guest();
        abi.write_words(&mut store, SIZE - 8, [1, 5]).unwrap();
        let handles = abi.handles::<u8>(&store, SIZE - 8, 2).unwrap();
        assert_eq!(handles.iter().map(Resource::rep).collect::<Vec<_>>(), [0, 4]);
        assert_eq!(abi.handles::<u8>(&store, SIZE, 0).unwrap().len(), 0);
        for (list, len) in [
            (SIZE - 8, 3),
            (SIZE - 7, 1),
            (0, SIZE / 4 + 1),
            // 4 times as many bytes are 0, or 4, when they are counted in 32 bits.
            (0, 1 << 30),
            (0, (1 << 30) + 1),
            (0, u32::MAX),
            (u32::MAX, 1),
        ] {
            assert!(!goes_well(abi.handles::<u8>(&store, list, len)), "{list:#x} {len:#x}");
        }
    }

    #[test]
    fn texts_are_utf_8_wherever_the_guest_says_that_they_are() {
        let Guest { mut store, abi } = guest();
        abi.write(&mut store, SIZE - 2, "é".as_bytes()).unwrap();
        assert_eq!(abi.text(&store, SIZE - 2, 2).unwrap(), "é");
        assert!(!goes_well(abi.text(&store, SIZE - 2, 1)), "half a letter");
        assert!(!goes_well(abi.text(&store, SIZE - 2, 3)), "beyond the end");
        // Address and length, themselves in the guest's memory.
        abi.write_words(&mut store, 0, [SIZE - 2, 2, u32::MAX, u32::MAX]).unwrap();
        assert_eq!(abi.text_at(&store, 0).unwrap(), "é");
        for at in [8, 2, SIZE - 4, SIZE, u32::MAX - 3, u32::MAX] {
            assert!(!goes_well(abi.text_at(&store, at)), "{at:#x}");
        }
    }

    #[test]
    fn room_is_where_the_guest_says_if_it_is_room() {
        for (at, align, bytes, fits) in [
            (0, 4, SIZE as usize, true),
            (SIZE - 4, 4, 4, true),
            (SIZE, 1, 0, true),
            (SIZE - 4, 4, 5, false),
            (SIZE - 2, 4, 1, false),
            (SIZE, 1, 1, false),
            (u32::MAX, 1, 1, false),
            (u32::MAX - 3, 4, 4, false),
            (0, 1, usize::MAX, false),
            (0, 1, u32::MAX as usize, false),
        ] {
            let Guest { mut store, abi } = guest_that_allocates_at(at);
            let room = abi.room_now(&mut store, align, bytes);
            assert_eq!(goes_well(room), fits, "{bytes} bytes at {at:#x}");
        }
        let Guest { mut store, abi } = guest_that_allocates_at(SIZE - 3);
        assert_eq!(abi.hand_over_now(&mut store, b"abc").unwrap(), [SIZE - 3, 3]);
        assert_eq!(abi.bytes(&store, SIZE - 3, 3).unwrap(), b"abc");
        assert!(!goes_well(abi.hand_over_now(&mut store, b"abcd")));
        let Guest { mut store, abi } = guest();
        assert!(!goes_well(abi.room_now(&mut store, 1, 1)), "nobody makes room");
    }

    #[test]
    fn handles_are_numbers_that_no_guest_can_break() {
        assert_eq!((lent::<u8>(1).rep(), given::<u8>(1).rep()), (0, 0));
        assert_eq!((lent::<u8>(0).rep(), given::<u8>(0).rep()), (u32::MAX, u32::MAX));
        assert_eq!(number(&lent::<u8>(u32::MAX)), u32::MAX);
        for (value, cases, is_case) in [(0, 1, true), (1, 1, false), (u32::MAX, 4, false)] {
            assert_eq!(goes_well(case(value, cases)), is_case);
        }
    }
}
