//! Finishes a request whose client has left: its future moves to a task of the worker's. It does not know what it runs.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tracing::Instrument;

use super::hold::Hold;
use super::spawn::spawn;
use crate::claim::Claims;
use crate::telemetry::current_span;

/// Holds a request's future and polls it in place. If the connection drops it when it is committed, it moves to
/// the worker's own task and is finished there.
///
/// Spawning every request instead would cost each of them a task, and lose task-locals and the
/// tracing parent. It is one pointer, since requests that are not held carry its place along.
pub(crate) struct Detach<T: 'static>(Option<Pin<Box<Work<dyn Future<Output = T>>>>>);

pin_project! {
    struct Work<F: ?Sized> {
        hold: Hold,
        // Known at the first poll: whoever instruments a future enters its span then.
        span: Option<tracing::Span>,
        // Stays set where the future panics, and must not be polled again.
        is_polled: bool,
        // Whose activity it is, once its client has left.
        claims: Rc<Claims>,
        #[pin]
        future: F,
    }
}

impl<T> Detach<T> {
    pub(crate) fn new(claims: Rc<Claims>, future: impl Future<Output = T> + 'static) -> Self {
        Self(Some(Box::pin(Work {
            hold: Hold::default(),
            span: None,
            is_polled: false,
            claims,
            future,
        })))
    }
}

impl<F: Future + ?Sized> Future for Work<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.span.get_or_insert_with(current_span);
        *this.is_polled = true;
        let _entered = this.hold.enter();
        let poll = this.future.poll(cx);
        *this.is_polled = false;
        poll
    }
}

impl<T> Future for Detach<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let work = self.0.as_mut().expect("polled after completion");
        let poll = work.as_mut().poll(cx);
        if poll.is_ready() {
            self.0 = None;
        }
        poll
    }
}

impl<T> Drop for Detach<T> {
    fn drop(&mut self) {
        let Some(mut work) = self.0.take() else {
            return;
        };
        let this = work.as_mut().project();
        if *this.is_polled || !this.hold.goes_on_alone() {
            return;
        }
        let span = this.span.clone().unwrap_or_else(tracing::Span::none);
        let detached = this.claims.activity.detach();
        spawn(
            async move {
                drop(work.await);
                drop(detached);
            }
            .instrument(span),
        );
    }
}
