//! What users wrap, mark and extract. It leads a request to `run`, and decides nothing that comes after.

mod all_routes;
mod arguments;
mod attempt;
mod builder;
mod description;
#[cfg(feature = "utoipa")]
mod documented;
mod drain;
#[cfg(feature = "testing")]
mod for_test;
mod idempotency;
mod idempotency_key;
mod in_transaction;
mod made_anew;
mod marked;
mod middleware;
mod operator;
#[cfg(feature = "operator")]
mod operator_page;
mod outer_claim;
#[cfg(feature = "testing")]
mod passthrough;
mod shared;
mod start;
mod transactional;
mod unbuilt;
mod uncovered;
mod worker;
mod wrapped;
#[cfg(feature = "serde")]
mod written_options;

pub use self::attempt::Attempt;
pub use self::builder::IdempotencyBuilder;
pub use self::drain::{Drained, InFlight};
pub use self::idempotency::Idempotency;
pub use self::idempotency_key::IdempotencyKey;
pub use self::in_transaction::InTransaction;
pub use self::marked::Marked;
pub use self::middleware::{IdempotencyFuture, IdempotencyService};
#[cfg(feature = "operator")]
pub use self::operator_page::OperatorPage;
