use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::HeaderName;
use actix_web::http::{Method, StatusCode};

use crate::error::ConfigError;
use crate::keeper::Keeper;
use crate::layer::{ELIGIBLE, Layer};
use crate::middleware::Idempotency;
use crate::options::{OnStoreFailure, Options, RouteOptions};
use crate::outbox::Outbox;
use crate::problem::DEFAULT_BASE;
use crate::routes::{self, Routes};
use crate::scope::KeyScope;
use crate::store::ErasedStore;

/// Options of an [`Idempotency`] layer; every one has a default.
#[must_use = "a builder does nothing until `build`"]
pub struct IdempotencyBuilder {
    store: Arc<dyn ErasedStore>,
    scope: KeyScope,
    options: Options,
    /// What is set like a route's options, for all routes.
    common: RouteOptions,
    all_routes: bool,
    methods: Option<Vec<Method>>,
    routes: Vec<routes::Entry>,
    key_header: String,
    strict_keys: bool,
    problem_base: String,
}

impl IdempotencyBuilder {
    pub(crate) fn new(store: Arc<dyn ErasedStore>, scope: KeyScope) -> Self {
        Self {
            store,
            scope,
            options: Options::default(),
            common: RouteOptions::new(),
            all_routes: false,
            methods: None,
            routes: Vec::new(),
            key_header: "idempotency-key".into(),
            strict_keys: false,
            problem_base: DEFAULT_BASE.into(),
        }
    }

    /// Covers every matched route that is POST, PUT, PATCH or DELETE, marked or not.
    ///
    /// Off by default, since a replay then skips everything inside the layer: **authentication inside
    /// is bypassed by replays** and has to be wrapped around the layer. A handler's extractor failure
    /// cannot be told from an answer and binds the key, too. A marked handler inside does not claim
    /// again; its `ttl`, `release_on`, `max_response` and `required` still hold.
    ///
    /// `Compress` belongs around the layer as well: inside, the captured body is encoded for one
    /// client only, and is recorded as not kept.
    pub fn all_routes(mut self) -> Self {
        self.all_routes = true;
        self
    }

