//! What a host function waits for, polled off the guest's stack.
//!
//! A host function that waits gives its future away ([`wait_for`]) and becomes pending; the caller
//! of the guest ([`call`]) drives that future itself and resumes the guest when it is done. So a
//! guest is switched to once for each answer, not for each packet of it, and its stack carries a
//! few frames of the guest and none of the client's.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::host::exchange::Sent;

/// What a host function waits for.
pub(crate) enum Errand {
    Sleep(Pin<Box<tokio::time::Sleep>>),
    Send(Pin<Box<dyn Future<Output = Sent> + Send>>),
    Batch(Pin<Box<dyn Future<Output = Vec<Sent>> + Send>>),
}

/// What came of it.
#[expect(clippy::large_enum_variant, reason = "the large one is what nearly all are")]
pub(crate) enum Brought {
    Slept,
    Answer(Sent),
    Answers(Vec<Sent>),
}

impl Errand {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Brought> {
        match self {
            Self::Sleep(sleep) => sleep.as_mut().poll(cx).map(|()| Brought::Slept),
            Self::Send(send) => send.as_mut().poll(cx).map(Brought::Answer),
            Self::Batch(batch) => batch.as_mut().poll(cx).map(Brought::Answers),
        }
    }
}

thread_local! {
    /// A guest is being run by [`call`].
    static DRIVEN: Cell<bool> = const { Cell::new(false) };
    /// From the host function to the caller of the guest, on the way out.
    static GIVEN: Cell<Option<Errand>> = const { Cell::new(None) };
    /// From the caller of the guest to the host function, on the way in.
    static DONE: Cell<Option<Done>> = const { Cell::new(None) };
}

/// An errand that has been done.
pub(crate) struct Done {
    pub(crate) brought: Brought,
    /// Others had their turn meanwhile.
    pub(crate) waited: bool,
}

/// As long as it lives, errands are given to [`call`].
struct Driving;

impl Driving {
    fn begin() -> Self {
        DRIVEN.set(true);
        Self
    }
}

impl Drop for Driving {
    fn drop(&mut self) {
        DRIVEN.set(false);
    }
}

/// Waits for an errand in a host function. One of a guest that [`call`] does not run is polled
/// where it is.
///
/// # Cancel safety
/// The errand is given up with the call.
pub(crate) fn wait_for(errand: Errand) -> impl Future<Output = Done> + Send {
    let mut own = Some(errand);
    if DRIVEN.get() {
        GIVEN.set(own.take());
    }
    poll_fn(move |cx| match &mut own {
        Some(errand) => errand.poll(cx).map(|brought| Done { brought, waited: true }),
        None => DONE.take().map_or(Poll::Pending, Poll::Ready),
    })
}

/// Drives a call into a guest, and beside it what the guest's host functions wait for. It takes the
/// call pinned: taken by value it would have its room twice in the caller's future.
///
/// # Cancel safety
/// Dropping it gives up what the guest waits for, and then unwinds the guest.
pub(crate) async fn call<F: Future>(mut guest: Pin<&mut F>) -> F::Output {
    let mut errand: Option<Errand> = None;
    let mut waited = false;
    poll_fn(|cx| {
        loop {
            if let Some(at_work) = &mut errand {
                let Poll::Ready(brought) = at_work.poll(cx) else {
                    waited = true;
                    return Poll::Pending;
                };
                errand = None;
                DONE.set(Some(Done { brought, waited }));
            }
            let driving = Driving::begin();
            let polled = guest.as_mut().poll(cx);
            drop(driving);
            if polled.is_ready() {
                return polled;
            }
            errand = GIVEN.take();
            waited = false;
            if errand.is_none() {
                // Its slice is over, or it waits for something of WASI, which is polled inside.
                return Poll::Pending;
            }
        }
    })
    .await
}
