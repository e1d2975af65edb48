//! What a marked handler does with a request: whether it runs for a key, just runs, or is refused, also by its method and under
//! an outer claim. How it runs is not known here.

use actix_web::{HttpMessage, HttpRequest, HttpResponse};

use super::outer_claim::OuterClaim;
use super::shared::ELIGIBLE;
use super::uncovered::not_covered;
use super::worker::{Decided, Decision, InBody, Worker};
use crate::answer::misconfigured;
use crate::options::RouteOptions;
use crate::run::Keyed;
use crate::telemetry::method_name;

/// What a marked handler does with a request.
pub(super) enum Start {
    /// It just runs, under the claim of an outer layer if there is one.
    Pass(Option<OuterClaim>),
    Run(Keyed),
    Answer(Box<HttpResponse>),
}

impl Start {
    /// What there is to do, unless the body has to be read first.
    pub(super) fn of(request: &HttpRequest, route: &'static RouteOptions) -> Result<Self, InBody> {
        let method = request.method();
        if !ELIGIBLE.contains(method) {
            return Ok(match method.is_safe() {
                true => Self::Pass(None),
                false => Self::unprotected(request),
            });
        }
        let (outer, worker) = {
            let extensions = request.extensions();
            let outer = OuterClaim::of(&extensions).cloned();
            (outer, Worker::of(&extensions).cloned())
        };
        if let Some(outer) = outer {
            return Ok(Self::inside(outer, request, route));
        }
        let Some(worker) = worker else {
            let what = "a handler marked with #[idempotent]";
            let answer = HttpResponse::from_error(not_covered(what, request));
            return Ok(Self::Answer(Box::new(answer)));
        };
        match worker.mark(request, route) {
            Decision::Now(decided) => Ok(decided.into()),
            Decision::Read(in_body) => Err(in_body),
        }
    }

    /// Refuses a method that has an effect and is never covered: a marked handler does not run unprotected.
    fn unprotected(request: &HttpRequest) -> Self {
        let advice = "a handler marked with #[idempotent] is routed by a method that is never covered, so the request was \
            refused: route it by POST, PUT, PATCH or DELETE, or take the attribute away";
        tracing::error!(
            method = method_name(request.method()),
            route = request.match_pattern().unwrap_or_default(),
            "{advice}",
        );
        Self::Answer(Box::new(misconfigured(advice)))
    }

    /// Under the claim of an outer layer, the handler overrides what that one decides afterwards.
    fn inside(outer: OuterClaim, request: &HttpRequest, route: &'static RouteOptions) -> Self {
        let Some(option) = outer.too_late(route) else {
            outer.reach(route);
            return Self::Pass(Some(outer));
        };
        let pattern = request.match_pattern().unwrap_or_default();
        let advice = format!(
            "`{option}` of #[idempotent] comes too late under an all-routes layer, which has \
             claimed the key already: give the layer an entry \
             `.route(Method::{}, {pattern:?}, RouteOptions::new().{option}(..))` instead",
            request.method(),
        );
        tracing::error!(option, "{advice}");
        Self::Answer(Box::new(misconfigured(advice)))
    }
}

impl From<Decided> for Start {
    fn from(decided: Decided) -> Self {
        match decided {
            Decided::Run(keyed) => Self::Run(keyed),
            Decided::Refuse(answer) => Self::Answer(answer),
            Decided::Pass => Self::Pass(None),
        }
    }
}
