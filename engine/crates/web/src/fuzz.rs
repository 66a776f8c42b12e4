//! Connections without a socket, for the fuzzer in `engine/fuzz`.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Router;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use crate::guard::Names;
use crate::live::Live;
use crate::login::{Gate, LoginToken, Place};
use crate::routes::{Parts, router};
use crate::server::serve_connection;
use crate::view::Control;

/// The port that it believes to be reached by.
pub const PORT: u16 = 8089;

/// What a server offers on a loopback address.
#[derive(Debug)]
pub struct Site {
    router: Router,
    close: watch::Sender<bool>,
}

impl Site {
    /// With a token, behind a login.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn new(control: &Control, token: Option<&LoginToken>) -> io::Result<Self> {
        let (close, closing) = watch::channel(false);
        let place = Place { base: String::new(), port: PORT, secure: false };
        let gate = token.map(|token| Gate::new(token, place)).transpose()?;
        let names = Names { loopback: true, allowed: Arc::default(), own_port: PORT };
        let live = Live::new(control.view.clone(), closing, token.is_some());
        let parts = Parts { control: control.clone(), live, history: None, names, gate };
        Ok(Self { router: router("", &parts), close })
    }

    /// Serves one connection until it ends.
    pub async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        serve_connection(stream, peer, self.router.clone(), self.close.subscribe()).await;
    }
}
