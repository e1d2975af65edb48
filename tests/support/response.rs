//! An answer as a client sees it, and what every answer of a kind must be.

/// An answer as it came; header values are latin-1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Lines in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body's octets, unchunked.
    pub body: Vec<u8>,
}

impl Response {
    /// The first line of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.headers.iter();
        lines.find(|(n, _)| n == name).map(|(_, value)| &**value)
    }

    /// Every line of that name, in order.
    pub fn lines(&self, name: &str) -> Vec<&str> {
        let lines = self.headers.iter().filter(|(n, _)| n == name);
        lines.map(|(_, value)| &**value).collect()
    }

    /// Whether it is marked as a replay.
    pub fn is_replay(&self) -> bool {
        self.header("idempotent-replayed") == Some("true")
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The last part of the problem's type, if it is a problem of ours.
    pub fn problem(&self) -> Option<String> {
        let json: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        let kind = json.get("type")?.as_str()?;
        Some(kind.rsplit([':', '/', '#']).next()?.to_owned())
    }
}

/// Every problem of ours, checked against what all of them promise.
#[track_caller]
pub fn assert_problem(answer: &Response, status: u16, name: &str) {
    assert_eq!(answer.problem().as_deref(), Some(name), "{answer:?}");
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(!answer.is_replay(), "{answer:?}");
    let content_type = answer.header("content-type");
    assert_eq!(content_type, Some("application/problem+json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

/// A retry while the first request runs.
#[track_caller]
pub fn assert_in_flight(answer: &Response) {
    assert_problem(answer, 409, "in-flight");
    assert_eq!(answer.header("retry-after"), Some("1"));
}

/// A first answer with that status and body, neither replayed nor marked.
#[track_caller]
pub fn assert_first(answer: &Response, status: u16, body: &str) {
    assert_eq!((answer.status, answer.text().as_str()), (status, body));
    assert!(!answer.is_replay(), "{answer:?}");
    assert_eq!(answer.header("idempotency-status"), None);
}

/// A replay of that status and body.
#[track_caller]
pub fn assert_replay(answer: &Response, status: u16, body: &str) {
    assert_eq!((answer.status, answer.text().as_str()), (status, body));
    assert!(answer.is_replay(), "{answer:?}");
    assert_eq!(answer.header("idempotency-status"), None);
}
