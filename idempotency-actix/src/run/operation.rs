//! What identifies one operation, made of a request: its key, fingerprint and record id. It asks no store.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use actix_web::dev::Payload;
use actix_web::web::Bytes;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};

use super::context::Context;
use super::observed::mark;
use crate::answer::{Accepted, Problem, caught, drop_marks, edited, reject};
use crate::claim::{CallerHash, Claims, Moment, Seat};
use crate::options::{NoScope, Options, Unknown};
use crate::request::{Caller, Fingerprint, Key, RecordId, Unread, digest, path_of, read_body};
use crate::store::{Claim, Description, State, Token};
use crate::telemetry::Outcome;

/// A request with a good key.
pub(crate) struct Keyed {
    claims: Rc<Claims>,
    options: Rc<Options>,
    context: Arc<Context>,
    /// Where the key was found in it.
    body: Option<Box<Bytes>>,
}

/// What is known of an operation before its caller is.
pub(crate) struct Announced {
    pub(crate) body: Bytes,
    keyed: Keyed,
    fingerprint: Fingerprint,
}

/// One operation, as its first request and every retry name it.
pub(crate) struct Operation {
    pub(crate) id: RecordId,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) claims: Rc<Claims>,
    /// Behind a pointer, as it crosses every await of the operation.
    pub(crate) options: Rc<Options>,
    pub(crate) context: Arc<Context>,
    pub(crate) body: Bytes,
    /// Only where a quota is kept.
    caller: Option<Box<CallerHash>>,
    /// Whose claim it is, by a hash of this process; `None` for everyone's.
    claimant: Option<u64>,
    is_retry: Cell<bool>,
}

impl Keyed {
    pub(crate) fn new(
        claims: &Rc<Claims>,
        options: Rc<Options>,
        key: Key,
        description: Description,
        request: &HttpRequest,
    ) -> Self {
        let context = Context::new(key, description, Accepted::by(request));
        Self {
            claims: Rc::clone(claims),
            options,
            context: Arc::new(context),
            body: None,
        }
    }

    /// The same where the key was found in the body.
    pub(crate) fn with_body(self, body: Bytes) -> Self {
        Self {
            body: Some(Box::new(body)),
            ..self
        }
    }

    pub(crate) fn claims(&self) -> &Rc<Claims> {
        &self.claims
    }

    /// Reads the body, and hands the key to whoever extracts it from now on.
    pub(crate) async fn read(
        mut self,
        request: &HttpRequest,
        payload: &mut Payload,
    ) -> Result<Announced, Box<HttpResponse>> {
        let body = match self.body.take() {
            Some(body) => *body,
            None => whole_body(request, payload, &self.options).await?,
        };
        let fingerprint = caught(|| self.options.fingerprint_of(request, &body))?;
        let context = Arc::clone(&self.context);
        request.extensions_mut().insert(context);
        Ok(Announced {
            body,
            keyed: self,
            fingerprint,
        })
    }
}

/// The body of a request within its limit, or the answer to one that cannot be read. What is left of it stays unread.
pub(crate) async fn whole_body(
    request: &HttpRequest,
    payload: &mut Payload,
    options: &Options,
) -> Result<Bytes, Box<HttpResponse>> {
    let limit = options.max_body;
    match read_body(request, payload, limit).await {
        Ok(body) => Ok(body),
        Err(Unread::TooLarge) => {
            let problem = Problem::BodyTooLarge { limit };
            Err(Box::new(reject(problem, &options.problem_base)))
        }
        // In the way in which actix-web answers a broken payload.
        Err(Unread::Broken(error)) => {
            // Nothing is left of it that a refusal could read.
            *payload = Payload::None;
            Err(Box::new(HttpResponse::from_error(error)))
        }
    }
}

impl Announced {
    /// Derives whose operation this is; from here on it has a name.
    pub(crate) fn identify(self, request: &HttpRequest) -> Result<Operation, Box<HttpResponse>> {
        let Keyed {
            claims,
            options,
            context,
            body: _,
        } = self.keyed;
        let caller = caught(|| options.scope.of(request))?.map_err(|refusal| match refusal {
            NoScope::Missing => Box::new(reject(Problem::NoScope, &options.problem_base)),
            NoScope::Answer(mut answer) => {
                drop_marks(answer.headers_mut());
                mark(&mut answer, Outcome::Rejected);
                answer
            }
        })?;
        let (method, path) = (request.method(), path_of(request));
        let id = RecordId::of(&caller, method, path, context.key().as_str());
        context.bind(id);
        let is_counted = options.max_in_flight.is_some();
        Ok(Operation {
            id,
            fingerprint: self.fingerprint,
            claims,
            context,
            body: self.body,
            claimant: claimant(&caller),
            caller: is_counted.then(|| Box::new(digest(&[caller.as_bytes()]))),
            options,
            is_retry: Cell::new(false),
        })
    }
}

impl Operation {
    /// An answer in place of a run, as the route edits it if it is a replay.
    pub(crate) fn edited(&self, answer: HttpResponse, request: &HttpRequest) -> HttpResponse {
        edited(answer, request, &self.body, &self.options)
    }

    /// What this client is told of a record.
    pub(crate) fn told(&self, state: State) -> HttpResponse {
        self.context.of_record(state, &self.options)
    }

    /// A new claim to it, asked for at that time.
    pub(crate) fn claim(&self, asked: Moment) -> Claim {
        let (lease, retention) = (self.options.lease, self.options.claim_retention());
        let claim = Claim::new(Token::random(), self.fingerprint, lease, retention)
            .described(self.context.description().clone().at(asked.wall()));
        let claim = match self.claimant {
            Some(claimant) => claim.of_caller(claimant),
            None => claim,
        };
        match self.options.unknown {
            Unknown::Recover(_) => claim.fenced(),
            Unknown::Reject | Unknown::Rerun => claim,
        }
    }

    /// Notes that it waits for another attempt: from now on a failing store is no reason to run
    /// unprotected, and a full quota none to give up.
    pub(crate) fn retries(&self) {
        self.is_retry.set(true);
    }

    pub(crate) fn is_retry(&self) -> bool {
        self.is_retry.get()
    }

    /// The request's fingerprint by another's scheme; `None` where that cannot be computed.
    pub(crate) fn fingerprint_like(
        &self,
        other: &Fingerprint,
        request: &HttpRequest,
    ) -> Option<Fingerprint> {
        if self.fingerprint.is_comparable_to(other) {
            return Some(self.fingerprint);
        }
        caught(|| (self.options).fingerprint_like(other, request, &self.body)).ok()?
    }

    /// Whether there is a seat among the caller's operations in flight. To take it for a mere look would
    /// have replays refuse first requests.
    pub(crate) fn has_seat_left(&self) -> bool {
        match (&self.caller, self.options.max_in_flight) {
            (Some(caller), Some(limit)) => self.claims.quotas.has_room(caller, limit),
            _ => true,
        }
    }

    /// A seat among the caller's operations in flight; `None` if it has all that it may have.
    pub(crate) fn seat(&self) -> Option<Seat> {
        match (&self.caller, self.options.max_in_flight) {
            (Some(caller), Some(limit)) => self.claims.quotas.admit(**caller, limit),
            _ => Some(Seat::Uncounted),
        }
    }
}

/// A caller by a hash that none can choose, and that means nothing outside of the process.
fn claimant(caller: &Caller) -> Option<u64> {
    static SECRET: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    (*caller != Caller::everyone()).then(|| SECRET.hash_one(caller.as_bytes()))
}
