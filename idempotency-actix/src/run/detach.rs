use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tracing::Instrument;

use crate::run::context::Ticket;
use crate::telemetry::{Incident, incident};

/// Whether a request goes on without its connection.
#[derive(Default)]
pub(crate) struct Commitment(AtomicU8);

impl Commitment {
    /// It may be dropped with its connection.
    const FREE: u8 = 0;
    /// It is finished whatever becomes of the connection.
    const COMMITTED: u8 = 1;
    /// The connection is gone, and it goes on.
    const ALONE: u8 = 2;

    /// From now on the request is finished.
    pub(crate) fn commit(&self) {
        self.change(Self::FREE, Self::COMMITTED);
    }

    /// From now on it may be dropped again; `false` if it is alone already.
    pub(crate) fn withdraw(&self) -> bool {
        self.change(Self::COMMITTED, Self::FREE)
    }

    fn go_on_alone(&self) -> bool {
        self.change(Self::COMMITTED, Self::ALONE)
    }

    fn change(&self, from: u8, to: u8) -> bool {
        let relaxed = Ordering::Relaxed;
        self.0.compare_exchange(from, to, relaxed, relaxed).is_ok()
    }
}

/// Polls a request's future in place. If the connection drops it when it is committed, it moves to the
/// worker's own task and is finished there.
///
/// Spawning every request instead would cost each of them a task, and lose task-locals and the
/// tracing parent. It is one pointer, since requests without a key carry its place along.
pub(crate) struct Detach<T: 'static>(Option<Pin<Box<Work<dyn Future<Output = T>>>>>);

pin_project! {
    struct Work<F: ?Sized> {
        ticket: Arc<Ticket>,
        // Known at the first poll: whoever instruments a future enters its span then.
        span: Option<tracing::Span>,
        #[pin]
        future: F,
    }
}

impl<T> Detach<T> {
    pub(crate) fn new(ticket: Arc<Ticket>, future: impl Future<Output = T> + 'static) -> Self {
        Self(Some(Box::pin(Work {
            ticket,
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
        if std::thread::panicking() || !work.ticket.commitment().go_on_alone() {
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
