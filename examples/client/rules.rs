//! What a client makes of an answer: whether it is the last word. It knows neither a connection nor a clock.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// Problems of the layer's that pass: nothing ran by this try.
const PASSING: [&str; 4] = [
    "in-flight",
    "quota-exceeded",
    "store-unavailable",
    "draining",
];

/// What an answer means for the operation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// It is the answer, and no retry would get another.
    Answer,
    /// A retry with the same key may get another, after so long if that is told.
    NotYet(Option<Duration>),
    /// The server cannot tell whether it happened. A person has to look before anything is sent again.
    Unknown,
}

/// What of an answer decides.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    /// Whether it is the recorded answer of an earlier try.
    pub(crate) is_replay: bool,
    retry_after: Option<Duration>,
    /// The last part of the problem's type, where the body is one.
    pub(crate) problem: Option<String>,
}

impl Reply {
    pub(crate) fn new(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let text = |name: &str| headers.get(name)?.to_str().ok();
        let is_problem = text("content-type") == Some("application/problem+json");
        let problem = is_problem.then(|| serde_json::from_slice::<serde_json::Value>(body).ok());
        let kind = problem.flatten().and_then(|problem| {
            let kind = problem.get("type")?.as_str()?;
            Some(kind.rsplit(['/', '#', ':']).next()?.to_owned())
        });
        Self {
            status,
            is_replay: text("idempotent-replayed") == Some("true"),
            // A date is not read: the pause is then the client's own.
            retry_after: text(RETRY_AFTER.as_str())
                .and_then(|seconds| seconds.parse().ok())
                .map(Duration::from_secs),
            problem: kind,
        }
    }

    pub(crate) fn meaning(&self) -> Meaning {
        let problem = self.problem.as_deref();
        match self.status {
            // Whatever its status: it was given once, and a retry is given the same.
            _ if self.is_replay => Meaning::Answer,
            _ if problem == Some("outcome-unknown") => Meaning::Unknown,
            _ if problem.is_some_and(|it| PASSING.contains(&it)) => {
                Meaning::NotYet(self.retry_after)
            }
            // Who says when to come again did not act. A 5xx that does not may have acted, and the key is bound to it.
            StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS if self.retry_after.is_some() => {
                Meaning::NotYet(self.retry_after)
            }
            status if status.is_server_error() && self.retry_after.is_some() => {
                Meaning::NotYet(self.retry_after)
            }
            _ => Meaning::Answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, lines: &[(&'static str, &'static str)], body: &str) -> Reply {
        let lines = lines.iter().map(|(name, value)| {
            let name = reqwest::header::HeaderName::from_static(name);
            (name, reqwest::header::HeaderValue::from_static(value))
        });
        let status = StatusCode::from_u16(status).expect("a status");
        Reply::new(status, &lines.collect(), body.as_bytes())
    }

    fn problem(status: u16, kind: &str, retry_after: Option<&'static str>) -> Meaning {
        let mut lines = vec![("content-type", "application/problem+json")];
        lines.extend(retry_after.map(|seconds| ("retry-after", seconds)));
        let body = format!(r#"{{"type":"https://example.com/problems/{kind}"}}"#);
        reply(status, &lines, &body).meaning()
    }

    #[test]
    fn a_replay_is_the_answer_whatever_its_status() {
        let replayed = ("idempotent-replayed", "true");
        for status in [201, 402, 409, 429, 500, 503] {
            let lines = [replayed, ("retry-after", "1")];
            assert_eq!(reply(status, &lines, "").meaning(), Meaning::Answer);
        }
    }

    #[test]
    fn what_passes_is_tried_again_after_the_time_that_is_told() {
        let second = Meaning::NotYet(Some(Duration::from_secs(1)));
        assert_eq!(problem(409, "in-flight", Some("1")), second);
        assert_eq!(problem(429, "quota-exceeded", Some("1")), second);
        assert_eq!(problem(503, "store-unavailable", Some("1")), second);
        assert_eq!(problem(503, "draining", None), Meaning::NotYet(None));
        assert_eq!(reply(429, &[("retry-after", "1")], "").meaning(), second);
        assert_eq!(reply(502, &[("retry-after", "1")], "").meaning(), second);
    }

    #[test]
    fn what_is_wrong_with_the_request_stays_wrong() {
        for (status, kind) in [
            (400, "invalid-key"),
            (410, "response-not-kept"),
            (412, "key-expired"),
            (422, "key-reused"),
        ] {
            assert_eq!(problem(status, kind, None), Meaning::Answer, "{kind}");
        }
        assert_eq!(reply(402, &[], "").meaning(), Meaning::Answer);
    }

    #[test]
    fn a_failure_of_the_handler_is_bound_to_the_key() {
        assert_eq!(reply(500, &[], "").meaning(), Meaning::Answer);
        assert_eq!(reply(503, &[], "").meaning(), Meaning::Answer);
    }

    #[test]
    fn what_the_server_does_not_know_is_nothing_to_try_again() {
        assert_eq!(problem(500, "outcome-unknown", None), Meaning::Unknown);
    }
}
