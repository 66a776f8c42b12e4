//! Messages of the protocol in a row: cut from bytes, and changed so that they stay messages.

use libfuzzer_sys::fuzzer_mutate;

/// Segments of a message; more are not taken apart.
const SEGMENTS_MAX: usize = 16;

/// Messages, each by its own table of segments; the last is what is left.
#[must_use]
pub fn messages(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let length = length(bytes).filter(|length| *length <= bytes.len());
        let (message, rest) = bytes.split_at(length.unwrap_or(bytes.len()));
        messages.push(message);
        bytes = rest;
    }
    messages
}

fn length(bytes: &[u8]) -> Option<usize> {
    let number = |at: usize| {
        let bytes = bytes.get(at..at + 4)?;
        usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
    };
    let segments = number(0)?.checked_add(1).filter(|count| *count <= SEGMENTS_MAX)?;
    let words = (1..=segments).try_fold(0, |sum, at| Some(sum + number(4 * at)?))?;
    Some((4 * (segments + 1)).next_multiple_of(8) + 8 * words)
}

/// What one side said in a recorded conversation of `swarm-wire`.
///
/// # Panics
/// When the record is none.
#[must_use]
pub fn recorded(text: &str, who: &str) -> Vec<u8> {
    let lines = text.lines().filter_map(|line| line.strip_prefix(who)?.strip_prefix(' '));
    let hex: String = lines.collect();
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("it is hexadecimal");
    (0..hex.len()).step_by(2).map(byte).collect()
}

/// Changes a conversation behind its first `head` bytes: mostly within one message, which keeps
/// its length, or as a whole message; else anywhere.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32, head: usize) -> usize {
    if size <= head || seed % 8 == 0 {
        return fuzzer_mutate(data, size, max_size);
    }
    let mut all: Vec<Vec<u8>> = messages(&data[head..size]).into_iter().map(Into::into).collect();
    let count = all.len();
    let (one, other) = (seed as usize / 8 % count, seed as usize / 1024 % count);
    match seed >> 24 & 15 {
        0 => all.swap(one, other),
        1 => drop(all.remove(one)),
        2 => all.insert(other, all[one].clone()),
        3 => all.truncate(one + 1),
        _ => {
            let message = &mut all[one];
            let length = message.len();
            // The table of segments stays, so that what follows is still found.
            if let Some(body) = message.get_mut(8..).filter(|body| !body.is_empty()) {
                let kept = fuzzer_mutate(body, length - 8, length - 8);
                body[kept..].fill(0);
            }
        }
    }
    let bytes = all.concat();
    let length = bytes.len().min(max_size - head);
    data[head..head + length].copy_from_slice(&bytes[..length]);
    head + length
}
