//! What a client makes of an answer: whether it is the last word. It knows neither a connection nor a clock.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, LINK, RETRY_AFTER};

/// Problems of the layer's that pass: nothing ran by this try.
const PASSING: [&str; 4] = [
    "in-flight",
    "quota-exceeded",
    "store-unavailable",
    "draining",
];

/// The request did not come whole, or too early, or too often.
const NOTHING_RAN: [StatusCode; 3] = [
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::TOO_EARLY,
    StatusCode::TOO_MANY_REQUESTS,
];

/// What an answer means for the operation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// It is the answer, and no retry would get another.
    Answer,
    /// A retry with the same key may get another, after so long if that is told.
    NotYet(Option<Duration>),
    /// It may have happened, and no retry would tell. Somebody has to look before anything is sent again.
    Ask,
}

/// What of an answer decides.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    /// Whether it is the recorded answer of an earlier try.
    pub(crate) is_replay: bool,
    retry_after: Option<Duration>,
    /// The last part of the problem's type, where it is a problem of the layer's.
    pub(crate) problem: Option<String>,
}

impl Reply {
    pub(crate) fn new(status: StatusCode, headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name)?.to_str().ok();
        let last_part = |uri: &str| Some(uri.rsplit(['/', '#', ':']).next()?.to_owned());
        Self {
            status,
            is_replay: text("idempotent-replayed") == Some("true"),
            // A date is not read: the pause is then the client's own.
            retry_after: text(RETRY_AFTER.as_str())
                .and_then(|seconds| seconds.parse().ok())
                .map(Duration::from_secs),
            problem: text(LINK.as_str())
                .and_then(described_by)
                .and_then(last_part),
        }
    }

    pub(crate) fn meaning(&self) -> Meaning {
        let problem = self.problem.as_deref();
        match self.status {
            // It failed, and every retry is told the same.
            status if self.is_replay && status.is_server_error() => Meaning::Ask,
            _ if self.is_replay => Meaning::Answer,
            _ if problem.is_some_and(|it| PASSING.contains(&it)) => {
                Meaning::NotYet(self.retry_after)
            }
            // Of the others some are a bug in the client, and the rest cannot tell what happened.
            _ if problem.is_some() => Meaning::Ask,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Meaning::Ask,
            // A retry runs where it is known that nothing was done, and else is told the same, as a replay.
            status if status.is_server_error() || NOTHING_RAN.contains(&status) => {
                Meaning::NotYet(self.retry_after)
            }
            _ => Meaning::Answer,
        }
    }
}

/// The target of a link to what describes the answer.
fn described_by(link: &str) -> Option<&str> {
    let (target, parameters) = link.strip_prefix('<')?.split_once('>')?;
    parameters.contains("rel=\"describedby\"").then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(status: u16, lines: &[(&'static str, &'static str)]) -> Meaning {
        let lines = lines.iter().map(|(name, value)| {
            let name = reqwest::header::HeaderName::from_static(name);
            (name, reqwest::header::HeaderValue::from_static(value))
        });
        let status = StatusCode::from_u16(status).expect("a status");
        Reply::new(status, &lines.collect()).meaning()
    }

    const REPLAYED: (&str, &str) = ("idempotent-replayed", "true");
    const SECOND: (&str, &str) = ("retry-after", "1");

    fn after_a_second() -> Meaning {
        Meaning::NotYet(Some(Duration::from_secs(1)))
    }

    #[test]
    fn a_replay_is_the_answer_unless_it_tells_of_a_failure() {
        for status in [201, 402, 409, 429] {
            assert_eq!(meaning(status, &[REPLAYED, SECOND]), Meaning::Answer);
        }
        for status in [500, 503] {
            assert_eq!(meaning(status, &[REPLAYED, SECOND]), Meaning::Ask);
        }
    }

    #[test]
    fn what_passes_is_tried_again_after_the_time_that_is_told() {
        for (status, link) in [
            (
                409,
                "<urn:problem-type:idempotency-actix:in-flight>; rel=\"describedby\"",
            ),
            (
                429,
                "<https://example.com/problems/quota-exceeded>; rel=\"describedby\"",
            ),
            (
                503,
                "<https://example.com/problems#store-unavailable>; rel=\"describedby\"",
            ),
            (
                503,
                "<urn:problem-type:idempotency-actix:draining>; rel=\"describedby\"",
            ),
        ] {
            assert_eq!(
                meaning(status, &[("link", link), SECOND]),
                after_a_second(),
                "{link}"
            );
        }
        for status in [408, 425, 429, 500, 502, 503, 504] {
            assert_eq!(meaning(status, &[SECOND]), after_a_second(), "{status}");
            assert_eq!(meaning(status, &[]), Meaning::NotYet(None), "{status}");
        }
    }

    #[test]
    fn what_no_retry_would_tell_is_asked() {
        for (status, link) in [
            (
                500,
                "<urn:problem-type:idempotency-actix:outcome-unknown>; rel=\"describedby\"",
            ),
            (
                410,
                "<urn:problem-type:idempotency-actix:response-not-kept>; rel=\"describedby\"",
            ),
            (
                412,
                "<urn:problem-type:idempotency-actix:key-expired>; rel=\"describedby\"",
            ),
            (
                422,
                "<urn:problem-type:idempotency-actix:key-reused>; rel=\"describedby\"",
            ),
        ] {
            assert_eq!(meaning(status, &[("link", link)]), Meaning::Ask, "{link}");
        }
        assert_eq!(meaning(401, &[]), Meaning::Ask);
    }

    #[test]
    fn every_other_answer_is_the_last_word() {
        for status in [200, 201, 303, 402, 404, 409, 410, 422] {
            assert_eq!(meaning(status, &[SECOND]), Meaning::Answer, "{status}");
        }
    }
}
