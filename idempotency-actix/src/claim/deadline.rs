//! The time-out of a store call. It does not know what is asked.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};

use crate::store::StoreError;

/// A store call with a deadline of its own: past it, nobody knows whether it was applied.
///
/// A store that answers at once, as one in memory does, costs no timer.
pub(crate) fn deadline<F>(timeout: Duration, call: F) -> Deadline<F> {
    Deadline {
        call,
        timeout,
        timer: None,
    }
}

pin_project! {
    /// Written out: an `async fn` would keep its arguments twice, and every request has room for it.
    pub(crate) struct Deadline<F> {
        #[pin]
        call: F,
        timeout: Duration,
        // Behind a pointer, since a call that waits is dearer than an allocation, and every request has room for one.
        timer: Option<Pin<Box<Sleep>>>,
    }
}

impl<F, T> Future for Deadline<F>
where
    F: Future<Output = Result<T, StoreError>>,
{
    type Output = Result<T, StoreError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(answer) = this.call.poll(cx) {
            return Poll::Ready(answer);
        }
        let timeout = *this.timeout;
        let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(StoreError::unavailable(format!(
            "no answer in {timeout:?}"
        ))))
    }
}
