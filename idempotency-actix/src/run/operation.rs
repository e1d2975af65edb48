use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::dev::{Extensions, Payload};
use actix_web::web::Bytes;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};

use crate::answer::problem::Problem;
use crate::claim::quota::{CallerHash, Seat};
use crate::layer::shared::Layer;
use crate::options::resolved::{Options, Unknown};
use crate::options::route_options::RouteOptions;
use crate::options::scope::NoScope;
use crate::request::body;
use crate::request::fingerprint::{Fingerprint, digest};
use crate::request::key::IdempotencyKey;
use crate::request::record_id::RecordId;
use crate::run::admission::reject;
use crate::run::context::Ticket;
use crate::store::{Claim, Token};

/// One operation, as its first request and every retry name it.
pub(crate) struct Operation {
    pub(crate) id: RecordId,
    pub(crate) fingerprint: Fingerprint,
    /// Behind a pointer, as it crosses every await of the operation.
    pub(crate) options: Rc<Options>,
    pub(crate) ticket: Arc<Ticket>,
    pub(crate) body: Bytes,
    /// Only where a quota is kept.
    caller: Option<Box<CallerHash>>,
    is_retry: Cell<bool>,
}

/// What is known of an operation before its caller is.
pub(crate) struct Announced {
    pub(crate) body: Bytes,
    options: Rc<Options>,
    ticket: Arc<Ticket>,
    fingerprint: Fingerprint,
}

impl Announced {
    /// Reads the body, and hands the key to whoever extracts it from now on.
    pub(crate) async fn read(
        layer: &Layer,
        request: &HttpRequest,
        payload: &mut Payload,
        ticket: Arc<Ticket>,
        options: Rc<Options>,
    ) -> Result<Self, HttpResponse> {
        let read = body::read(request, payload, options.max_body).await;
        let body = read.map_err(|unread| unread.response(layer))?;
        let fingerprint = options.fingerprint.of(request, &body);
        let key = IdempotencyKey::of(&ticket);
        request.extensions_mut().insert(key);
        Ok(Self {
            body,
            options,
            ticket,
            fingerprint,
        })
    }

    /// Derives whose operation this is; from here on it has a name.
    pub(crate) fn identify(
        self,
        layer: &Layer,
        request: &HttpRequest,
    ) -> Result<Operation, HttpResponse> {
        let scope = self.options.scope.as_ref().unwrap_or(&layer.scope);
        let caller = scope.of(request).map_err(|refusal| match refusal {
            NoScope::Missing => reject(layer, Problem::NoScope),
            NoScope::Answer(answer) => answer,
        })?;
        let (method, path) = (request.method(), request.uri().path());
        let id = RecordId::of(&caller, method, path, self.ticket.key());
        self.ticket.bind(id);
        let is_counted = self.options.max_in_flight.is_some();
        Ok(Operation {
            id,
            fingerprint: self.fingerprint,
            ticket: self.ticket,
            body: self.body,
            caller: is_counted.then(|| Box::new(digest(&[caller.as_bytes()]))),
            options: self.options,
            is_retry: Cell::new(false),
        })
    }
}

impl Operation {
    /// A new claim to it.
    pub(crate) fn claim(&self) -> Claim {
        let (lease, retention) = (self.options.lease, self.options.claim_retention());
        let claim = Claim::new(Token::random(), self.fingerprint, lease, retention);
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
        if self.fingerprint.scheme() == other.scheme() {
            return Some(self.fingerprint);
        }
        let mode = &self.options.fingerprint;
        mode.by_scheme(other.scheme(), request, &self.body)
    }

    /// Whether there is a seat among the caller's operations in flight. To take it for a mere look would
    /// have replays refuse first requests.
    pub(crate) fn has_seat_left(&self, layer: &Layer) -> bool {
        match (&self.caller, self.options.max_in_flight) {
            (Some(caller), Some(limit)) => layer.quotas().has_room(caller, limit),
            _ => true,
        }
    }

    /// A seat among the caller's operations in flight; `None` if it has all that it may have.
    pub(crate) fn seat(&self, layer: &Layer) -> Option<Seat> {
        match (&self.caller, self.options.max_in_flight) {
            (Some(caller), Some(limit)) => layer.quotas().admit(**caller, limit),
            _ => Some(Seat::Uncounted),
        }
    }
}

/// The claim that an outer layer holds for this request, as a marked handler inside meets it.
#[derive(Clone)]
pub(crate) struct OuterClaim(Rc<Inside>);

struct Inside {
    outer: Rc<Options>,
    route: Cell<Option<&'static RouteOptions>>,
    progress: Cell<Progress>,
}

/// How far the request came inside of an outer claim.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Progress {
    /// No marked handler was met: nobody can tell what ran.
    #[default]
    Unmarked,
    /// A marked handler was met, and has not started.
    Reached,
    /// A marked handler has started.
    Started,
}

impl OuterClaim {
    /// A claim that was made by these options.
    pub(crate) fn new(outer: &Rc<Options>) -> Self {
        Self(Rc::new(Inside {
            outer: Rc::clone(outer),
            route: Cell::default(),
            progress: Cell::default(),
        }))
    }

    pub(crate) fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }

    /// The first option of a marked handler that comes too late under this claim.
    pub(crate) fn too_late(&self, route: &RouteOptions) -> Option<&'static str> {
        self.0.outer.too_late(route)
    }

    pub(crate) fn reach(&self, route: &'static RouteOptions) {
        self.0.route.set(Some(route));
        self.0.progress.set(Progress::Reached);
    }

    pub(crate) fn start(&self) {
        self.0.progress.set(Progress::Started);
    }

    pub(crate) fn progress(&self) -> Progress {
        self.0.progress.get()
    }

    /// The outer options with those that the route sets for itself.
    pub(crate) fn options(&self) -> Rc<Options> {
        match self.0.route.get() {
            Some(route) => Rc::new(self.0.outer.with(route)),
            None => Rc::clone(&self.0.outer),
        }
    }
}
