use std::cell::Cell;
use std::rc::Rc;

use actix_web::dev::Extensions;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};

use crate::attempt::Attempt;
use crate::engine;
use crate::fingerprint::Fingerprint;
use crate::key::IdempotencyKey;
use crate::layer::Layer;
use crate::options::{Options, RouteOptions};
use crate::problem::Problem;
use crate::record_id::RecordId;
use crate::scope::NoScope;

/// One operation, as its first request and every retry name it.
pub(crate) struct Operation {
    pub(crate) id: RecordId,
    pub(crate) fingerprint: Fingerprint,
    /// Behind a pointer, as it crosses every await of the operation.
    pub(crate) options: Rc<Options>,
    pub(crate) attempt: Attempt,
}

impl Operation {
    /// Hands the key to whoever extracts it from now on.
    pub(crate) fn announce(request: &HttpRequest, key: &IdempotencyKey) -> Attempt {
        let attempt = Attempt::default();
        let mut extensions = request.extensions_mut();
        extensions.insert(key.clone());
        extensions.insert(attempt.clone());
        attempt
    }

    /// Derives whose operation this is; from here on it has a name.
    pub(crate) fn identify(
        layer: &Layer,
        request: &HttpRequest,
        key: &IdempotencyKey,
        fingerprint: Fingerprint,
        options: Rc<Options>,
        attempt: Attempt,
    ) -> Result<Self, HttpResponse> {
        let scope = layer.scope.of(request).map_err(|refusal| match refusal {
            NoScope::Missing => engine::reject(layer, Problem::NoScope),
            NoScope::Answer(answer) => answer,
        })?;
        let id = RecordId::derive(&scope, request.method(), request.uri().path(), key);
        key.bind(id);
        Ok(Self {
            id,
            fingerprint,
            options,
            attempt,
        })
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
        route.comes_too_late(&self.0.outer)
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
