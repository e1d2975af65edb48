//! How one retry waits for the first request: for a wake-up, and by looking for itself. It never answers.

use std::future::{Future, pending};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::dev::Payload;
use backon::ExponentialBackoff;
use futures_util::{FutureExt, StreamExt};
use tokio::time::sleep_until;

use super::operation::Operation;
use crate::claim::{Claims, Waiting};
use crate::store::{RecordId, growing_pauses};

/// The shortest pause between two looks at the store; it doubles up to [`LONGEST_PAUSE`]. Jitter makes each
/// up to twice as long.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);

const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Has an operation wait for its turn, in a place that it takes the first time and keeps. `false` if there
/// is no place, its time is up, or its client is gone.
pub(crate) async fn pause(
    waiter: &mut Option<Box<Waiter>>,
    operation: &Operation,
    payload: &mut Payload,
    change: Option<Instant>,
) -> bool {
    if waiter.is_none() {
        *waiter = Waiter::enter(operation).map(Box::new);
    }
    match waiter {
        Some(waiter) => waiter.pause(change).await && !is_cut(payload),
        None => false,
    }
}

/// Whether the client has reset a stream of HTTP/2, whose future is not dropped then. The other kinds of
/// payload cannot tell, and must not be asked again after their end.
fn is_cut(payload: &mut Payload) -> bool {
    match payload {
        Payload::None | Payload::H1 { .. } | Payload::Stream { .. } => false,
        #[allow(unreachable_patterns, reason = "reached where actix-web has HTTP/2")]
        _ => matches!(payload.next().now_or_never(), Some(Some(Err(_)))),
    }
}

/// One retry that waits. It keeps its place while it looks, and gives it up when it is dropped.
///
/// It is woken by this process, by the store where that tells of changes, and by growing pauses as the
/// safety net. Whatever woke it, it asks for the claim: a mere look would answer from a record that the
/// next step may find changed.
pub(crate) struct Waiter {
    claims: Rc<Claims>,
    id: RecordId,
    place: Waiting,
    /// What the store tells, also of changes during a look. `None` before the first pause, and once it has
    /// told at once.
    told: Option<Pin<Box<dyn Future<Output = ()>>>>,
    until: Instant,
    pauses: ExponentialBackoff,
}

impl Waiter {
    /// Takes a place for as long as the route lets it wait, unless too many wait already.
    fn enter(operation: &Operation) -> Option<Self> {
        let place = operation.claims.waiters.enter(&operation.id)?;
        Some(Self {
            claims: Rc::clone(&operation.claims),
            id: operation.id,
            place,
            told: None,
            until: Instant::now() + operation.options.wait,
            pauses: growing_pauses(SHORTEST_PAUSE, LONGEST_PAUSE),
        })
    }

    /// Listens to the store from now on. One that panics tells nothing.
    fn hear(&mut self) {
        let (claims, id) = (Rc::clone(&self.claims), self.id);
        let mut told: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async move {
            let told = AssertUnwindSafe(async { claims.store.changed(&id).await });
            if told.catch_unwind().await.is_err() {
                pending::<()>().await;
            }
        });
        let is_told = (&mut told).now_or_never().is_some();
        self.told = (!is_told).then_some(told);
    }

    /// Pauses until the record may have changed, or until a time at which it will have. `false` if the
    /// time to wait is up.
    async fn pause(&mut self, change: Option<Instant>) -> bool {
        let now = Instant::now();
        if now >= self.until {
            return false;
        }
        if self.told.is_none() {
            self.hear();
        }
        let pause = self.pauses.next().unwrap_or(LONGEST_PAUSE);
        let look = change
            .unwrap_or(self.until)
            .min(self.until)
            .min(now + pause);
        let told = async {
            match &mut self.told {
                Some(told) => told.await,
                // Nothing to wait for: whatever the store told at once, the next pause hears again.
                None => pending().await,
            }
        };
        let (is_woken, is_told) = tokio::select! {
            () = self.place.woken() => (true, false),
            () = told => (true, true),
            () = sleep_until(look.into()) => (false, false),
        };
        if is_told {
            // A change during the next look is heard, too.
            self.hear();
        }
        if is_woken {
            self.pauses = growing_pauses(SHORTEST_PAUSE, LONGEST_PAUSE);
        }
        true
    }
}
