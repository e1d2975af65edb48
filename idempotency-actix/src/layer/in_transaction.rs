//! The extractor of a transaction, for those who write one for their store's type. It does not know when it is opened.

use std::any::Any;
use std::cell::{Cell, OnceCell};
use std::fmt;
use std::future::{Future, Ready, ready};
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::dev::Payload;
use actix_web::error::InternalError;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest};
use pin_project_lite::pin_project;

use super::outer_claim::OuterClaim;
use super::uncovered::not_covered;
use super::worker::Worker;
use crate::answer::misconfigured;
use crate::store::{ErasedStore, Slot, SlotOf, Transactions};
use crate::telemetry::method_name;

/// The transaction of a marked handler, in which its effect, its record and its answer commit together.
///
/// A store's crate wraps it in an extractor of its own, which dereferences to whatever statements are sent over. A handler
/// that takes it as an argument is transactional; nothing else marks it. The transaction is opened when the claim is asked
/// for, so that it is there when the handler is called, and not before. It is committed or rolled back when the answer
/// passes the layer. A handle that is not dropped with its handler (stored, spawned) means that nothing is committed, and
/// 500.
///
/// # Errors
///
/// Extraction answers 500, with a log line that says what to write: outside of a layer, in a handler without the attribute,
/// under the claim of an all-routes layer, over a store of another type, and twice in one handler.
///
/// # Panics
///
/// To use it inside of an extractor panics: no transaction is open before the arguments are there.
pub struct InTransaction<S: Transactions> {
    slot: Rc<SlotOf<S>>,
    /// Taken out of the slot at the first use.
    taken: OnceCell<S::Transaction>,
}

impl<S: Transactions> Deref for InTransaction<S> {
    type Target = S::Transaction;

    fn deref(&self) -> &S::Transaction {
        let take = || {
            self.slot
                .take()
                .expect("a transaction, which is open while its handler runs")
        };
        self.taken.get_or_init(take)
    }
}

impl<S: Transactions> DerefMut for InTransaction<S> {
    fn deref_mut(&mut self) -> &mut S::Transaction {
        _ = **self;
        self.taken
            .get_mut()
            .expect("a transaction that was just taken")
    }
}

impl<S: Transactions> Drop for InTransaction<S> {
    fn drop(&mut self) {
        self.slot.hand_back(self.taken.take());
    }
}

impl<S: Transactions> fmt::Debug for InTransaction<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InTransaction").finish_non_exhaustive()
    }
}

impl<S: Transactions> FromRequest for InTransaction<S> {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let (worker, is_claimed) = {
            let extensions = request.extensions();
            let worker = Worker::of(&extensions).cloned();
            (worker, OuterClaim::of(&extensions).is_some())
        };
        let Some(worker) = worker else {
            return ready(Err(not_covered("a handler with a transaction", request)));
        };
        let slot = match IS_OFFERED.get() {
            _ if is_claimed => Err(UNDER_A_CLAIM),
            true => want::<S>(request, worker.store()),
            false => Err(UNMARKED),
        };
        ready(match slot {
            Ok(slot) => Ok(Self {
                slot,
                taken: OnceCell::new(),
            }),
            Err(advice) => Err(misplaced(advice, request)),
        })
    }
}

const UNDER_A_CLAIM: &str = "the all-routes layer around it has claimed the key outside of any transaction: give that layer \
    an entry `.route(method, pattern, RouteOptions::new().skip())` for the route, whose marked handler then claims for itself";
const UNMARKED: &str = "only a handler marked with `#[idempotent]` has a transaction, as an argument: mark the handler";
const OTHER_STORE: &str =
    "the layer's store is of another type: make the layer with the store whose transaction this is";
const TWICE: &str = "a handler has one transaction: take it once, and lend it to whatever needs it";

fn misplaced(advice: &'static str, request: &HttpRequest) -> Error {
    let advice =
        format!("a handler cannot have its transaction here, so the request was refused: {advice}");
    tracing::error!(
        method = method_name(request.method()),
        route = request.match_pattern().unwrap_or_default(),
        "{advice}",
    );
    InternalError::from_response("no transaction", misconfigured(advice)).into()
}

thread_local! {
    /// Whether what is polled on this thread are the arguments of a marked handler that claims for itself.
    static IS_OFFERED: Cell<bool> = const { Cell::new(false) };
}

pin_project! {
    /// Extracts a handler's arguments, which may be a transaction.
    pub(super) struct Offering<F> {
        #[pin]
        arguments: F,
    }
}

pub(super) fn offering<F>(arguments: F) -> Offering<F> {
    Offering { arguments }
}

impl<F: Future> Future for Offering<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let _offer = Offer(IS_OFFERED.replace(true));
        self.project().arguments.poll(cx)
    }
}

/// Puts back what was there before.
struct Offer(bool);

impl Drop for Offer {
    fn drop(&mut self) {
        IS_OFFERED.set(self.0);
    }
}

/// The transaction that a handler's arguments want. It is with the request from their extraction on, until the handler's
/// mark takes it.
#[derive(Clone)]
pub(super) struct Wanted {
    slot: Rc<dyn Slot>,
    /// The same, for those who know its type.
    typed: Rc<dyn Any>,
}

impl Wanted {
    pub(super) fn take(request: &HttpRequest) -> Option<Self> {
        request.extensions_mut().remove()
    }

    /// Lets the arguments be extracted anew, for the same place.
    pub(super) fn again(&self, request: &HttpRequest) {
        request.extensions_mut().insert(self.clone());
    }

    pub(super) fn slot(&self) -> &Rc<dyn Slot> {
        &self.slot
    }
}

/// A handle's place before that store.
fn want<S: Transactions>(
    request: &HttpRequest,
    store: &Arc<dyn ErasedStore>,
) -> Result<Rc<SlotOf<S>>, &'static str> {
    let wanted = request.extensions().get::<Wanted>().cloned();
    let slot = match wanted {
        Some(wanted) => wanted.typed.downcast::<SlotOf<S>>().map_err(|_| TWICE)?,
        None => {
            let slot = Rc::new(SlotOf::<S>::before(store).ok_or(OTHER_STORE)?);
            let wanted = Wanted {
                slot: slot.clone(),
                typed: slot.clone(),
            };
            request.extensions_mut().insert(wanted);
            slot
        }
    };
    match slot.hand_out() {
        true => Ok(slot),
        false => {
            slot.hand_back(None);
            Err(TWICE)
        }
    }
}
