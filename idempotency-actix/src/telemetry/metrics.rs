//! The metrics, through the facade of the crate `metrics`: their names, what they mean, and how they are counted. The table in
//! `guide/operations.md` has the same names.

use std::sync::Once;
use std::time::{Duration, Instant};

use metrics::{
    SharedString, Unit, counter, describe_counter, describe_gauge, describe_histogram, histogram,
};

use super::gauge::Gauge;
use super::outcome::OutcomeEvent;

const REQUESTS: &str = "idempotency_requests_total";
const INCIDENTS: &str = "idempotency_incidents_total";
const RUN: &str = "idempotency_run_duration_seconds";
const WAIT: &str = "idempotency_wait_duration_seconds";
const STORE: &str = "idempotency_store_duration_seconds";

/// Describes all metrics, and has each kind of incident at zero from the start: what was never counted cannot be seen to
/// rise. Once in a process.
pub(super) fn describe(kinds_of_incident: impl IntoIterator<Item = &'static str>) {
    static DESCRIBED: Once = Once::new();
    DESCRIBED.call_once(|| {
        describe_counter!(
            REQUESTS,
            "requests with a key, by outcome, reason and route"
        );
        describe_counter!(
            INCIDENTS,
            "what must not happen in a healthy service, by kind"
        );
        let seconds = Unit::Seconds;
        describe_histogram!(
            RUN,
            seconds,
            "from the question for the claim to the end of the answer"
        );
        describe_histogram!(WAIT, seconds, "how long a retry waited for a first request");
        describe_histogram!(
            STORE,
            seconds,
            "calls of the store, by operation and result"
        );
        for (of, what) in [
            (Gauge::Runs, "operations whose claim is asked for or held"),
            (Gauge::Detached, "requests that go on without their client"),
            (Gauge::Waiters, "retries that wait for a first request"),
            (
                Gauge::WaitingAnswers,
                "answers that the store did not take yet",
            ),
            (Gauge::MemoryRecords, "records in memory stores"),
            (Gauge::MemoryBytes, "octets that memory stores count"),
        ] {
            describe_gauge!(of.name(), what);
            of.add(0);
        }
        for kind in kinds_of_incident {
            counter!(INCIDENTS, "kind" => kind).increment(0);
        }
    });
}

pub(super) fn count_incident(kind: &'static str) {
    counter!(INCIDENTS, "kind" => kind).increment(1);
}

pub(super) fn count(event: &OutcomeEvent<'_>) {
    let route = || SharedString::from(event.route.unwrap_or_default().to_owned());
    let labels = [
        ("outcome", event.outcome.as_str().into()),
        ("reason", event.problem.unwrap_or_default().into()),
        ("route", route()),
    ];
    counter!(REQUESTS, &labels).increment(1);
    if let Some(time) = event.ran {
        histogram!(RUN, "route" => route()).record(time);
    }
    if let Some(time) = event.waited {
        histogram!(WAIT, "route" => route()).record(time);
    }
}

/// Times a call of the store, also one that is given up.
pub(crate) async fn timed<T>(
    operation: &'static str,
    call: impl Future<Output = T>,
    result: impl FnOnce(&T) -> &'static str,
) -> T {
    let mut clock = CallClock {
        operation,
        result: "given_up",
        start: Instant::now(),
    };
    let answer = call.await;
    clock.result = result(&answer);
    answer
}

struct CallClock {
    operation: &'static str,
    result: &'static str,
    start: Instant,
}

impl Drop for CallClock {
    fn drop(&mut self) {
        let time: Duration = self.start.elapsed();
        let Self {
            operation, result, ..
        } = *self;
        histogram!(STORE, "operation" => operation, "result" => result).record(time);
    }
}
