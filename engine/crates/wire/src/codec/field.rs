//! Checks of single fields, shared by all messages.

use std::fmt::Display;

use capnp::{text, text_list};
use swarm_core::message::Digest;

use crate::error::FieldError;

pub(crate) type Result<T> = std::result::Result<T, FieldError>;

/// Names the field of an error of capnp itself: a pointer that leads nowhere, a text that is not
/// UTF-8, a value that this version does not know.
pub(crate) fn sound<T, E: Display>(field: &str, value: std::result::Result<T, E>) -> Result<T> {
    value.map_err(|error| FieldError::new(field, format_args!("is malformed: {error}")))
}

/// Refuses more than `max`, of which `unit` says what it counts.
pub(crate) fn at_most(field: &str, value: u64, max: u64, unit: &str) -> Result<()> {
    if value <= max {
        return Ok(());
    }
    Err(FieldError::new(field, format_args!("is {value} {unit}, the most is {max}")))
}

/// The checked length of a list that shall be sent.
pub(crate) fn list_len(field: &str, len: usize, max: u32) -> Result<u32> {
    at_most(field, len as u64, u64::from(max), "items long")?;
    sound(field, u32::try_from(len))
}

/// A text that shall be sent.
pub(crate) fn text<'a>(field: &str, value: &'a str, bytes_max: usize) -> Result<&'a str> {
    at_most(field, value.len() as u64, bytes_max as u64, "bytes long")?;
    Ok(value)
}

/// A text that was received.
pub(crate) fn read_text(
    field: &str,
    value: capnp::Result<text::Reader<'_>>,
    bytes_max: usize,
) -> Result<String> {
    let value = sound(field, value)?;
    at_most(field, value.len() as u64, bytes_max as u64, "bytes long")?;
    sound(field, value.to_str()).map(str::to_owned)
}

/// Writes a list of texts into the list that `init` makes.
pub(crate) fn texts<'a>(
    field: &str,
    values: &[String],
    (items_max, bytes_max): (u32, usize),
    init: impl FnOnce(u32) -> text_list::Builder<'a>,
) -> Result<()> {
    let mut list = init(list_len(field, values.len(), items_max)?);
    for (i, value) in (0..).zip(values) {
        list.set(i, text(&item(field, i), value, bytes_max)?);
    }
    Ok(())
}

/// Reads a list of texts.
pub(crate) fn read_texts(
    field: &str,
    list: capnp::Result<text_list::Reader<'_>>,
    (items_max, bytes_max): (u32, usize),
) -> Result<Vec<String>> {
    let list = sound(field, list)?;
    at_most(field, u64::from(list.len()), u64::from(items_max), "items long")?;
    (0..list.len()).map(|i| read_text(&item(field, i), list.get(i), bytes_max)).collect()
}

/// Bytes that were received.
pub(crate) fn read_bytes<'a>(
    field: &str,
    value: capnp::Result<&'a [u8]>,
    bytes_max: usize,
) -> Result<&'a [u8]> {
    let bytes = sound(field, value)?;
    at_most(field, bytes.len() as u64, bytes_max as u64, "bytes long")?;
    Ok(bytes)
}

/// A digest that was received.
pub(crate) fn read_digest(field: &str, value: capnp::Result<&[u8]>) -> Result<Digest> {
    let bytes = sound(field, value)?;
    bytes.try_into().map_err(|_| {
        FieldError::new(field, format_args!("is {} bytes long, must be 32", bytes.len()))
    })
}

/// Refuses infinities and what is not a number: they would spoil every sum they enter.
pub(crate) fn finite(field: &str, value: f64) -> Result<()> {
    if value.is_finite() {
        return Ok(());
    }
    Err(FieldError::new(field, format_args!("is {value}, must be a finite number")))
}

/// Refuses what does not hold, in words that follow the field's name.
pub(crate) fn holds(field: &str, condition: bool, problem: impl Display) -> Result<()> {
    if condition { Ok(()) } else { Err(FieldError::new(field, problem)) }
}

/// The name of an item of a list.
pub(crate) fn item(list: &str, index: u32) -> String {
    format!("{list}[{index}]")
}
