//! A worker's own handle to the layer: it resolves a request's options and reads its key, and so decides whether the
//! request runs, passes or is refused.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::dev::{Extensions, Payload};
use actix_web::http::header::HeaderName;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};

use super::description::{Descriptions, Routing};
#[cfg(feature = "testing")]
use super::passthrough::pass;
#[cfg(feature = "testing")]
use super::shared::Keeps;
use super::shared::Layer;
use crate::answer::{Problem, caught, misconfigured, reject};
use crate::claim::Claims;
use crate::options::{Options, Patterns, Route, RouteOptions, Row, Sought, Untimely};
use crate::request::unread;
use crate::run::{Keyed, whole_body};
use crate::store::{Description, ErasedStore};
use crate::telemetry::method_name;

/// A worker's handle: workers that count references in one place would fight for it.
#[derive(Clone)]
pub(crate) struct Worker(Rc<Own>);

struct Own {
    layer: Arc<Layer>,
    claims: Rc<Claims>,
    /// What was resolved so far.
    options: RefCell<BTreeMap<Origin, Rc<Options>>>,
    /// What the application's resources match, read where rows of the table overlap.
    patterns: RefCell<Patterns>,
    descriptions: RefCell<Descriptions>,
}

/// What options are made of.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Origin {
    /// The row of the layer's table; `None` for the layer's own.
    row: Option<usize>,
    /// The attribute of a marked handler. It is a constant of the program, so its place names it.
    attribute: Option<*const RouteOptions>,
}

/// Left with a request that has no key where its attribute looks for it.
#[derive(Clone)]
pub(super) struct Unkeyed(pub(super) Option<HeaderName>);

/// What becomes of a request of a covered method, as its key tells.
pub(super) enum Decided {
    Run(Keyed),
    Refuse(Box<HttpResponse>),
    Pass,
}

/// The same as far as the head tells.
pub(super) enum Decision {
    Now(Decided),
    /// Its body has to be read first.
    Read(InBody),
}

/// A request whose key may be in its body.
pub(super) struct InBody {
    worker: Worker,
    options: Rc<Options>,
    routing: Routing,
}

impl InBody {
    /// Reads the body and decides. Where the request passes, its payload is the body that was read.
    pub(super) async fn read(self, request: &HttpRequest, payload: &mut Payload) -> Decided {
        let Self {
            worker,
            options,
            routing,
        } = self;
        let body = match whole_body(request, payload, &options).await {
            Ok(body) => body,
            Err(answer) => return Decided::Refuse(answer),
        };
        let sought = caught(|| options.key_in_body(request, &body));
        match worker.decide_by(sought, request, &options, routing, || Rc::clone(&options)) {
            Decided::Run(keyed) => Decided::Run(keyed.with_body(body)),
            Decided::Pass => {
                let unkeyed = Unkeyed(options.key.header().cloned());
                request.extensions_mut().insert(unkeyed);
                *payload = unread(body);
                Decided::Pass
            }
            refused => refused,
        }
    }
}

impl Worker {
    pub(super) fn new(layer: Arc<Layer>) -> Self {
        Self(Rc::new(Own {
            claims: Rc::new(layer.claims.clone()),
            layer,
            options: RefCell::default(),
            patterns: RefCell::default(),
            descriptions: RefCell::default(),
        }))
    }

