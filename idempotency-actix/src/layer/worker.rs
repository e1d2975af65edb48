//! A worker's own handle to the layer: options resolved for a request, and what its key asks for.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::dev::Extensions;
use actix_web::{HttpRequest, HttpResponse};

use super::shared::Layer;
use crate::answer::{Problem, reject};
use crate::claim::Claims;
use crate::options::{Options, Route, RouteOptions};
use crate::run::Keyed;

/// A worker's handle: workers that count references in one place would fight for it.
#[derive(Clone)]
pub(crate) struct Worker(Rc<Own>);

struct Own {
    layer: Arc<Layer>,
    claims: Rc<Claims>,
    /// What was resolved so far.
    options: RefCell<BTreeMap<Origin, Rc<Options>>>,
}

/// What options are made of.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Origin {
    /// The row of the layer's table; `None` for the layer's own.
    row: Option<usize>,
    /// The attribute of a marked handler. It is a constant of the program, so its place names it.
    attribute: Option<*const RouteOptions>,
}

/// What becomes of a request of a covered method, as its key tells.
pub(super) enum Decision {
    Run(Keyed),
    Refuse(Box<HttpResponse>),
    Pass,
}

impl Worker {
    pub(super) fn new(layer: Arc<Layer>) -> Self {
        Self(Rc::new(Own {
            claims: Rc::new(layer.claims.clone()),
            layer,
            options: RefCell::default(),
        }))
    }

    /// That of the innermost layer around the request.
    pub(super) fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }

    /// Looks at the request's key.
    pub(super) fn decide(&self, request: &HttpRequest, options: Rc<Options>) -> Decision {
        let problem = match options.key.key(request, options.strict_keys) {
            Some(Ok(key)) => return Decision::Run(Keyed::new(&self.0.claims, options, key)),
            Some(Err(reason)) => Problem::InvalidKey(reason),
            None if options.required => Problem::MissingKey(options.key.header().cloned()),
            None => return Decision::Pass,
        };
        Decision::Refuse(Box::new(reject(problem, &options.problem_base)))
    }

    /// Whether the request has a key where the layer looks for it, or could be a route's business
    /// without.
    pub(super) fn may_cover(&self, request: &HttpRequest) -> bool {
        let options = &self.options;
        options.key.is_in(request) || options.required || self.routes.ask_without_key()
    }

    /// The options of a request's route where all-routes mode has not claimed for it: its row of the
    /// table holds all the same.
    pub(super) fn options_of(&self, request: &HttpRequest) -> &Options {
        self.row_of(request).1
    }

    /// The options of a marked handler that was not claimed for.
    pub(super) fn marked(
        &self,
        request: &HttpRequest,
        attribute: &'static RouteOptions,
    ) -> Rc<Options> {
        let (row, options) = self.row_of(request);
        self.resolved(row, Some(attribute), || options.with(attribute))
    }

    /// The options by which all-routes mode covers a request of a covered method; `None` if it leaves
    /// it alone, as it does where no route matches.
    pub(super) fn covering(&self, request: &HttpRequest) -> Option<Rc<Options>> {
        // The pattern of what was routed already, in a string of its own, only where that cannot tell.
        if !request.resource_map().has_resource(request.path()) {
            request.match_pattern()?;
        }
        if let Some((_, Route::Skipped)) = self.routes.get(request) {
            return None;
        }
        let (row, options) = self.row_of(request);
        Some(self.resolved(row, None, || options.clone()))
    }

    fn row_of(&self, request: &HttpRequest) -> (Option<usize>, &Options) {
        match self.routes.get(request) {
            Some((row, Route::Covered(options))) => (Some(row), options),
            Some((_, Route::Skipped)) | None => (None, &self.options),
        }
    }

    fn resolved(
        &self,
        row: Option<usize>,
        attribute: Option<&'static RouteOptions>,
        resolve: impl FnOnce() -> Options,
    ) -> Rc<Options> {
        let attribute = attribute.map(ptr::from_ref);
        let mut known = self.0.options.borrow_mut();
        let options = known.entry(Origin { row, attribute });
        Rc::clone(options.or_insert_with(|| Rc::new(resolve())))
    }
}

impl Deref for Worker {
    type Target = Layer;

    fn deref(&self) -> &Layer {
        &self.0.layer
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.layer.fmt(f)
    }
}