    /// Narrows all-routes mode to some of POST, PUT, PATCH and DELETE; marked handlers stay covered.
    ///
    /// Default: all four. GET, HEAD and OPTIONS are safe to repeat and never covered.
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.methods = Some(methods.into_iter().collect());
        self
    }

    /// Sets options for one route of all-routes mode, by its method and its pattern as it is registered,
    /// with the scopes that it is in: `/v1/charges/{id}`.
    ///
    /// Default: every route as the layer has it. In all-routes mode some options are decided before
    /// routing comes to the handler, so that its attribute would set them too late: `lease`, `max_body`
    /// and `required = false` belong here.
    pub fn route(mut self, method: Method, pattern: &str, options: RouteOptions) -> Self {
        self.routes.push((method, pattern.to_owned(), options));
        self
    }

    /// Sets how long a finished record is replayed, from its completion: 1 ms to 10 years.
    ///
    /// Default: 24 hours, as Stripe does. Shorter than the longest retry of a client means a second
    /// run; longer costs room in the store.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.common = self.common.ttl(ttl);
        self
    }

    /// Sets how long a claim is believed alive without renewal: 10 ms to 24 hours.
    ///
    /// Default: 30 seconds, renewed every third. Retries wait that long to learn that the process of
    /// the first request died; shorter calls a paused process dead sooner.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.common = self.common.lease(lease);
        self
    }

    /// Sets how long a handler and the stream of its answer are kept alive, at least the lease.
    ///
    /// Default: ten leases. Past it a stream is recorded as not kept, and the claim of a handler that
    /// still runs is renewed no more and becomes unknown; a late answer is accepted all the same.
    pub fn max_run(mut self, max_run: Duration) -> Self {
        self.options.max_run = Some(max_run);
        self
    }

    /// Sets the deadline of each store call, up to a third of the lease.
    ///
    /// Default: 5 seconds, or a third of the lease if that is less, so that three lost calls in a row
    /// do not cost a living handler its claim.
    pub fn store_timeout(mut self, timeout: Duration) -> Self {
        self.options.store_timeout = Some(timeout);
        self
    }

    /// Sets the request header that the key is read from.
    ///
    /// Default: `Idempotency-Key`, of draft-ietf-httpapi-idempotency-key-header.
    pub fn key_header(mut self, name: &str) -> Self {
        name.clone_into(&mut self.key_header);
        self
    }

    /// Sets whether a covered request without a key is refused with 400 `missing-key`.
    ///
    /// Default: `false`, it passes through unprotected. In all-routes mode this is decided before
    /// the handler is reached: a marked one may require more, and a [route](Self::route) less.
    pub fn required(mut self, required: bool) -> Self {
        self.common = self.common.required(required);
        self
    }

    /// Sets whether only quoted Strings of RFC 9651 are accepted as keys.
    ///
    /// Default: `false`, since nearly all deployed clients send the bare value.
    pub fn strict_keys(mut self, strict: bool) -> Self {
        self.strict_keys = strict;
        self
    }

    /// Replaces the set of status codes, 400 to 599, by which the application says "I did not act".
    ///
    /// Default: [`DEFAULT_RELEASE_ON`](crate::DEFAULT_RELEASE_ON). Never 408 or a 5xx by default: a
    /// handler that charged and then met a failing mail server answers 503 too.
    pub fn release_on(mut self, statuses: impl IntoIterator<Item = StatusCode>) -> Self {
        self.common = self.common.release_on(statuses);
        self
    }

    /// Sets the largest request body that is read for a key, in bytes; more is 413 `body-too-large`.
    ///
    /// Default: 2 MiB. The body is held in memory, to be hashed before the handler runs.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.common = self.common.max_body(bytes);
        self
    }

    /// Sets the largest answer that is kept, in bytes of its body; more is recorded as *not kept*, and
    /// a retry gets 410.
    ///
    /// Default: 1 MiB. It also bounds how far a stream is read ahead of its client.
    pub fn max_response(mut self, bytes: usize) -> Self {
        self.common = self.common.max_response(bytes);
        self
    }

    /// Sets whether `Set-Cookie` is kept and replayed.
    ///
    /// Default: `false`. A replayed cookie would open the first session again, in another browser perhaps.
    pub fn keep_cookies(mut self, keep: bool) -> Self {
        self.common = self.common.keep_cookies(keep);
        self
    }

    /// Sets what happens to a request with a key when the store cannot be asked for the claim.
    ///
    /// Default: [`OnStoreFailure::Reject`], 503. With [`OnStoreFailure::Run`] the handler runs unprotected,
    /// and a retry of it may run again.
    pub fn on_store_failure(mut self, choice: OnStoreFailure) -> Self {
        self.common = self.common.on_store_failure(choice);
        self
    }

    /// Sets the URI that problem types start with; it ends in `/`, `#` or `:`.
    ///
    /// Default: `urn:problem-type:idempotency-actix:`. An application that documents the problems
    /// for its clients points it there.
    pub fn problem_base(mut self, uri: &str) -> Self {
        uri.clone_into(&mut self.problem_base);
        self
    }

    /// Checks the options and makes the layer.
    ///
    /// # Errors
    ///
    /// The first option that cannot hold, with a message that says what to change.
    pub fn build(mut self) -> Result<Idempotency, ConfigError> {
        self.scope.check()?;
        let stores = self.store.timeout();
        let options = self.options.with(&self.common).checked(stores)?;
        let all_routes = self.covered_methods()?;
        let routes = Routes::new(self.routes, all_routes.as_deref(), |route| {
            options.with(route).checked(stores)
        })?;
        let key_header = HeaderName::from_bytes(self.key_header.as_bytes())
            .map_err(|_| ConfigError::HeaderName(self.key_header.clone()))?;
        let is_absolute = url::Url::parse(&self.problem_base).is_ok();
        if !is_absolute || !self.problem_base.ends_with(['/', '#', ':']) {
            return Err(ConfigError::ProblemBase(self.problem_base));
        }
        let keeper = Keeper::new(Arc::clone(&self.store));
        let outbox = Outbox::new(Arc::clone(&self.store), keeper.clone());
        Ok(Idempotency(Arc::new(Layer {
            store: self.store,
            scope: self.scope,
            options,
            all_routes,
            routes,
            key_header,
            strict_keys: self.strict_keys,
            problem_base: self.problem_base,
            keeper,
            outbox,
        })))
    }

    fn covered_methods(&mut self) -> Result<Option<Vec<Method>>, ConfigError> {
        let methods = self.methods.take();
        if !self.all_routes {
            return match methods {
                Some(_) => Err(ConfigError::MethodsWithoutAllRoutes),
                None => Ok(None),
            };
        }
        let methods = methods.unwrap_or_else(|| ELIGIBLE.to_vec());
        if methods.is_empty() {
            return Err(ConfigError::NoMethods);
        }
        match methods.iter().find(|method| !ELIGIBLE.contains(method)) {
            Some(method) => Err(ConfigError::Method(method.clone())),
            None => Ok(Some(methods)),
        }
    }
}

impl std::fmt::Debug for IdempotencyBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdempotencyBuilder")
            .field("scope", &self.scope)
            .field("options", &self.common)
            .finish_non_exhaustive()
    }
}
