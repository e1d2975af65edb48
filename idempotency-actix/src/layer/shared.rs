//! What the workers' handles to one layer share: options, table and claims. It decides about no request.

use std::fmt;

use actix_web::http::Method;

use super::description::Label;
use crate::claim::Claims;
use crate::options::{Options, Routes};
use crate::store::clock::Clock;

/// The methods that a layer may cover. The others are safe (RFC 9110, section 9.2.1) or, like
/// CONNECT, no request for an effect on a resource.
pub(super) const ELIGIBLE: [Method; 4] = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// What all workers share of one [`Idempotency`](crate::Idempotency).
pub(crate) struct Layer {
    pub(super) claims: Claims,
    pub(super) options: Options,
    pub(super) routes: Routes,
    /// By which keys are of an age.
    pub(super) clock: Clock,
    /// The methods of all-routes mode; `None` leaves all but marked handlers alone.
    pub(super) all_routes: Option<Vec<Method>>,
    pub(super) label: Option<Label>,
}

impl Layer {
    pub(super) fn covers_all_routes(&self, method: &Method) -> bool {
        let methods = self.all_routes.as_deref();
        methods.is_some_and(|methods| methods.contains(method))
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