    /// That of the innermost layer around the request.
    pub(super) fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }

    /// Looks at the request's key, by options of which a worker's own are made only where it is a good one.
    fn decide(
        &self,
        request: &HttpRequest,
        options: &Options,
        routing: Routing,
        own: impl FnOnce() -> Rc<Options>,
    ) -> Decision {
        #[cfg(feature = "testing")]
        if self.keeps == Keeps::Nothing {
            return Decision::Now(match pass(request, options) {
                Ok(()) => Decided::Pass,
                Err(answer) => Decided::Refuse(answer),
            });
        }
        match caught(|| options.seek_key(request)) {
            Ok(Sought::InBody) => Decision::Read(InBody {
                worker: self.clone(),
                options: own(),
                routing,
            }),
            sought => Decision::Now(self.decide_by(sought, request, options, routing, own)),
        }
    }

    fn decide_by(
        &self,
        sought: Result<Sought, Box<HttpResponse>>,
        request: &HttpRequest,
        options: &Options,
        routing: Routing,
        own: impl FnOnce() -> Rc<Options>,
    ) -> Decided {
        let problem = match sought {
            Ok(Sought::Found(Ok(key))) => match options.check_age(request, &key, &self.clock) {
                Ok(()) => {
                    let described = match self.describe(request, routing) {
                        Ok(described) => described,
                        Err(answer) => return Decided::Refuse(answer),
                    };
                    let claims = &self.0.claims;
                    return Decided::Run(Keyed::new(claims, own(), key, described, request));
                }
                Err(Untimely::Expired { max_key_age }) => Problem::KeyExpired { max_key_age },
                Err(Untimely::Key(reason)) => Problem::InvalidKey(reason),
                Err(Untimely::FirstSent(reason)) => Problem::InvalidFirstSent(reason),
                Err(Untimely::NoTime) => return timeless(request),
            },
            Ok(Sought::Found(Err(reason))) => Problem::InvalidKey(reason),
            Ok(Sought::InBody | Sought::Nowhere) if options.required => {
                Problem::MissingKey(options.key.header().cloned())
            }
            Ok(Sought::InBody | Sought::Nowhere) => return Decided::Pass,
            Err(answer) => return Decided::Refuse(answer),
        };
        Decided::Refuse(Box::new(reject(problem, &options.problem_base)))
    }

    pub(super) fn claims(&self) -> &Rc<Claims> {
        &self.0.claims
    }

    /// What operators are told of the request.
    fn describe(
        &self,
        request: &HttpRequest,
        routing: Routing,
    ) -> Result<Description, Box<HttpResponse>> {
        let own = &*self.0;
        let description = own
            .descriptions
            .borrow_mut()
            .of(request, routing, &own.patterns);
        let label = match &self.label {
            Some(label) => caught(|| label(request))?,
            None => None,
        };
        Ok(match label {
            Some(label) => description.with_label(&label),
            None => description,
        })
    }

    pub(super) fn store(&self) -> &Arc<dyn ErasedStore> {
        &self.0.claims.store
    }

    /// Looks at a request of a marked handler that no outer claim covers.
    pub(super) fn mark(&self, request: &HttpRequest, attribute: &'static RouteOptions) -> Decision {
        let options = self.marked(request, attribute);
        let decision = self.decide(request, &options, Routing::Done, || Rc::clone(&options));
        if let (Decision::Now(Decided::Pass), true) = (&decision, attribute.key.are_set()) {
            let unkeyed = Unkeyed(options.key.header().cloned());
            request.extensions_mut().insert(unkeyed);
        }
        decision
    }

    /// Looks at a request in all-routes mode, before it is routed; `None` if its row says skip.
    pub(super) fn cover(&self, request: &HttpRequest) -> Option<Decision> {
        let row = match self.routes.is_empty() {
            true => Row::None,
            false => self
                .routes
                .before_routing(request, &self.0.patterns.borrow()),
        };
        Some(match row {
            Row::None => self.decide(request, &self.options, Routing::Ahead, || {
                self.resolved(None, None, || self.options.clone())
            }),
            Row::One(_, Route::Skipped) => return None,
            Row::One(row, Route::Covered(options)) => {
                self.decide(request, options, Routing::Ahead, || {
                    self.resolved(Some(row), None, || (**options).clone())
                })
            }
            Row::Ambiguous => Decision::Now(self.ambiguous(request)),
        })
    }

    /// Guards choose between resources, and the table has different rows for them.
    fn ambiguous(&self, request: &HttpRequest) -> Decided {
        let advice = "several resources could take a request, and the table of the all-routes layer has different entries \
            for them, so the request was refused: wrap each scope in a layer of its own, or give the entries the same options";
        tracing::error!(
            method = method_name(request.method()),
            path_rows = ?self.routes.patterns_of(request),
            "{advice}",
        );
        Decided::Refuse(Box::new(misconfigured(advice)))
    }

    /// Whether some routes have options of their own.
    pub(super) fn has_table(&self) -> bool {
        !self.routes.is_empty()
    }

    /// The answer to retries of a request which inner middleware gave another path, if the table has another scope for that.
    pub(super) fn misrouted(
        &self,
        request: &HttpRequest,
        claimed: &Options,
    ) -> Option<Box<HttpResponse>> {
        if self.options_of(request).scope == claimed.scope {
            return None;
        }
        let advice = "middleware inside of the all-routes layer changes the path of a request, so that it was claimed by another \
            scope than the layer's entry for its route has: its answer is kept from retries, since they may be another \
            caller's. Wrap what changes the path around the layer";
        tracing::error!(
            method = method_name(request.method()),
            route = request.match_pattern().unwrap_or_default(),
            "{advice}",
        );
        Some(Box::new(misconfigured(advice)))
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

    /// The first option of a marked handler's that means nothing in a transaction, and where it was set.
    pub(super) fn meaningless(
        &self,
        request: &HttpRequest,
        attribute: &RouteOptions,
    ) -> Option<(&'static str, &'static str)> {
        if let Some(option) = attribute.meaningless_in_transaction() {
            return Some((option, "#[idempotent]"));
        }
        let (row, _) = self.routes.after_routing(request)?;
        let option = self.routes.meaningless_in_transaction(row)?;
        Some((option, "the layer's entry for the route"))
    }

    /// Whether a scope of the application may take what no resource takes.
    pub(super) fn may_take_everything(&self, request: &HttpRequest) -> bool {
        self.0.patterns.borrow().may_take_everything(request)
    }

    fn row_of(&self, request: &HttpRequest) -> (Option<usize>, &Options) {
        match self.routes.after_routing(request) {
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

/// An answer on its way out, in the form that the application of the layer around the request gives to problems.
pub(super) fn formed(response: HttpResponse, request: &HttpRequest) -> HttpResponse {
    let worker = Worker::of(&request.extensions()).cloned();
    match worker {
        Some(worker) => worker.formed(response, request),
        None => response,
    }
}

/// A handler's attribute bounds the age of keys, and neither it nor the layer tells how old they are.
fn timeless(request: &HttpRequest) -> Decided {
    let advice = "`max_key_age` of #[idempotent] needs the time of a key, and its layer does not tell it either, so the \
        request was refused: add `key_format = \"uuid7\"` or `\"ulid\"`, or a `first_sent_header`";
    tracing::error!(
        route = request.match_pattern().unwrap_or_default(),
        "{advice}",
    );
    Decided::Refuse(Box::new(misconfigured(advice)))
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
