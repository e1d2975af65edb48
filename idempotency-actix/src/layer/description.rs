//! How requests are described to operators: by the pattern of their route and the application's label. It decides about no
//! request.

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
    /// That of the last path that no router had seen.
    last: Option<(String, Description)>,
}

impl Descriptions {
    pub(super) fn of(&mut self, method: &Method, route: Option<&str>) -> Description {
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

    /// The same before routing, by the first route that could take the path. It is looked for where the path is another
    /// one than the last, which it seldom is for paths without parameters.
    pub(super) fn ahead(&mut self, request: &HttpRequest, patterns: &mut Patterns) -> Description {
        let (method, path) = (request.method(), request.match_info().as_str());
        if let Some((last, description)) = &self.last
            && last == path
            && description.method() == method
        {
            return description.clone();
        }
        let description = self.of(method, patterns.first(request));
        let (mut last, _) = self
            .last
            .take()
            .unwrap_or_else(|| (String::new(), description.clone()));
        last.clear();
        last.push_str(path);
        self.last = Some((last, description.clone()));
        description
    }
}
