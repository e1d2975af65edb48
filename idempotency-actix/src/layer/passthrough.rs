//! A layer that keeps nothing, under which marked handlers just run, for tests of other things.

use std::sync::Arc;

use actix_web::{HttpMessage, HttpRequest, HttpResponse};

use super::idempotency::Idempotency;
use super::shared::Keeps;
use crate::answer::{Problem, caught, reject};
use crate::options::{KeyScope, Options, Sought};
use crate::request::path_of;
use crate::run::running;
use crate::store::memory::MemoryStore;

impl Idempotency {
    /// A layer under which marked handlers run each time, and nothing is kept: for tests of other things.
    ///
    /// Nobody is told that a key is missing or late, or that a caller is unknown, unless the handler needs it: one that takes
    /// an [`IdempotencyKey`](crate::IdempotencyKey) is still answered 400 without a key. A key is looked for in
    /// `Idempotency-Key`, or in the header that the attribute says, not in the body, and one that is no key is 400. A handler
    /// that takes a transaction needs the layer over its store, and cannot run under this one.
    ///
    /// # Panics
    ///
    /// Where the system has no file descriptors left.
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub fn passthrough() -> Self {
        let mut builder = Self::builder(MemoryStore::new(), KeyScope::everyone()).all_routes();
        // Each test may make one: no records are lost between them.
        builder.memory = None;
        let mut idempotency = match builder.build() {
            Ok(idempotency) => idempotency,
            Err(error) => panic!("{error}"),
        };
        let layer = Arc::get_mut(&mut idempotency.0).expect("nobody else has the new layer");
        layer.keeps = Keeps::Nothing;
        idempotency
    }
}

/// Has a request's handler find its key, if there is one. The answer is to one that is no key.
pub(super) fn pass(request: &HttpRequest, options: &Options) -> Result<(), Box<HttpResponse>> {
    match caught(|| options.seek_key(request))? {
        Sought::Found(Ok(key)) => {
            let context = running(key, request.method(), path_of(request), 1);
            request.extensions_mut().insert(context);
            Ok(())
        }
        Sought::Found(Err(reason)) => {
            let problem = Problem::InvalidKey(reason);
            Err(Box::new(reject(problem, &options.problem_base)))
        }
        Sought::InBody | Sought::Nowhere => Ok(()),
    }
}
