//! Any bytes as a response: what must hold whatever they are. Driven by the fuzzer in
//! `engine/fuzz`, which holds the outcome to hyper's as well, and, with random bytes, by the tests
//! below.

use super::Options;
use super::decoder::{Decoded, Decoder};
#[cfg(fuzzing)]
use crate::error::ErrorKind;
use crate::error::Fault;

/// Decodes `data` in one piece, in single bytes and in random pieces, which must come to the same.
/// The first two bytes say how.
///
/// # Panics
/// If the decoder does what it must not.
pub fn response(data: &[u8]) {
    let [mode, seed, bytes @ ..] = data else {
        return;
    };
    let wanted = Wanted { head_only: mode & 3 == 3, body: mode & 4 == 0 };
    let options = if mode & 8 == 0 {
        Options { head_bytes_max: 64 << 10, headers_max: 100, body_bytes_max: 1 << 20 }
    } else {
        Options { head_bytes_max: 96, headers_max: 3, body_bytes_max: 10 }
    };
    let whole = decode(wanted, &options, [bytes]);
    check(&whole, wanted, &options);
    assert_eq!(whole, decode(wanted, &options, bytes.chunks(1)), "byte by byte");
    assert_eq!(whole, decode(wanted, &options, pieces(bytes, *seed)), "seed {seed}");
}

/// Status, headers in their order, body.
#[cfg(fuzzing)]
pub type Outcome = (u16, Vec<(Vec<u8>, Vec<u8>)>, Vec<u8>);

/// What the client makes of `bytes`, after which the server closes the connection. `None` where it
/// is stricter than others on purpose: about what it was not asked for, and about sizes.
///
/// # Errors
/// When it is no response.
#[cfg(fuzzing)]
pub fn outcome(head_only: bool, bytes: &[u8], seed: u8) -> Option<Result<Outcome, ()>> {
    let options = Options { head_bytes_max: 64 << 10, headers_max: 100, body_bytes_max: 1 << 20 };
    let wanted = Wanted { head_only, body: true };
    match decode(wanted, &options, pieces(bytes, seed)) {
        Ok(decoded) => {
            let headers = decoded.headers.iter().map(|(name, value)| (name.into(), value.into()));
            Some(Ok((decoded.status, headers.collect(), decoded.body.to_vec())))
        }
        Err(fault) if fault.kind == ErrorKind::TooLarge => None,
        Err(_) => Some(Err(())),
    }
}

/// What a request says about its response.
#[derive(Clone, Copy)]
struct Wanted {
    head_only: bool,
    body: bool,
}

/// Cuts into pieces of irregular length.
fn pieces(mut bytes: &[u8], seed: u8) -> impl Iterator<Item = &[u8]> {
    let mut state = u32::from(seed) | 1;
    std::iter::from_fn(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let length = (1 + (state >> 16) as usize % 40).min(bytes.len());
        let (piece, rest) = bytes.split_at(length);
        bytes = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

fn decode<'a>(
    wanted: Wanted,
    options: &Options,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Decoded, Fault> {
    let mut decoder = Decoder::new(wanted.head_only, wanted.body);
    for piece in pieces {
        decoder.feed(piece, options)?;
    }
    if !decoder.is_done() {
        decoder.end(options)?;
    }
    Ok(decoder.finish())
}

fn check(outcome: &Result<Decoded, Fault>, wanted: Wanted, options: &Options) {
    let Ok(decoded) = outcome else {
        return;
    };
    assert!((200..=999).contains(&decoded.status));
    assert!(decoded.body_bytes <= options.body_bytes_max as u64);
    let kept = if wanted.body { decoded.body_bytes } else { 0 };
    assert_eq!(decoded.body.len() as u64, kept);
    assert!(!wanted.head_only || decoded.body_bytes == 0);
    assert!(decoded.headers.len() <= options.headers_max);
    for (name, _value) in decoded.headers.iter() {
        let name = std::str::from_utf8(name).expect("names are tokens");
        assert!(decoded.headers.contains(name), "{name}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::response;

    /// What responses are made of, and what they should not be made of.
    const PARTS: [&str; 48] = [
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.0 200 OK\r\n",
        "HTTP/1.1 204\r\n",
        "HTTP/1.1 304 Not Modified\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n",
        "HTTP/1.1 099 Low\r\n",
        "HTTP/1.1 ",
        "HTTP/2",
        "content-length: 5\r\n",
        "Content-Length: 11, 11\r\n",
        "content-length: 18446744073709551615\r\n",
        "content-length: -1\r\n",
        "transfer-encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "transfer-encoding: gzip\r\n",
        "connection: close\r\n",
        "connection: Keep-Alive, x\r\n",
        "set-cookie: a=b; path=/\r\n",
        "x: y\r\n",
        "x : y\r\n",
        " folded\r\n",
        ": nameless\r\n",
        "\r\n",
        "\n",
        "\r",
        " ",
        "\t",
        ":",
        ";",
        ",",
        "\0",
        "\u{ff}",
        "0",
        "5",
        "a",
        "F",
        "5\r\nhello\r\n",
        "5;ext=\"1\"\r\nhello\r\n",
        "5 ;a\r\nhello\r\n",
        "ffffffffffffffff\r\n",
        "10000000000000000\r\n",
        "0\r\n",
        "0\r\n\r\n",
        "x-sum: 1\r\n",
        "hello",
        "\r\n\r\n",
        "\n\n",
    ];

    proptest! {
        // `PROPTEST_CASES` asks for more.
        #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(4096)))]

        #[test]
        fn random_bytes(data in prop::collection::vec(any::<u8>(), 0..200)) {
            response(&data);
        }

        #[test]
        fn random_parts(
            mode in any::<[u8; 2]>(),
            parts in prop::collection::vec(prop::sample::select(&PARTS[..]), 0..16),
        ) {
            response(&[&mode[..], parts.concat().as_bytes()].concat());
        }

        #[test]
        fn random_bodies_behind_a_good_head(
            mode in any::<[u8; 2]>(),
            field in prop::sample::select(&PARTS[9..18]),
            parts in prop::collection::vec(prop::sample::select(&PARTS[19..]), 0..16),
        ) {
            let head = format!("HTTP/1.1 200 OK\r\n{field}\r\n");
            response(&[&mode[..], head.as_bytes(), parts.concat().as_bytes()].concat());
        }

        #[test]
        fn long_heads(mode in any::<[u8; 2]>(), length in 0_usize..4000, tail in 0_usize..3) {
            let tail = ["\r\n\r\nrest", "\n\nrest", "\r\n"][tail];
            let head = format!("HTTP/1.1 200 OK\r\nx: {}{tail}", "y".repeat(length));
            response(&[&mode[..], head.as_bytes()].concat());
        }
    }
}
