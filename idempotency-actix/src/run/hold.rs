//! What a handler tells the layer that polls it: whether the request outlives its connection, and the answer that has not
//! passed the layer yet. It does not know what is run.

use std::cell::RefCell;
use std::mem;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::finish::{Finishing, Passed};
use super::transacted::Transacted;
use crate::options::Options;

thread_local! {
    /// That of the innermost held request which is polled on this thread. It is lent for each poll: a cell that
    /// holder and handler share would be one more allocation for every request, also without a key.
    static CURRENT: RefCell<Option<Hold>> = const { RefCell::new(None) };
}

/// How a request is held.
#[derive(Default)]
pub(super) struct Hold {
    commitment: Commitment,
    finishing: Option<Box<Unfinished>>,
}

/// Whether a request goes on without its connection.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Commitment {
    /// It may be dropped with its connection.
    #[default]
    Free,
    /// It is finished whatever becomes of the connection.
    Committed,
    /// The connection is gone, and it goes on.
    Alone,
}

impl Hold {
    /// Lends it to what is polled until the value is dropped.
    pub(super) fn enter(&mut self) -> Entered<'_> {
        let outer = CURRENT.replace(Some(mem::take(self)));
        Entered { own: self, outer }
    }

    /// Whether it goes on, now that its connection is gone.
    pub(super) fn goes_on_alone(&mut self) -> bool {
        let goes_on = self.commitment == Commitment::Committed;
        if goes_on {
            self.commitment = Commitment::Alone;
        }
        goes_on
    }
}

/// A hold while it is lent.
pub(super) struct Entered<'a> {
    own: &'a mut Hold,
    outer: Option<Hold>,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if let Some(own) = CURRENT.replace(self.outer.take()) {
            *self.own = own;
        }
    }
}

/// Whether whoever asks is polled by a holder: something between might have moved it to a task of its own.
pub(crate) fn is_held() -> bool {
    CURRENT.with_borrow(Option::is_some)
}

/// From now on the request is finished whatever becomes of its connection.
pub(super) fn commit() {
    change(Commitment::Free, Commitment::Committed);
}

/// From now on it may be dropped again; `false` if it is alone already.
pub(super) fn withdraw() -> bool {
    change(Commitment::Committed, Commitment::Free)
}

fn change(from: Commitment, to: Commitment) -> bool {
    CURRENT.with_borrow_mut(|current| match current {
        Some(hold) if hold.commitment == from => {
            hold.commitment = to;
            true
        }
        _ => false,
    })
}

/// An answer that has not passed the layer yet.
pub(crate) enum Unfinished {
    Claim(Finishing),
    Transaction(Transacted),
}

impl Unfinished {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Claim(finishing) => finishing.status(),
            Self::Transaction(transacted) => transacted.status(),
        }
    }

    /// The options of its record; `None` where it has none.
    pub(crate) fn options(&self) -> Option<&Options> {
        match self {
            Self::Claim(finishing) => Some(finishing.options()),
            Self::Transaction(transacted) => transacted.options(),
        }
    }

    /// Finishes it before the client gets it.
    pub(crate) async fn pass(&mut self) -> Passed {
        match self {
            Self::Claim(finishing) => finishing.pass().await,
            Self::Transaction(transacted) => Box::pin(transacted.pass()).await,
        }
    }

    /// Finishes another answer that came out instead.
    pub(crate) async fn replace(self, response: &mut HttpResponse) {
        match self {
            Self::Claim(finishing) => finishing.replace(response).await,
            Self::Transaction(transacted) => Box::pin(transacted.replace(response)).await,
        }
    }
}

/// Leaves an answer to be finished where it passes the layer.
pub(crate) fn hand_up(finishing: Unfinished) {
    CURRENT.with_borrow_mut(|current| {
        if let Some(hold) = current {
            hold.finishing = Some(Box::new(finishing));
        }
    });
}

/// The answer of a handler inside that is to be finished here.
pub(crate) fn handed_up() -> Option<Box<Unfinished>> {
    CURRENT.with_borrow_mut(|current| current.as_mut()?.finishing.take())
}
