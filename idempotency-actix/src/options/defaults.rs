//! The default values of options. It knows no option's type.

use std::time::Duration;

use actix_web::http::header::HeaderName;

/// The answers that release a claim unless told otherwise: 401, 403, 425 and 429.
///
/// By these a server refuses before it acts, and none of them is a result worth pinning for a day.
pub const DEFAULT_RELEASE_ON: &[u16] = &[401, 403, 425, 429];

/// How long a finished record is replayed unless told otherwise: 24 hours, as Stripe does.
pub const DEFAULT_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a claim is believed alive without renewal unless told otherwise: 30 seconds.
pub const DEFAULT_LEASE: Duration = Duration::from_secs(30);

/// The largest request body that is read for a key unless told otherwise: 2 MiB.
pub const DEFAULT_MAX_BODY: u64 = 2 * 1024 * 1024;

/// The largest answer that is kept unless told otherwise: 1 MiB.
pub const DEFAULT_MAX_RESPONSE: u64 = 1024 * 1024;

/// How many retries may wait in one process unless told otherwise: 1,024.
pub const DEFAULT_MAX_WAITERS: usize = 1024;

/// How many retries may wait for one operation in one process unless told otherwise: 16.
pub const DEFAULT_MAX_WAITERS_PER_KEY: usize = 16;

/// How many octets all streams of a layer may hold unless told otherwise: 64 MiB.
pub const DEFAULT_STREAM_BUDGET: usize = 64 * 1024 * 1024;

/// How often a handler runs whose transaction is undone for another's sake, unless told otherwise: 3 times.
pub const DEFAULT_TRANSACTION_RUNS: usize = 3;

/// The request header that a key is in unless told otherwise: `idempotency-key`, of
/// draft-ietf-httpapi-idempotency-key-header.
///
/// For a `Cors` that allows it, for clients and for tests.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What problem types start with.
pub(crate) const DEFAULT_PROBLEM_BASE: &str = "urn:problem-type:idempotency-actix:";
