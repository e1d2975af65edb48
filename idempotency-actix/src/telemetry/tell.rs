//! Who is told of a request's outcome: the log, the current span and the metrics.

use std::time::Duration;

use tracing::Span;
use tracing::field::display;
use tracing::level_filters::LevelFilter;

use super::advice::advise;
use super::outcome::{Outcome, OutcomeEvent};

/// Whether anybody would be told of it: a subscriber, a logger or metrics. Of what a person should see the log is always
/// asked.
pub(crate) fn is_heard(outcome: Outcome) -> bool {
    !matches!(outcome, Outcome::First | Outcome::Replayed)
        || cfg!(feature = "metrics")
        || LevelFilter::current() != LevelFilter::OFF
        || log::max_level() >= log::LevelFilter::Debug
}

/// The current span, for which no subscriber is asked that wants none.
pub(crate) fn current_span() -> Span {
    match LevelFilter::current() {
        LevelFilter::OFF => Span::none(),
        _ => Span::current(),
    }
}

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
    let span = current_span();
    if !span.is_none() {
        span.record("idempotency.outcome", outcome)
            .record("idempotency.problem", problem)
            .record("idempotency.method", method)
            .record("idempotency.route", route)
            .record("idempotency.record", &record)
            .record("idempotency.generation", generation)
            .record("idempotency.age_ms", millis(age))
            .record("idempotency.waited_ms", millis(waited))
            .record("idempotency.ran_ms", millis(ran));
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
                age_ms = millis(age),
                waited_ms = millis(waited),
                ran_ms = millis(ran),
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
