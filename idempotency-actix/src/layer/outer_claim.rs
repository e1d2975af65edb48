//! Layers and marks inside of one another: the claim of the outer one, as what is inside meets it. It knows no store.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::dev::Extensions;

use crate::answer::{Problem, reject};
use crate::claim::Lease;
use crate::options::{Options, RouteOptions};

/// The claim that an outer layer holds for this request, as a marked handler inside meets it.
#[derive(Clone)]
pub(super) struct OuterClaim(Rc<Inside>);

struct Inside {
    outer: Rc<Options>,
    lease: Arc<Lease>,
    route: Cell<Option<&'static RouteOptions>>,
    progress: Cell<Progress>,
}

/// How far the request came inside of an outer claim.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Progress {
    /// No marked handler was met: nobody can tell what ran.
    #[default]
    Unmarked,
    /// A marked handler was met, and has not started.
    Reached,
    /// A marked handler has started, and not ended.
    Started,
    /// A marked handler has ended.
    Ended,
}

/// The mark of an answer that a marked handler gave in place of a run.
pub(super) struct Unstarted;

impl Unstarted {
    pub(super) fn mark(response: &mut HttpResponse) {
        response.extensions_mut().insert(Self);
    }

    pub(super) fn is_marked(response: &HttpResponse) -> bool {
        response.extensions().contains::<Self>()
    }
}

impl OuterClaim {
    /// A claim that was made by these options.
    pub(super) fn new(outer: &Rc<Options>, lease: &Arc<Lease>) -> Self {
        Self(Rc::new(Inside {
            outer: Rc::clone(outer),
            lease: Arc::clone(lease),
            route: Cell::default(),
            progress: Cell::default(),
        }))
    }

    pub(super) fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }

    /// The first option of a marked handler that comes too late under this claim.
    pub(super) fn too_late(&self, route: &RouteOptions) -> Option<&'static str> {
        self.0.outer.too_late(route)
    }

    /// Notes that a marked handler was met. Middleware may call what is inside twice, so that one may have started.
    pub(super) fn reach(&self, route: &'static RouteOptions) {
        self.0.route.set(Some(route));
        if self.progress() == Progress::Unmarked {
            self.0.progress.set(Progress::Reached);
        }
    }

    /// The gate right before a marked handler is called: a claim that was lost while its arguments were extracted
    /// starts nothing.
    pub(super) fn start(&self) -> Result<(), Box<HttpResponse>> {
        let lease = &self.0.lease;
        let problem = if lease.is_lost() {
            Problem::InFlight
        } else if lease.since_acked() > lease.claim.lease() {
            Problem::StoreUnavailable
        } else {
            self.0.progress.set(Progress::Started);
            return Ok(());
        };
        let answer = reject(problem, &self.0.outer.problem_base);
        Err(Box::new(answer))
    }

    pub(super) fn end(&self) {
        self.0.progress.set(Progress::Ended);
    }

    pub(super) fn progress(&self) -> Progress {
        self.0.progress.get()
    }

    /// The outer options with those that the route sets for itself.
    pub(super) fn options(&self) -> Rc<Options> {
        match self.0.route.get() {
            Some(route) => Rc::new(self.0.outer.with(route)),
            None => Rc::clone(&self.0.outer),
        }
    }
}
