//! Who is told of a request's outcome: the log, the current span and the metrics.

use std::time::Duration;

use tracing::Span;
use tracing::field::display;

use super::advice::advise;
use super::outcome::{Outcome, OutcomeEvent};

/// Tells the log, the current span and the metrics. What a person should see is logged as `info`.
pub(crate) fn tell(event: &OutcomeEvent<'_>) {
    let millis = |time: Option<Duration>| {
        time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    };
    let OutcomeEvent {
        outcome,
        problem,
        method,
        route,
        record,
        generation,
        age,
        waited,
        ran,
    } = *event;
    let (outcome, record) = (outcome.as_str(), record.map(display));
    let (age_ms, waited_ms, ran_ms) = (millis(age), millis(waited), millis(ran));
    let span = Span::current();
    if !span.is_none() {
        span.record("idempotency.outcome", outcome)
            .record("idempotency.problem", problem)
            .record("idempotency.method", method)
            .record("idempotency.route", route)
            .record("idempotency.record", &record)
            .record("idempotency.generation", generation)
            .record("idempotency.age_ms", age_ms)
            .record("idempotency.waited_ms", waited_ms)
            .record("idempotency.ran_ms", ran_ms);
    }
    macro_rules! log {
        ($level:ident) => {
            tracing::$level!(
                outcome,
                problem,
                method,
                route,
                record,
                generation,
                age_ms,
                waited_ms,
                ran_ms,
                "idempotent request answered"
            )
        };
    }
    match event.outcome {
        Outcome::First | Outcome::Replayed => log!(debug),
        _ => log!(info),
    }
    advise(event);
    #[cfg(feature = "metrics")]
    super::metrics::count(event);
}
