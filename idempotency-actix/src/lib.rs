//! Idempotency-Key layer for actix-web: one run, one answer, every retry replayed.
//!
//! A client sends `POST /charges` with an `Idempotency-Key`, loses the connection, and retries. The
//! handler runs once, and every retry gets the first answer: same status, same headers, same bytes,
//! marked `Idempotent-Replayed: true`. That holds while the client hangs up, the handler panics, or
//! fifty duplicates arrive at once; where the outcome cannot be known, the retry is told so, and the
//! handler is not run again.
//!
//! How to use it, page by page, is told by the [guide]: [quick start](guide::quick_start), [whose key it is](guide::scope),
//! [which store](guide::stores), [what your client must do](guide::clients), and on to [operations](guide::operations).
//!
//! # Example
//!
//! ```
//! use actix_web::{App, HttpMessage, HttpRequest, HttpResponse, Responder, post, web};
//! use idempotency_actix::{Idempotency, KeyScope, MemoryStore, idempotent};
//!
//! #[post("/charges")]
//! #[idempotent(ttl = "24h")]
//! async fn create_charge(order: web::Bytes) -> impl Responder {
//!     // Runs once per key, whatever the client and the network do.
//!     HttpResponse::Created().body(order)
//! }
//!
//! /// The caller that your authentication put into the request's extensions.
//! #[derive(Clone)]
//! struct AccountId(u64);
//!
//! fn principal(req: &HttpRequest) -> Option<u64> {
//!     req.extensions().get::<AccountId>().map(|id| id.0)
//! }
//!
//! let idempotency = Idempotency::new(MemoryStore::new(), KeyScope::by(principal));
//! let app = move || App::new().wrap(idempotency.clone()).service(create_charge);
//! # let _ = app;
//! ```
//!
//! # The way of a request
//!
//! ![Eight steps from the key to the answer, each with what else may come of it.][pictures/request.svg]
//!
#![cfg_attr(not(doctest), doc = include_str!("../guide/pictures/request.link"))]
//!
//! With a handler marked [`#[idempotent]`](macro@idempotent), after routing and all inner middleware:
//!
//! 1. **Key.** A request without the key header, or with a safe method, passes through untouched. A malformed key is 400.
//! 2. **Body.** It is read within its limit and hashed into a fingerprint, together with path, query,
//!    `Content-Type` and `Content-Encoding`.
//! 3. **Arguments.** The handler's extractors run. What fails here leaves the key unused, and an
//!    extractor that authenticates guards replays too.
//! 4. **Caller.** The [`KeyScope`] tells whose key it is. Caller, method, path and key make the
//!    record's name.
//! 5. **Claim.** One atomic step in the store. A retry stops here: it gets the replay, or a problem.
//! 6. **Handler.** It runs to its end even if the client leaves, and so does all that stands between it and the
//!    layer. The claim is renewed every third of its lease, by a thread of its own.
//! 7. **Answer.** It is recorded where it passes the layer, as the handler gave it, and then sent. If another status
//!    comes out there, of a commit that failed perhaps, that answer is recorded instead. Of a streamed answer only the end is held back until
//!    it is recorded.
//!
//! In [all-routes mode](IdempotencyBuilder::all_routes) the same happens around everything inside the
//! layer, without an attribute, whatever the path: only the router's own 404 releases the claim again. Replays then
//! skip what is inside, inner authentication included.
//! Single routes have options of their own there, or are left alone, by a table of [`RouteOptions`].
//!
//! # Outcomes
//!
//! | the request | is answered |
//! |---|---|
//! | first with its key | by the handler |
//! | a retry after it | by the first answer, `Idempotent-Replayed: true` |
//! | a retry during it | 409 `in-flight`, `Retry-After: 1`; with `wait` by the first answer once it is there |
//! | same key, other query, body, content type or header of `vary` | 422 `key-reused` |
//! | first one died in mid-run | 500 `outcome-unknown`; with `on_unknown` or `recover` 409 first, then as the route chose |
//! | first one's answer not kept (too large, event stream, broken stream) | 410 `response-not-kept`, `original_status`, `Location` |
//! | key missing where required, malformed, or not of the route's `key_format` | 400 `missing-key`, `invalid-key` |
//! | key, or time of its first try, older than `max_key_age` | 412 `key-expired`, `max_key_age` in seconds |
//! | time of the first try missing, malformed or ahead, where it is asked for | 400 `invalid-first-sent` |
//! | caller unknown | 400 `no-scope` |
//! | caller has `max_in_flight` operations running | 429 `quota-exceeded`, `Retry-After: 1` |
//! | body over `max_body` | 413 `body-too-large` |
//! | store cannot answer, or is full | 503 `store-unavailable`, `Retry-After: 1` |
//! | new key, while the layer [drains](Idempotency::drain) | 503 `draining`, `Retry-After: 1` |
//!
//! Problems are `application/problem+json` (RFC 9457) with `Cache-Control: no-store` and a `Link` to their type, and bind
//! nothing. An application may give them [a form of its own](IdempotencyBuilder::problem_response). The header follows draft-ietf-httpapi-idempotency-key-header.
//!
//! # Stores
//!
//! [`MemoryStore`] is for one replica, and forgets with its process. `RedisStore` (feature `redis`) is for many:
//! all of them share its records. `SqliteStore` and `PgStore` are in the crate `idempotency-actix-sqlx`. Any other stands behind [`store::Store`], whose contract has a test suite.
//!
//! Where the effect is a row of the store's own database, the handler takes the transaction as an argument, and effect,
//! record and answer commit together: `PgTx` and `SqliteTx` of the crate `idempotency-actix-sqlx`, or an extractor of one's
//! own over [`InTransaction`], for a store that is [`store::Transactions`]. What it then means to answer differs from what
//! follows: a 5xx and a panic are rolled back, and the next retry runs. See [transactions](guide::transactions).
//!
//! # What binds a key
//!
//! Any answer that the handler gave, a 5xx and a panic included: the effect may have happened. The
//! claim is released, so that a retry runs, by a status in `release_on` ([`DEFAULT_RELEASE_ON`]) and
//! by [`NotExecuted`].
//!
//! # Unknown outcomes
//!
//! Where a process dies in mid-run, nobody can tell whether its effect took place. Its retries are answered 500
//! `outcome-unknown` until somebody decides: the route by itself (`on_unknown`, `recover`), or an operator.
//! [`Idempotency::unknown_outcomes`] lists such operations by method, route pattern and time;
//! [`resolve`](Idempotency::resolve) and [`forget`](Idempotency::forget) decide about the attempt that was seen, and are
//! refused where it has shown a sign of life since. `Idempotency::operator_page` (feature `operator`) is a page for all of
//! that, behind a guard of the application's. No store and no page knows a key or a caller; what else an operator should see
//! is up to [`operator_label`](IdempotencyBuilder::operator_label).
//!
//! # Options
//!
//! Each is a method of [`IdempotencyBuilder`], for the layer. Those of a route are an option of
//! [`#[idempotent]`](macro@idempotent) for a marked handler, and a method of [`RouteOptions`] for an entry of the
//! layer's table, by the same name and with the same meaning. `scope` is an argument of the layer's constructor.
//! `associated` and `inner` of the attribute are about its code alone.
//!
#![doc = include_str!("options/options.md")]
//!
//! `ttl`, `release_on`, `max_response`, `record`, `drop_headers`, `keep_headers`, `keep_cookies` and `required` are decided after the claim; a marked handler
//! under an all-routes layer may set them. Everything else is decided before: set by its attribute it
//! would come too late, so the handler answers 500, and the log shows the entry of the table to write instead.
//!
//! # Features
//!
//! - `macros` (default): the [`#[idempotent]`](macro@idempotent) attribute.
//! - `metrics`: through the facade `metrics`: requests by outcome, reason and route, incidents by kind, times of runs, waits and
//!   store calls, and what is in flight.
//! - `json`: fingerprints by canonical JSON.
//! - `multipart`: fingerprints by the parts of a multipart body.
//! - `redis`: `RedisStore`, on Redis or Valkey; one server, Sentinel or Cluster.
//! - `encryption`: answers that a store keeps are sealed by a `store::Keyring`.
//! - `operator`: a page on which operators find unknown outcomes and decide: `Idempotency::operator_page`.
//! - `serde`: the options of a layer from a file or the environment, `LayerOptions`.
//! - `conformance`: the test suite that every [store](store::Store) must pass.
//! - `utoipa`: documents of OpenAPI that tell of keys, problems and replays: the module `openapi`.
//! - `testing`: for the tests of an application's own handlers, the module `testing`.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod answer;
mod claim;
mod error;
pub mod guide;
mod layer;
#[cfg(feature = "utoipa")]
#[cfg_attr(docsrs, doc(cfg(feature = "utoipa")))]
pub mod openapi;
mod options;
mod request;
mod run;
pub mod store;
mod telemetry;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;

