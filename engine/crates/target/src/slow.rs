//! Replies that take time, and replies that are none: delays, long bodies, faults.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::{sleep, timeout};

use crate::answer::{Answer, Extent, append};
use crate::connection::Connection;
use crate::request::{Manner, Persist};
use crate::routes::counts_text;

/// What long bodies are made of.
pub(crate) static BLOCK: [u8; 64 * 1024] = [b'x'; 64 * 1024];

/// How long `/hang` says nothing.
const HANG_MAX: Duration = Duration::from_secs(600);
/// How long the endless answers last.
const ENDLESS_MAX: Duration = Duration::from_secs(60);
/// How many bytes the endless answers have.
const ENDLESS_BYTES_MAX: u64 = 1 << 30;
/// What a client gets that expects HTTP.
const GARBAGE: &[u8] = b"\x15\x03\x03 these bytes are no answer \xff\xfe\r\n\r\n";

/// What is left to do for a request when its turn on the connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slow {
    /// Answer after so many milliseconds.
    Delay { ms: u64 },
    /// So many bytes of the body come behind those already written.
    Rest { bytes: u64 },
    /// Ask the other processes what they received, and answer with the sum.
    Sum { reset: bool },
    /// No answer, and the connection stays open.
    Hang,
    /// No answer, and the connection is reset.
    Reset,
    /// No answer, and the connection is closed.
    Close,
    /// Bytes that are not HTTP.
    Garbage,
    /// A head that does not end.
    EndlessHeaders,
    /// A body that does not end.
    EndlessBody,
}

/// Does it. Everything written before has been sent. Returns whether the connection goes on.
pub(crate) async fn perform(
    slow: Slow,
    connection: &mut Connection,
    manner: Manner,
) -> io::Result<bool> {
    match slow {
        Slow::Delay { ms } => return delay(connection, ms, manner).await,
        Slow::Sum { reset } => {
            sum(connection, reset, manner).await?;
            return Ok(manner.persist.keeps());
        }
        Slow::Rest { bytes } => {
            rest(connection, bytes).await?;
            return Ok(manner.persist.keeps());
        }
        Slow::Hang => {
            tokio::select! {
                () = sleep(HANG_MAX) => {}
                () = connection.gone() => {}
            }
        }
        Slow::Reset => connection.stream.set_zero_linger()?,
        Slow::Close => {}
        Slow::Garbage => connection.stream.write_all(GARBAGE).await?,
        Slow::EndlessHeaders => {
            let mut lines = Vec::new();
            append(&mut lines, format_args!("X-Endless: {}\r\n", "x".repeat(1000)));
            connection.stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
            endless(connection, &lines).await?;
        }
        Slow::EndlessBody => endless_body(connection, manner).await?,
    }
    Ok(false)
}

async fn delay(connection: &mut Connection, ms: u64, manner: Manner) -> io::Result<bool> {
    tokio::select! {
        () = sleep(Duration::from_millis(ms)) => {}
        () = connection.gone() => return Ok(false),
    }
    connection.answer(&Answer::text(200, &format!("waited {ms} ms\n")), manner).await?;
    Ok(manner.persist.keeps())
}

async fn sum(connection: &mut Connection, reset: bool, manner: Manner) -> io::Result<()> {
    let thread = Rc::clone(&connection.thread);
    let member = thread.shared.member.as_ref().expect("only a member has others to ask");
    let counts = counts_text(&member.ask(reset).await?);
    connection.answer_uncounted(&Answer::json(200, &counts), manner).await
}

async fn rest(connection: &mut Connection, bytes: u64) -> io::Result<()> {
    let mut left = bytes;
    while left > 0 {
        let part = usize::try_from(left).map_or(BLOCK.len(), |left| left.min(BLOCK.len()));
        connection.stream.write_all(&BLOCK[..part]).await?;
        left -= part as u64;
    }
    Ok(())
}

async fn endless_body(connection: &mut Connection, manner: Manner) -> io::Result<()> {
    let chunked = manner.persist.knows_chunks();
    let extent = if chunked { Extent::Chunks } else { Extent::Connection };
    let answer =
        Answer { status: 200, content_type: b"application/octet-stream", lines: "", body: b"" };
    let mut head = Vec::new();
    answer.write_head(&mut head, Persist::Close, extent);
    connection.stream.write_all(&head).await?;
    connection.thread.count_answer(200);
    if manner.head_only {
        return Ok(());
    }
    let mut part = Vec::with_capacity(BLOCK.len() + 16);
    if chunked {
        append(&mut part, format_args!("{:x}\r\n", BLOCK.len()));
    }
    part.extend_from_slice(&BLOCK);
    if chunked {
        part.extend_from_slice(b"\r\n");
    }
    endless(connection, &part).await
}

/// The same bytes again and again until a limit is reached or the client goes.
async fn endless(connection: &mut Connection, part: &[u8]) -> io::Result<()> {
    let write = async {
        for _ in 0..ENDLESS_BYTES_MAX.div_ceil(part.len() as u64) {
            connection.stream.write_all(part).await?;
        }
        Ok(())
    };
    // Running out of time is an end like running out of bytes.
    timeout(ENDLESS_MAX, write).await.unwrap_or(Ok(()))
}
