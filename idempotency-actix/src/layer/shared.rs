//! What the workers' handles to one layer share: options, table and claims. It decides about no request.

use std::fmt;

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse};

use super::description::Label;
use crate::answer::{ProblemFn, formed};
use crate::claim::Claims;
use crate::options::{Options, Routes};
use crate::run::told;
use crate::store::clock::Clock;

/// The methods that a layer may cover. The others are safe (RFC 9110, section 9.2.1) or, like
/// CONNECT, no request for an effect on a resource.
pub(super) const ELIGIBLE: [Method; 4] = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// What all workers share of one [`Idempotency`](crate::Idempotency).
pub(crate) struct Layer {
    pub(super) claims: Claims,
    pub(super) options: Options,
    pub(super) routes: Routes,
    /// The application's form of problems, if it has one.
    pub(super) problem_response: Option<Box<ProblemFn>>,
    /// By which keys are of an age.
    pub(super) clock: Clock,
    /// The methods of all-routes mode; `None` leaves all but marked handlers alone.
    pub(super) all_routes: Option<Vec<Method>>,
    pub(super) label: Option<Label>,
    #[cfg(feature = "testing")]
    pub(super) keeps: Keeps,
}

/// What a layer keeps of the requests that it covers.
#[cfg(feature = "testing")]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeps {
    Records,
    Nothing,
}

impl Layer {
    pub(super) fn covers_all_routes(&self, method: &Method) -> bool {
        let methods = self.all_routes.as_deref();
        methods.is_some_and(|methods| methods.contains(method))
    }

    /// An answer on its way out: its outcome is told, if it is an answer of ours, and a problem has the application's form.
    pub(super) fn formed(&self, mut response: HttpResponse, request: &HttpRequest) -> HttpResponse {
        told(request, &mut response, &self.options);
        match &self.problem_response {
            Some(form) => formed(response, request, &**form),
            None => response,
        }
    }
}

impl Drop for Layer {
    fn drop(&mut self) {
        self.claims.close();
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idempotency")
            .field("options", &self.options)
            .field("all_routes", &self.all_routes)
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
}
