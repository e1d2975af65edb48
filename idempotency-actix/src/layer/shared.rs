use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::dev::Extensions;
use actix_web::http::Method;
use actix_web::http::header::HeaderName;

use crate::answer::problem::Problem;
use crate::claim::quota::Quotas;
use crate::claim::renewals::Keeper;
use crate::claim::retries::Outbox;
use crate::claim::sightings::Sightings;
use crate::options::key_source::KeySource;
use crate::options::resolved::Options;
use crate::options::route_options::RouteOptions;
use crate::options::scope::KeyScope;
use crate::options::table::{Route, Routes};
use crate::request::key::{IdempotencyKey, InvalidKey};
use crate::run::waiting::Waiters;
use crate::store::ErasedStore;

/// The methods that a layer may cover. The others are safe (RFC 9110, section 9.2.1) or, like
/// CONNECT, no request for an effect on a resource.
pub(crate) const ELIGIBLE: [Method; 4] = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// What all workers share of one [`Idempotency`](crate::Idempotency).
pub(crate) struct Layer {
    pub(crate) store: Arc<dyn ErasedStore>,
    pub(crate) scope: KeyScope,
    pub(crate) options: Options,
    pub(crate) routes: Routes,
    /// The methods of all-routes mode; `None` leaves all but marked handlers alone.
    pub(crate) all_routes: Option<Vec<Method>>,
    pub(crate) key: KeySource,
    pub(crate) problem_base: String,
    pub(crate) keeper: Keeper,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) waiters: Arc<Waiters>,
    pub(crate) quotas: Quotas,
    pub(crate) sightings: Sightings,
}

impl Layer {
    /// The innermost layer around the request.
    pub(crate) fn of(extensions: &Extensions) -> Option<&LayerHandle> {
        extensions.get()
    }

    /// The request's key, `None` if it has none.
    pub(crate) fn key(
        &self,
        request: &HttpRequest,
        options: &Options,
    ) -> Option<Result<IdempotencyKey, InvalidKey>> {
        self.key_source(options).key(request, options.strict_keys)
    }

    /// The header that the key is in, `None` if it is elsewhere.
    pub(crate) fn key_header<'a>(&'a self, options: &'a Options) -> Option<&'a HeaderName> {
        self.key_source(options).header()
    }

    fn key_source<'a>(&'a self, options: &'a Options) -> &'a KeySource {
        options.key.as_ref().unwrap_or(&self.key)
    }

    pub(crate) fn missing_key(&self, options: &Options) -> Problem {
        Problem::MissingKey(self.key_header(options).cloned())
    }

    pub(crate) fn store(&self) -> &dyn ErasedStore {
        &*self.store
    }

    pub(crate) fn problem_base(&self) -> &str {
        &self.problem_base
    }

    pub(crate) fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    pub(crate) fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    pub(crate) fn waiters(&self) -> &Waiters {
        &self.waiters
    }

    pub(crate) fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    pub(crate) fn sightings(&self) -> &Sightings {
        &self.sightings
    }

    pub(crate) fn covers_all_routes(&self, method: &Method) -> bool {
        let methods = self.all_routes.as_deref();
        methods.is_some_and(|methods| methods.contains(method))
    }

    /// Whether the request has a key where the layer looks for it, or could be a route's business
    /// without.
    pub(crate) fn may_cover(&self, request: &HttpRequest) -> bool {
        self.key.is_in(request) || self.options.required || self.routes.ask_without_key()
    }

    /// The options of a request's route where all-routes mode has not claimed for it: its entry in the
    /// table holds all the same.
    pub(crate) fn options_of(&self, request: &HttpRequest) -> &Options {
        match self.routes.get(request) {
            Some(Route::Covered(options)) => options,
            Some(Route::Skipped) | None => &self.options,
        }
    }
}

impl Drop for Layer {
    fn drop(&mut self) {
        self.keeper.close();
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idempotency")
            .field("scope", &self.scope)
            .field("options", &self.options)
            .field("all_routes", &self.all_routes)
            .field("routes", &self.routes)
            .field("key", &self.key)
            .field("problem_base", &self.problem_base)
            .finish_non_exhaustive()
    }
}

/// A worker's own handle to the layer: workers that count references in one place would fight for it.
#[derive(Clone, Debug)]
pub(crate) struct LayerHandle(Rc<Worker>);

#[derive(Debug)]
struct Worker {
    layer: Arc<Layer>,
    /// What was resolved so far, by the options of the layer or its table and those of the attribute.
    options: RefCell<BTreeMap<(*const Options, *const RouteOptions), Rc<Options>>>,
}

impl LayerHandle {
    pub(crate) fn new(layer: Arc<Layer>) -> Self {
        let options = RefCell::default();
        Self(Rc::new(Worker { layer, options }))
    }

    /// The options of a marked handler that was not claimed for.
    pub(crate) fn marked(
        &self,
        request: &HttpRequest,
        route: &'static RouteOptions,
    ) -> Rc<Options> {
        let layer = self.options_of(request);
        self.resolved(layer, ptr::from_ref(route), || layer.with(route))
    }

    /// The options by which all-routes mode covers a request of a covered method; `None` if it leaves
    /// it alone, as it does where no route matches.
    pub(crate) fn covering(&self, request: &HttpRequest) -> Option<Rc<Options>> {
        // The pattern of what was routed already, in a string of its own, only where that cannot tell.
        if !request.resource_map().has_resource(request.path()) {
            request.match_pattern()?;
        }
        let options = match self.routes.get(request) {
            None => &self.options,
            Some(Route::Covered(options)) => options,
            Some(Route::Skipped) => return None,
        };
        Some(self.resolved(options, ptr::null(), || options.clone()))
    }

    /// Options of the layer's and a route's, which stay where they are for as long as this does.
    fn resolved(
        &self,
        layer: &Options,
        route: *const RouteOptions,
        resolve: impl FnOnce() -> Options,
    ) -> Rc<Options> {
        let mut known = self.0.options.borrow_mut();
        let options = known.entry((ptr::from_ref(layer), route));
        Rc::clone(options.or_insert_with(|| Rc::new(resolve())))
    }
}

impl Deref for LayerHandle {
    type Target = Layer;

    fn deref(&self) -> &Layer {
        &self.0.layer
    }
}
