//! Why a layer cannot be built: the errors of `build()`. It knows no option, only what to say of one.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use actix_web::http::{Method, StatusCode};

/// Why a layer cannot be built; the message says what to change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// `ttl` is outside of 1 ms to 10 years.
    Ttl(Duration),
    /// `max_key_age` is longer than `ttl`, after which a retry would run again.
    MaxKeyAge {
        /// What was asked for.
        max_key_age: Duration,
        /// The time that records are kept.
        ttl: Duration,
    },
    /// `max_key_age` without anything that tells when a key was made.
    NoKeyTime,
    /// `lease` is outside of 10 ms to 24 hours.
    Lease(Duration),
    /// `max_run` is shorter than the lease, or longer than 10 years.
    MaxRun {
        /// What was asked for.
        max_run: Duration,
        /// The lease it has to cover.
        lease: Duration,
    },
    /// `store_timeout`, or a timeout that the store was given, is zero or over a third of the lease.
    StoreTimeout {
        /// What was asked for.
        timeout: Duration,
        /// The lease that has to survive three lost calls.
        lease: Duration,
    },
    /// `methods` names one that the layer never covers.
    Method(Method),
    /// `methods` is empty.
    NoMethods,
    /// `methods` without `all_routes`, where it has no effect.
    MethodsWithoutAllRoutes,
    /// `release_on` names a status that does not tell of a refusal.
    ReleaseOn(StatusCode),
    /// `wait` is over 5 minutes.
    Wait(Duration),
    /// `on_unknown` and `recover` are given for the same layer or route.
    UnknownTwice,
    /// `drop_headers` and `keep_headers` are given for the same layer or route.
    HeadersTwice,
    /// `drop_headers` names a header without which nobody can read the body.
    DroppedHeader(String),
    /// `max_body`, `max_response`, `stream_budget`, `max_in_flight` or `transaction_runs` is zero.
    ZeroLimit(&'static str),
    /// A name that is no header name.
    HeaderName(String),
    /// `problem_base` is no absolute URI that ends in `/`, `#` or `:`.
    ProblemBase(String),
    /// An entry of the table of routes cannot hold.
    Route {
        /// The entry's method.
        method: Method,
        /// The entry's pattern.
        pattern: String,
        /// What is wrong with it.
        mistake: RouteMistake,
    },
    /// The system refuses what renews claims its runtime, and says so: a file descriptor, mostly.
    Background(String),
    /// The prefix of a Redis store has a brace.
    #[cfg(feature = "redis")]
    #[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
    RedisPrefix(String),
    /// The timeout of a Redis store is zero or over 8 hours.
    #[cfg(feature = "redis")]
    #[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
    RedisTimeout,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ttl(ttl) => write!(f, "`ttl` is {ttl:?}; give 1 ms to 10 years"),
            Self::MaxKeyAge { max_key_age, ttl } => write!(
                f,
                "`max_key_age` is {max_key_age:?}; give at most the `ttl` of {ttl:?}, or a longer `ttl`"
            ),
            Self::NoKeyTime => f.write_str(
                "`max_key_age` needs the time of a key; give a `key_format` that has it, UUID 7 or ULID, or a `first_sent_header`",
            ),
            Self::Lease(lease) => write!(f, "`lease` is {lease:?}; give 10 ms to 24 hours"),
            Self::MaxRun { max_run, lease } => write!(
                f,
                "`max_run` is {max_run:?}; give at least the lease of {lease:?}, and at most 10 years"
            ),
            Self::StoreTimeout { timeout, lease } => write!(
                f,
                "`store_timeout`, or the timeout that the store was given, is {timeout:?}; give more than zero and at most a third of the lease of {lease:?}"
            ),
            Self::Method(method) => write!(
                f,
                "`methods` has {method}, which is never covered; give POST, PUT, PATCH or DELETE"
            ),
            Self::NoMethods => f.write_str("`methods` is empty; name at least one, or leave it out"),
            Self::MethodsWithoutAllRoutes => f.write_str(
                "`methods` narrows all-routes mode only; add `all_routes()`, or mark the handlers and drop `methods`",
            ),
            Self::ReleaseOn(status) => write!(
                f,
                "`release_on` has {status}, which is no refusal; give codes from 400 to 599"
            ),
            Self::Wait(wait) => write!(f, "`wait` is {wait:?}; give up to 5 minutes"),
            Self::UnknownTwice => f.write_str(
                "`on_unknown` and `recover` are two answers to one question; give one of them",
            ),
            Self::HeadersTwice => f.write_str(
                "`drop_headers` and `keep_headers` are two answers to one question; give one of them",
            ),
            Self::DroppedHeader(name) => write!(
                f,
                "`drop_headers` has `{name}`, without which nobody can read the body; leave it out"
            ),
            Self::ZeroLimit(option) => write!(f, "`{option}` is 0; give at least 1"),
            Self::HeaderName(name) => write!(
                f,
                "{name:?} is no header name; give one to `key_header`, `first_sent_header`, `vary`, `drop_headers`, `keep_headers` and `KeyScope::header`"
            ),
            Self::Route {
                method,
                pattern,
                mistake,
            } => write!(f, "`route` for {method} {pattern}: {mistake}"),
            Self::Background(cause) => write!(
                f,
                "claims cannot be renewed: {cause}; let the process open more files"
            ),
            #[cfg(feature = "redis")]
            Self::RedisPrefix(prefix) => write!(
                f,
                "`prefix` is {prefix:?}; give one without braces, which would put all records into one slot of a cluster"
            ),
            #[cfg(feature = "redis")]
            Self::RedisTimeout => f.write_str("`timeout` is 0 or over 8 hours; give a third of the lease at most"),
            Self::ProblemBase(base) => write!(
                f,
                "`problem_base` is {base:?}; give an absolute URI that ends in `/`, `#` or `:`"
            ),
        }
    }
}

impl Error for ConfigError {}

/// What is wrong with an entry of the table of routes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteMistake {
    /// There is no `all_routes`, without which the table has no effect.
    WithoutAllRoutes,
    /// The layer does not cover the method.
    Method,
    /// The pattern does not start with `/`, or is none that actix-web can read.
    Pattern,
    /// There is an entry for the same method and pattern already.
    Twice,
    /// One of its options, together with the layer's, cannot hold.
    Option(Box<ConfigError>),
}

impl fmt::Display for RouteMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WithoutAllRoutes => f.write_str(
                "the table is for all-routes mode; add `all_routes()`, or give the options to the handler's attribute",
            ),
            Self::Method => f.write_str(
                "the method is not covered; give POST, PUT, PATCH or DELETE, and one of `methods` if that is set",
            ),
            Self::Pattern => f.write_str(
                "the pattern is not one of a path; give the whole one, as in `/v1/charges/{id}`",
            ),
            Self::Twice => f.write_str("it is given twice; join the two"),
            Self::Option(error) => error.fmt(f),
        }
    }
}
