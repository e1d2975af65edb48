use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tracing::Instrument;

use crate::telemetry::{Incident, incident};
use crate::ticket::Ticket;

/// Whether a request goes on without its connection.
#[derive(Default)]
pub(crate) struct Hold(AtomicU8);

impl Hold {
    /// It may be dropped with its connection.
    const FREE: u8 = 0;
    /// It is finished whatever becomes of the connection.
    const HELD: u8 = 1;
    /// The connection is gone, and it goes on.
    const ALONE: u8 = 2;

    /// From now on the request is finished.
    pub(crate) fn take(&self) {
        self.change(Self::FREE, Self::HELD);
    }

    /// From now on it may be dropped again; `false` if it is alone already.
    pub(crate) fn let_go(&self) -> bool {
        self.change(Self::HELD, Self::FREE)
    }

    fn leave_alone(&self) -> bool {
        self.change(Self::HELD, Self::ALONE)
    }

    fn change(&self, from: u8, to: u8) -> bool {
        let relaxed = Ordering::Relaxed;
        self.0.compare_exchange(from, to, relaxed, relaxed).is_ok()
    }
}

/// Polls a request's future in place. If the connection drops it while it is held, it moves to the worker's own
/// task and is finished there.
///
/// Spawning every request instead would cost each of them a task, and lose task-locals and the
/// tracing parent. It is one pointer, since requests without a key carry its place along.
pub(crate) struct Detach<T: 'static>(Option<Pin<Box<Held<dyn Future<Output = T>>>>>);

pin_project! {
    struct Held<F: ?Sized> {
        ticket: Arc<Ticket>,
        span: tracing::Span,
        #[pin]
        future: F,
    }
}

impl<T> Detach<T> {
    pub(crate) fn new(ticket: Arc<Ticket>, future: impl Future<Output = T> + 'static) -> Self {
        let span = tracing::Span::current();
        let held = Held {
            ticket,
            span,
            future,
        };
        Self(Some(Box::pin(held)))
    }
}

impl<F: Future + ?Sized> Future for Held<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().future.poll(cx)
    }
}

impl<T> Future for Detach<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let held = self.0.as_mut().expect("polled after completion");
        let poll = held.as_mut().poll(cx);
        if poll.is_ready() {
            self.0 = None;
        }
        poll
    }
}

impl<T> Drop for Detach<T> {
    fn drop(&mut self) {
        let Some(held) = self.0.take() else {
            return;
        };
        if std::thread::panicking() || !held.ticket.hold().leave_alone() {
            return;
        }
        let span = held.span.clone();
        spawn(async move { drop(held.await) }.instrument(span));
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
