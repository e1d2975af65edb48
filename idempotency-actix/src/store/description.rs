//! What an operator may know of an operation. It never knows a key or a caller.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::http::Method;

/// What an operator may know of a claim: method, route pattern, when it was asked for, and a label where the application
/// gives one ([`operator_label`](crate::IdempotencyBuilder::operator_label)).
///
/// It is kept with the claim and shown to people; nothing is decided by it. Clones share their texts.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
///
/// use actix_web::http::Method;
/// use idempotency_actix::store::Description;
///
/// let asked_at = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
/// let description = Description::new(Method::POST, Some("/accounts/{id}/charges"), asked_at);
/// assert_eq!(description.route(), Some("/accounts/{id}/charges"));
/// assert_eq!(description.with_label("order 7\n").label(), Some("order 7"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    place: Arc<(Method, Option<Box<str>>)>,
    label: Option<Arc<str>>,
    /// Milliseconds since 1970.
    asked_at: u64,
}

impl Description {
    /// The most octets that are kept of a label: 128. A longer one is cut.
    pub const MAX_LABEL: usize = 128;

    /// The most octets that are kept of a route pattern: 1,024. A longer one is cut.
    pub const MAX_ROUTE: usize = 1_024;

    /// Of a request by its method and its route's pattern, if there is one. Control characters are dropped.
    pub fn new(method: Method, route: Option<&str>, asked_at: SystemTime) -> Self {
        let route = route.map(|route| printable(route, Self::MAX_ROUTE));
        let described = Self {
            place: Arc::new((method, route)),
            label: None,
            asked_at: 0,
        };
        described.at(asked_at)
    }

    /// The same with a text that tells an operator more. Control characters are dropped.
    #[must_use]
    pub fn with_label(self, label: &str) -> Self {
        let label = Some(printable(label, Self::MAX_LABEL).into());
        Self { label, ..self }
    }

    /// The same for a claim of that time. Milliseconds are kept, and nothing before 1970.
    #[must_use]
    pub fn at(self, asked_at: SystemTime) -> Self {
        let since = asked_at.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            asked_at: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            ..self
        }
    }

    /// The request's method.
    pub fn method(&self) -> &Method {
        &self.place.0
    }

    /// The pattern of the route that took the request, with the scopes it is in; `None` where nothing matched.
    pub fn route(&self) -> Option<&str> {
        self.place.1.as_deref()
    }

    /// What the application tells operators of the operation.
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// When the claim was asked for, by the clock of whoever did, or of the store if that counts it. It is compared with
    /// nothing.
    pub fn asked_at(&self) -> SystemTime {
        let since = Duration::from_millis(self.asked_at);
        UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
    }
}

/// As much of a text as is kept.
fn printable(text: &str, most: usize) -> Box<str> {
    let mut kept = String::with_capacity(text.len().min(most));
    for char in text.chars().filter(|char| !char.is_control()) {
        if kept.len() + char.len_utf8() > most {
            break;
        }
        kept.push(char);
    }
    kept.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(route: &str) -> Description {
        Description::new(Method::POST, Some(route), UNIX_EPOCH)
    }

    #[test]
    fn texts_are_cut_between_characters_and_have_no_controls() {
        let label = "é".repeat(100);
        let description = post("/a\0\u{9b}b").with_label(&label);
        assert_eq!(description.route(), Some("/ab"));
        assert_eq!(description.label(), Some(&label[..128]));
        let odd = post("/").with_label(&format!("a{label}"));
        assert_eq!(odd.label().map(str::len), Some(127));
    }

    #[test]
    fn a_time_is_kept_in_milliseconds_and_never_before_1970() {
        let at = |time| post("/").at(time).asked_at();
        let millis = Duration::from_millis(1_700_000_000_123);
        let time = UNIX_EPOCH + millis + Duration::from_micros(4);
        assert_eq!(at(time), UNIX_EPOCH + millis);
        assert_eq!(at(UNIX_EPOCH - millis), UNIX_EPOCH);
    }
}
