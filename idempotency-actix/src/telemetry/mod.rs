//! What the layer tells those who run it: the outcome of each request, and incidents. It knows no store and no claim.
//!
//! Nothing here ever shows a key, a scope, a header or a body; a record is named by a short hash.

mod advice;
mod chain;
mod gauge;
mod incident;
mod method;
#[cfg(feature = "metrics")]
mod metrics;
mod outcome;
mod tell;

pub(crate) use self::chain::Chain;
pub(crate) use self::gauge::Gauge;
pub(crate) use self::incident::{Incident, answered, describe, incident};
pub(crate) use self::method::method_name;
#[cfg(feature = "metrics")]
pub(crate) use self::metrics::timed;
pub(crate) use self::outcome::{ObserverFn, Told};
pub use self::outcome::{Outcome, OutcomeEvent, RecordHash};
pub(crate) use self::tell::{current_span, is_heard, tell};
