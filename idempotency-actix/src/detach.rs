use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use tracing::Instrument;

use crate::telemetry::{Incident, incident};

/// Polls a future in place, and moves it to the worker's own task if the connection drops it.
///
/// Spawning every request instead would cost each of them a task, and lose task-locals and the
/// tracing parent.
pub(crate) fn to_completion<F: Future + 'static>(future: F) -> Detach<F> {
    Detach {
        future: Some(Box::pin(future)),
        span: tracing::Span::current(),
    }
}

pub(crate) struct Detach<F: Future + 'static> {
    future: Option<Pin<Box<F>>>,
    span: tracing::Span,
}

impl<F: Future + 'static> Future for Detach<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.future.as_mut();
        let poll = future.expect("polled after completion").as_mut().poll(cx);
        if poll.is_ready() {
            self.future = None;
        }
        poll
    }
}

impl<F: Future + 'static> Drop for Detach<F> {
    fn drop(&mut self) {
        let Some(future) = self.future.take() else {
            return;
        };
        if std::thread::panicking() {
            return;
        }
        let span = std::mem::replace(&mut self.span, tracing::Span::none());
        spawn(async move { drop(future.await) }.instrument(span));
    }
}

/// Spawns onto the worker's local set, or says that there is none and drops the task.
///
/// In the teardown of a runtime there is no handle; outside of a local set there is a handle and
/// `spawn_local` panics.
pub(crate) fn spawn(task: impl Future<Output = ()> + 'static) {
    let spawned = tokio::runtime::Handle::try_current().is_ok()
        && catch_unwind(AssertUnwindSafe(|| actix_web::rt::spawn(task))).is_ok();
    if !spawned {
        let cause = "no runtime to finish on; the record becomes unknown when its lease is over";
        incident(Incident::Abandoned, &"detached request", &cause);
    }
}
