//! What a call of the host gives: in the world `scenario` the result, in the world
//! `scenario-async` the work that leads to it. One source is written for both: with `async` methods
//! whose futures are ready at once in the first.

/// The type of a call's outcome.
#[cfg(not(feature = "dense"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __Work {
    ($result:ty) => {
        $result
    };
}

/// The type of a call's outcome.
#[cfg(feature = "dense")]
#[doc(hidden)]
#[macro_export]
macro_rules! __Work {
    ($result:ty) => {
        ::core::pin::Pin<::std::boxed::Box<dyn ::core::future::Future<Output = $result> + '_>>
    };
}

/// The body of a call: `plain`, or `waiting` where something in it is awaited.
#[cfg(not(feature = "dense"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __work {
    (plain { $($body:tt)* }) => { { $($body)* } };
    (waiting { $($body:tt)* }) => { $crate::__private::finish(async move { $($body)* }) };
}

/// The body of a call: `plain`, or `waiting` where something in it is awaited.
#[cfg(feature = "dense")]
#[doc(hidden)]
#[macro_export]
macro_rules! __work {
    ($kind:ident { $($body:tt)* }) => { ::std::boxed::Box::pin(async move { $($body)* }) };
}

pub(crate) use __Work as Work;

/// Polls of a future that says it is not ready: a few may be an author's own way to give way.
#[cfg(not(feature = "dense"))]
const POLLS_MAX: u32 = 1000;

/// The result of a future in a world where requests and waits hold up the caller: it is ready when
/// it is polled.
#[cfg(not(feature = "dense"))]
pub fn finish<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    for _ in 0..POLLS_MAX {
        if let std::task::Poll::Ready(result) = future.as_mut().poll(&mut context) {
            return result;
        }
    }
    panic!("the task waits for something that is neither a request nor a sleep of the SDK");
}

#[cfg(all(test, not(feature = "dense")))]
mod tests {
    use super::finish;
    use std::future::{pending, poll_fn};
    use std::task::Poll;

    #[test]
    fn what_gives_way_is_finished() {
        let mut polls = 0;
        let gives_way = poll_fn(|_| {
            polls += 1;
            if polls < 3 { Poll::Pending } else { Poll::Ready(polls) }
        });
        assert_eq!(finish(gives_way), 3);
    }

    #[test]
    #[should_panic(expected = "waits for something")]
    fn what_never_ends_is_told() {
        finish(pending::<()>());
    }
}
