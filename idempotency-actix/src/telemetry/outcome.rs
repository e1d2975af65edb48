//! How a request was answered, as whoever is told has it. It tells nobody.

use std::any::TypeId;
use std::fmt;
use std::time::Duration;

/// How a request with a key was answered: the label of `idempotency_requests_total`, and an extension of each answer of
/// the layer's, for middleware around it.
///
/// # Examples
///
/// Middleware around the layer that counts replays:
///
/// ```
/// use actix_web::body::MessageBody;
/// use actix_web::dev::{ServiceRequest, ServiceResponse};
/// use actix_web::middleware::Next;
/// use actix_web::Error;
/// use idempotency_actix::Outcome;
///
/// async fn watch(
///     request: ServiceRequest,
///     next: Next<impl MessageBody>,
/// ) -> Result<ServiceResponse<impl MessageBody>, Error> {
///     let response = next.call(request).await?;
///     if response.response().extensions().get() == Some(&Outcome::Replayed) {
///         println!("a retry was answered");
///     }
///     Ok(response)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The handler ran, and its answer is every retry's.
    First,
    /// The handler ran, and its answer is not kept: it is too long, an event stream, or a stream that broke off. A retry
    /// is told 410.
    FirstNotKept,
    /// A retry got the first answer.
    Replayed,
    /// The first request still runs: 409.
    InFlight,
    /// The key was used for another request: 422.
    Mismatch,
    /// Nobody knows whether the first request took effect: 500.
    Unknown,
    /// A retry of a request whose answer was not kept: 410.
    NotKept,
    /// The handler ran, or was about to, and has not acted; the next retry runs.
    Released,
    /// Refused before its record told anything: the reason is the problem.
    Rejected,
}

impl Outcome {
    /// The outcome in one word, as logs and metrics have it: `first`, `first_not_kept`, `replayed`, `in_flight`,
    /// `mismatch`, `unknown`, `not_kept`, `released` or `rejected`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::FirstNotKept => "first_not_kept",
            Self::Replayed => "replayed",
            Self::InFlight => "in_flight",
            Self::Mismatch => "mismatch",
            Self::Unknown => "unknown",
            Self::NotKept => "not_kept",
            Self::Released => "released",
            Self::Rejected => "rejected",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The first four octets of a record's id in hexadecimal: enough to find the lines of one operation, and not to find the
/// record.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RecordHash([u8; 4]);

impl RecordHash {
    pub(crate) fn new(octets: [u8; 4]) -> Self {
        Self(octets)
    }
}

impl fmt::Display for RecordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for RecordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One request with a key, or that should have had one, and how it was answered.
///
/// There is nothing in it of what the client sent but the method.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct OutcomeEvent<'a> {
    /// How it was answered.
    pub outcome: Outcome,
    /// The last part of the problem's type, where the answer is a problem of ours: `key-reused`.
    pub problem: Option<&'static str>,
    /// The method; `unregistered` for one that is in no registry.
    pub method: &'a str,
    /// The pattern of the route, with the scopes it is in; `None` where no resource matched.
    pub route: Option<&'a str>,
    /// Which record it was about, as logs name it; `None` where the request came to none.
    pub record: Option<RecordHash>,
    /// The attempt's generation, where the handler was to run.
    pub generation: Option<u64>,
    /// How long ago the answer was recorded that a retry was told of.
    pub age: Option<Duration>,
    /// How long the request waited for a first one.
    pub waited: Option<Duration>,
    /// How long it took from the question for the claim to the end of the answer: of a stream, to its last chunk.
    pub ran: Option<Duration>,
}

/// What an application does with each outcome.
pub(crate) trait ObserverFn: Send + Sync {
    fn observe(&self, event: &OutcomeEvent<'_>);

    /// Tells one function from another.
    fn kind(&self) -> TypeId
    where
        Self: 'static,
    {
        TypeId::of::<Self>()
    }
}

impl<F: Fn(&OutcomeEvent<'_>) + Send + Sync> ObserverFn for F {
    fn observe(&self, event: &OutcomeEvent<'_>) {
        self(event);
    }
}

/// What an answer of ours says of itself, until somebody knows the request.
#[derive(Clone, Copy)]
pub(crate) struct Told {
    pub(crate) outcome: Outcome,
    pub(crate) problem: Option<&'static str>,
}

impl Told {
    pub(crate) fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            problem: None,
        }
    }

    /// The event of a request of which no more is known.
    pub(crate) fn event<'a>(self, method: &'a str, route: Option<&'a str>) -> OutcomeEvent<'a> {
        OutcomeEvent {
            outcome: self.outcome,
            problem: self.problem,
            method,
            route,
            record: None,
            generation: None,
            age: None,
            waited: None,
            ran: None,
        }
    }
}
