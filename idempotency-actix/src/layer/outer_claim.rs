//! Layers and marks inside of one another: the claim of the outer one, as what is inside meets it. It knows no store.

use std::cell::Cell;
use std::rc::Rc;

use actix_web::dev::Extensions;

use crate::options::{Options, RouteOptions};

/// The claim that an outer layer holds for this request, as a marked handler inside meets it.
#[derive(Clone)]
pub(super) struct OuterClaim(Rc<Inside>);

struct Inside {
    outer: Rc<Options>,
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
    /// A marked handler has started.
    Started,
}

impl OuterClaim {
    /// A claim that was made by these options.
    pub(super) fn new(outer: &Rc<Options>) -> Self {
        Self(Rc::new(Inside {
            outer: Rc::clone(outer),
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

    pub(super) fn reach(&self, route: &'static RouteOptions) {
        self.0.route.set(Some(route));
        self.0.progress.set(Progress::Reached);
    }

    pub(super) fn start(&self) {
        self.0.progress.set(Progress::Started);
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
