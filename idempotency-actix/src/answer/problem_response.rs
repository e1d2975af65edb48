//! The form that an application gives to our answers: which of them it is, as data, and what stays ours whatever it makes of
//! it. It does not know when which is told.

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, LINK, LOCATION, RETRY_AFTER, VARY};
use actix_web::{HttpRequest, HttpResponse};

use super::failure::caught;
use super::not_executed::NotExecuted;
use super::problem::{self, Posed};
use super::replay::drop_marks;
use crate::telemetry::{Outcome, Told};

/// Which problem a client is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProblemKind {
    /// 400: the key is missing where it is required.
    MissingKey,
    /// 400: what is there is no key, or none that the route takes.
    InvalidKey,
    /// 400: the time of the first try is missing or cannot be read.
    InvalidFirstSent,
    /// 400: nobody can tell whose key it is.
    NoScope,
    /// 409: the first request is still running.
    InFlight,
    /// 410: the first request was answered, and its answer not kept.
    ResponseNotKept,
    /// 412: the key is too old.
    KeyExpired,
    /// 413: the body is over `max_body`.
    BodyTooLarge,
    /// 422: the key was used for another request.
    KeyReused,
    /// 429: the caller has too many operations running.
    QuotaExceeded,
    /// 500: nobody knows what became of the first request.
    OutcomeUnknown,
    /// 503: the store does not answer.
    StoreUnavailable,
    /// 503: the server is about to stop, and takes no new keys.
    Draining,
}

/// A problem of the layer's own, for an application that gives its errors another form than RFC 9457.
///
/// It has what the client may know: no key, no caller, nothing of the request.
#[derive(Clone)]
pub struct Problem(Posed);

impl Problem {
    /// Which one it is.
    pub fn kind(&self) -> ProblemKind {
        use problem::Problem as P;
        match &self.0.problem {
            P::MissingKey(_) => ProblemKind::MissingKey,
            P::InvalidKey(_) => ProblemKind::InvalidKey,
            P::InvalidFirstSent(_) => ProblemKind::InvalidFirstSent,
            P::NoScope => ProblemKind::NoScope,
            P::InFlight => ProblemKind::InFlight,
            P::ResponseNotKept(_) | P::OtherCoding(_) => ProblemKind::ResponseNotKept,
            P::KeyExpired { .. } => ProblemKind::KeyExpired,
            P::BodyTooLarge { .. } => ProblemKind::BodyTooLarge,
            P::KeyReused => ProblemKind::KeyReused,
            P::QuotaExceeded => ProblemKind::QuotaExceeded,
            P::OutcomeUnknown => ProblemKind::OutcomeUnknown,
            P::StoreUnavailable | P::Undecided => ProblemKind::StoreUnavailable,
            P::Draining => ProblemKind::Draining,
        }
    }

    /// The last part of its type, such as `in-flight`.
    pub fn name(&self) -> &'static str {
        self.0.problem.identity().0
    }

    /// Its type: the layer's [base](crate::IdempotencyBuilder::problem_base) and the name.
    pub fn type_uri(&self) -> &str {
        &self.0.uri
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.0.problem.identity().1
    }

    /// What it is, in a few words that are the same each time.
    pub fn title(&self) -> &'static str {
        self.0.problem.identity().2
    }

    /// What this client can do about it.
    pub fn detail(&self) -> String {
        self.0.problem.detail()
    }

    /// How long a key is good, where this one is [too old](ProblemKind::KeyExpired).
    pub fn max_key_age(&self) -> Option<Duration> {
        match self.0.problem {
            problem::Problem::KeyExpired { max_key_age } => Some(max_key_age),
            _ => None,
        }
    }

    /// The status of the first answer, where that was [not kept](ProblemKind::ResponseNotKept).
    pub fn original_status(&self) -> Option<u16> {
        use problem::Problem as P;
        match &self.0.problem {
            P::ResponseNotKept(kept) | P::OtherCoding(kept) => Some(kept.status),
            _ => None,
        }
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Problem").field(&self.name()).finish()
    }
}

/// A function of the application's that gives problems its own form.
pub(crate) type ProblemFn = dyn Fn(&HttpRequest, &Problem) -> HttpResponse + Send + Sync;

/// The answer in the form that the application gives it, if it is a problem. Its status stays, and so do the headers by which
/// clients and caches act.
pub(crate) fn formed(
    mut response: HttpResponse,
    request: &HttpRequest,
    form: &ProblemFn,
) -> HttpResponse {
    let Some(posed) = response.extensions_mut().remove::<Posed>() else {
        return response;
    };
    let problem = Problem(posed);
    let mut own = match caught(|| form(request, &problem)) {
        Ok(own) => own,
        // Of the problem it was told already.
        Err(mut answer) => {
            answer.extensions_mut().remove::<Told>();
            return *answer;
        }
    };
    *own.status_mut() = response.status();
    if let Some(outcome) = response.extensions().get::<Outcome>() {
        own.extensions_mut().insert(*outcome);
    }
    drop_marks(own.headers_mut());
    for name in [CACHE_CONTROL, RETRY_AFTER, LOCATION, VARY] {
        if let Some(value) = response.headers().get(&name) {
            own.headers_mut().insert(name, value.clone());
        }
    }
    if let (Some(link), false) = (
        response.headers().get(LINK),
        own.headers().contains_key(LINK),
    ) {
        own.headers_mut().insert(LINK, link.clone());
    }
    NotExecuted::mark(&mut own);
    own
}
