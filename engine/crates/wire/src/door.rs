//! What a connection that a master has accepted turns out to be: a worker over TLS, one without,
//! or somebody else. Whoever speaks one where the other is wanted is told so in their own words.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::limits::REGISTER_TIMEOUT;
use crate::server::refuse_connection;
use crate::tls::{ServerTls, peer_failure};

/// The first byte of a TLS connection: a record that is a handshake.
const TLS_HANDSHAKE: u8 = 22;

/// A fatal alert "protocol version" in a record of TLS: what a server says that speaks none that
/// the client does.
const PROTOCOL_VERSION_ALERT: [u8; 7] = [21, 3, 3, 0, 2, 2, 70];

/// How long one who is turned away may take to read why, and how many bytes it may still send.
const FAREWELL_TIME_MAX: Duration = Duration::from_secs(1);
const FAREWELL_BYTES_MAX: u64 = 256 * 1024;

/// A connection that can be served.
#[derive(Debug)]
pub enum Opened {
    /// In the clear.
    Plain(TcpStream),
    /// Over TLS, with a certificate of the authorities where that is demanded.
    Secured(Box<TlsStream<TcpStream>>),
}

/// Why somebody was turned away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnedAway {
    /// In words for the operator.
    pub reason: String,
    /// Its certificate was not acceptable, or it had none where one is demanded: counts as an
    /// attempt to get in.
    pub unproven: bool,
}

/// Finds out who has connected, within [`REGISTER_TIMEOUT`]; does the handshake where `tls` is
/// given. Wants a current-thread runtime.
///
/// # Errors
/// Why the connection is of no use. It is closed then, and the other side was told as far as it
/// can understand.
pub async fn open(stream: TcpStream, tls: Option<&ServerTls>) -> Result<Opened, TurnedAway> {
    let opening = async {
        let mut first = [0];
        let speaks_tls = match stream.peek(&mut first).await {
            Ok(1..) => first[0] == TLS_HANDSHAKE,
            Ok(0) => return Err(away("the other side closed the connection")),
            Err(error) => return Err(away(error.to_string())),
        };
        match (tls, speaks_tls) {
            (None, false) => Ok(Opened::Plain(stream)),
            (Some(tls), true) => secure(stream, tls).await,
            (None, true) => Err(only_plain(stream).await),
            (Some(_), false) => Err(only_tls(stream).await),
        }
    };
    let opened = tokio::time::timeout(REGISTER_TIMEOUT, opening).await;
    opened.unwrap_or_else(|_| {
        let limit = REGISTER_TIMEOUT.as_secs();
        Err(away(format!("no worker has registered within {limit} s")))
    })
}

fn away(reason: impl Into<String>) -> TurnedAway {
    TurnedAway { reason: reason.into(), unproven: false }
}

async fn secure(stream: TcpStream, tls: &ServerTls) -> Result<Opened, TurnedAway> {
    match tls.acceptor.accept(stream).into_fallible().await {
        Ok(stream) => Ok(Opened::Secured(Box::new(stream))),
        Err((error, stream)) => {
            farewell(stream, &[]).await;
            let (reason, unproven) = peer_failure(&error);
            Err(TurnedAway { reason, unproven })
        }
    }
}

async fn only_plain(stream: TcpStream) -> TurnedAway {
    farewell(stream, &PROTOCOL_VERSION_ALERT).await;
    away(
        "it speaks TLS, and this master does not: start the master with --tls-cert and --tls-key, \
         or the worker without --tls-ca",
    )
}

async fn only_tls(stream: TcpStream) -> TurnedAway {
    let reason = "this master speaks TLS, and the worker does not: give the worker --tls-ca";
    refuse_connection(stream, reason.to_owned()).await;
    away("it does not speak TLS, and this master does: give the worker --tls-ca")
}

/// Ends a connection so that what was last said arrives: closed with bytes unread, it would be
/// reset, and the other side might never see why.
async fn farewell(mut stream: TcpStream, words: &[u8]) {
    let saying = async {
        stream.write_all(words).await?;
        stream.shutdown().await?;
        let mut rest = stream.take(FAREWELL_BYTES_MAX);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
    };
    // Who does not listen misses it.
    let _ = tokio::time::timeout(FAREWELL_TIME_MAX, saying).await;
}
