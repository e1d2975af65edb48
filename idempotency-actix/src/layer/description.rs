//! How requests are described to operators: by the pattern of their route and the application's label. It decides about no
//! request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use actix_web::HttpRequest;
use actix_web::http::Method;

use crate::store::Description;

/// What an application tells operators of a request.
pub(super) type Label = Arc<dyn Fn(&HttpRequest) -> Option<String> + Send + Sync>;

/// One description for each method and route that a worker has served, for requests to share. Of a time that each claim
/// replaces.
#[derive(Default)]
pub(super) struct Descriptions(BTreeMap<Box<str>, Vec<Description>>);

impl Descriptions {
    pub(super) fn of(&mut self, method: &Method, route: Option<&str>) -> Description {
        let text = route.unwrap_or_default();
        let is_it = |it: &&Description| it.method() == method && it.route() == route;
        let known = self.0.get(text).and_then(|them| them.iter().find(is_it));
        if let Some(description) = known {
            return description.clone();
        }
        let description = Description::new(method.clone(), route, UNIX_EPOCH);
        let them = self.0.entry(text.into()).or_default();
        them.push(description.clone());
        description
    }
}
