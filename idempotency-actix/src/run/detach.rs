//! The future of a request, which its connection may leave behind. It does not know what it runs.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tracing::Instrument;

use super::context::Context as OperationContext;
use crate::telemetry::{Incident, incident};

/// Polls a request's future in place. If the connection drops it when it is committed, it moves to the
/// worker's own task and is finished there.
///
/// Spawning every request instead would cost each of them a task, and lose task-locals and the
/// tracing parent. It is one pointer, since requests without a key carry its place along.
pub(crate) struct Detach<T: 'static>(Option<Pin<Box<Work<dyn Future<Output = T>>>>>);

pin_project! {
    struct Work<F: ?Sized> {
        operation: Arc<OperationContext>,
        // Known at the first poll: whoever instruments a future enters its span then.
        span: Option<tracing::Span>,
        #[pin]
        future: F,
    }
}

impl<T> Detach<T> {
    pub(crate) fn new(
        operation: Arc<OperationContext>,
        future: impl Future<Output = T> + 'static,
    ) -> Self {
        Self(Some(Box::pin(Work {
            operation,
            span: None,
            future,
        })))
    }
}

impl<F: Future + ?Sized> Future for Work<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.span.get_or_insert_with(tracing::Span::current);
        this.future.poll(cx)
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
        let Some(work) = self.0.take() else {
            return;
        };
        if std::thread::panicking() || !work.operation.commitment().go_on_alone() {
            return;
        }
        let span = work.span.clone().unwrap_or_else(tracing::Span::none);
        spawn(async move { drop(work.await) }.instrument(span));
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