#[cfg(feature = "macros")]
#[cfg_attr(docsrs, doc(cfg(feature = "macros")))]
pub use idempotency_actix_macros::idempotent;

pub use self::answer::{
    Commit, IDEMPOTENCY_STATUS, IDEMPOTENT_REPLAYED, NotExecuted, ProblemKind, RunAgain,
    ToldProblem as Problem,
};
pub use self::error::{ConfigError, RouteMistake};
#[cfg(feature = "operator")]
#[cfg_attr(docsrs, doc(cfg(feature = "operator")))]
pub use self::layer::OperatorPage;
pub use self::layer::{
    Attempt, Drained, Idempotency, IdempotencyBuilder, IdempotencyFuture, IdempotencyKey,
    IdempotencyService, InFlight, InTransaction,
};
#[cfg(feature = "serde")]
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
pub use self::options::LayerOptions;
pub use self::options::{
    DEFAULT_LEASE, DEFAULT_MAX_BODY, DEFAULT_MAX_RESPONSE, DEFAULT_MAX_WAITERS,
    DEFAULT_MAX_WAITERS_PER_KEY, DEFAULT_RELEASE_ON, DEFAULT_STREAM_BUDGET,
    DEFAULT_TRANSACTION_RUNS, DEFAULT_TTL, Fingerprinting, IDEMPOTENCY_KEY, KEY_CLOCK_SKEW,
    KeptAnswer, KeyFormat, KeyFunction, KeyScope, OnDrain, OnStoreFailure, OnUnknown, Recovery,
    RouteOptions,
};
pub use self::request::{Caller, Principal};
pub use self::store::clock::Clock;
pub use self::store::memory::{MemoryStore, MemoryStoreBuilder};
#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub use self::store::redis::{RedisStore, RedisStoreBuilder};
pub use self::store::transactions::Isolation;
pub use self::telemetry::{Outcome, OutcomeEvent, RecordHash};
#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub use deadpool_redis;

/// What the attribute's expansion calls; not part of the public interface.
#[doc(hidden)]
pub mod __private {
    pub use actix_web::HttpResponse;

    pub use crate::layer::Marked;
    pub use crate::options::{
        By, FingerprintFn, IntoCaller, IntoChecked, KeyFn, KeyFormatFn, NoScope, Recover, ReplayFn,
        RouteOptions, ScopeFn,
    };
    pub use crate::request::InvalidKey;
}
