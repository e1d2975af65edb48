//! How requests are described to operators: by the pattern of their route and the application's label. It decides about no
//! request.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use actix_web::HttpRequest;
use actix_web::http::Method;

use crate::options::Patterns;
use crate::store::Description;

/// What an application tells operators of a request.
pub(super) type Label = Arc<dyn Fn(&HttpRequest) -> Option<String> + Send + Sync>;

/// One description for each method and route that a worker has served, for requests to share. Of a time that each claim
/// replaces.
#[derive(Default)]
pub(super) struct Descriptions {
    known: BTreeMap<Box<str>, Vec<Description>>,
    /// That of the last path.
    last: Option<(Routing, String, Description)>,
}

/// Whether the application's router has seen a request.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Routing {
    Done,
    Ahead,
}

impl Descriptions {
    /// That of the route which the router chose, or ahead of it, of the first that could take the path. It is looked for
    /// where the path is another one than the last, which it seldom is for paths without parameters.
    pub(super) fn of(
        &mut self,
        request: &HttpRequest,
        routing: Routing,
        patterns: &RefCell<Patterns>,
    ) -> Description {
        let (method, path) = (request.method(), request.match_info().as_str());
        if let Some((known, last, description)) = &self.last
            && *known == routing
            && last == path
            && description.method() == method
        {
            return description.clone();
        }
        let description = match routing {
            Routing::Done => self.shared(method, request.match_pattern().as_deref()),
            Routing::Ahead => self.shared(method, patterns.borrow_mut().first(request)),
        };
        // With parameters, guards may choose among several patterns for one path.
        if routing == Routing::Ahead || request.match_info().is_empty() {
            let last = self.last.take();
            let mut text = last.map_or_else(String::new, |(_, text, _)| text);
            text.clear();
            text.push_str(path);
            self.last = Some((routing, text, description.clone()));
        }
        description
    }

    fn shared(&mut self, method: &Method, route: Option<&str>) -> Description {
        let text = route.unwrap_or_default();
        let is_it = |it: &&Description| it.method() == method && it.route() == route;
        let known = self.known.get(text);
        if let Some(description) = known.and_then(|them| them.iter().find(is_it)) {
            return description.clone();
        }
        let description = Description::new(method.clone(), route, UNIX_EPOCH);
        let them = self.known.entry(text.into()).or_default();
        them.push(description.clone());
        description
    }
}
