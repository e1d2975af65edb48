//! The options of one route, as they are written: for the attribute and for the table. It resolves nothing.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse};

use super::choices::{KeptAnswer, OnStoreFailure, OnUnknown};
use super::fingerprinting::Fingerprinting;
use super::header_names::WrittenNames;
use super::key_format::KeyFormat;
use super::key_source::{KeyFn, KeyFunction, KeyNames};
use super::provided::{By, Provided};
use super::recovery::{Recover, Recovery};
use super::replay_edit::ReplayFn;
use super::scope::{KeyScope, ScopeFn};
use super::status_set::StatusSet;
use crate::store::transactions::Isolation;

/// The options of one route; what is not set is as the layer has it.
///
/// The attribute fills it in at compile time. For all-routes mode it is an entry of the layer's
/// [table](crate::IdempotencyBuilder::route). The options mean what they mean for the
/// [layer](crate::IdempotencyBuilder).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use actix_web::http::Method;
/// use idempotency_actix::{Idempotency, KeyScope, MemoryStore, RouteOptions};
///
/// let receipts = RouteOptions::new().ttl(Duration::from_secs(7 * 24 * 3600)).required(true);
/// let idempotency = Idempotency::builder(MemoryStore::new(), KeyScope::everyone())
///     .all_routes()
///     .route(Method::POST, "/receipts", receipts)
///     .route(Method::PUT, "/files/{name}", RouteOptions::new().skip())
///     .build()?;
/// # Ok::<(), idempotency_actix::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "options do nothing until a route has them"]
pub struct RouteOptions {
    pub(crate) ttl: Option<Duration>,
    pub(crate) lease: Option<Duration>,
    pub(crate) required: Option<bool>,
    pub(crate) key: KeyNames,
    pub(crate) strict_keys: Option<bool>,
    pub(crate) key_format: Option<KeyFormat>,
    pub(crate) max_key_age: Option<Duration>,
    pub(crate) first_sent_header: Option<Provided<str>>,
    pub(crate) scope: Option<KeyScope>,
    pub(crate) fingerprint: Option<Fingerprinting>,
    pub(crate) vary: Option<WrittenNames>,
    pub(crate) wait: Option<Duration>,
    pub(crate) max_in_flight: Option<usize>,
    pub(crate) transaction: Option<Isolation>,
    pub(crate) transaction_runs: Option<usize>,
    pub(crate) on_unknown: Option<OnUnknown>,
    pub(crate) recover: Option<Provided<dyn Recover>>,
    pub(crate) on_store_failure: Option<OnStoreFailure>,
    pub(crate) release_on: Option<StatusSet>,
    pub(crate) max_body: Option<u64>,
    pub(crate) max_response: Option<u64>,
    pub(crate) record: Option<KeptAnswer>,
    pub(crate) drop_headers: Option<WrittenNames>,
    pub(crate) keep_headers: Option<WrittenNames>,
    pub(crate) keep_cookies: Option<bool>,
    pub(crate) on_replay: Option<Provided<dyn ReplayFn>>,
    pub(crate) is_skipped: bool,
}

impl RouteOptions {
    /// Nothing set: everything as the layer has it.
    pub const fn new() -> Self {
        Self {
            ttl: None,
            lease: None,
            required: None,
            key: KeyNames::NONE,
            strict_keys: None,
            key_format: None,
            max_key_age: None,
            first_sent_header: None,
            scope: None,
            fingerprint: None,
            vary: None,
            wait: None,
            max_in_flight: None,
            transaction: None,
            transaction_runs: None,
            on_unknown: None,
            recover: None,
            on_store_failure: None,
            release_on: None,
            max_body: None,
            max_response: None,
            record: None,
            drop_headers: None,
            keep_headers: None,
            keep_cookies: None,
            on_replay: None,
            is_skipped: false,
        }
    }

    /// Sets how long a finished record is replayed.
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Sets how long a claim is believed alive without renewal.
    pub const fn lease(mut self, lease: Duration) -> Self {
        self.lease = Some(lease);
        self
    }

    /// Sets whether a request without a key is refused. `false` takes back what the layer requires.
    pub const fn required(mut self, required: bool) -> Self {
        self.required = Some(required);
        self
    }

    /// Sets the request header that the key is read from; where it is not there, a [`key`](Self::key) that is set as well is
    /// asked. One of both replaces all that the layer has.
    pub fn key_header(mut self, name: &str) -> Self {
        self.key.header = Some(Provided::Shared(name.into()));
        self
    }

    /// Sets a function that finds the key in the request, or in the request and its whole body. It is asked where there is no
    /// [`key_header`](Self::key_header), or none in the request. One of both replaces all that the layer has.
    pub fn key<F, Args>(mut self, key: F) -> Self
    where
        F: KeyFunction<Args> + 'static,
        Args: 'static,
    {
        let key = Arc::new(By::<F, Args>::new(key));
        self.key.function = Some(Provided::Shared(key));
        self
    }

    /// Sets whether only quoted Strings of RFC 9651 are accepted as keys.
    pub const fn strict_keys(mut self, strict: bool) -> Self {
        self.strict_keys = Some(strict);
        self
    }

    /// Sets what a key looks like. [`KeyFormat::any`] takes back what the layer has.
    pub fn key_format(mut self, format: KeyFormat) -> Self {
        self.key_format = Some(format);
        self
    }

    /// Sets how old a key may be, up to the `ttl`. Zero takes back what the layer has.
    pub const fn max_key_age(mut self, age: Duration) -> Self {
        self.max_key_age = Some(age);
        self
    }

    /// Sets the request header that tells when the first try was sent.
    pub fn first_sent_header(mut self, name: &str) -> Self {
        self.first_sent_header = Some(Provided::Shared(name.into()));
        self
    }

    /// Sets whose keys the route's are, instead of the layer's scope.
    pub fn scope(mut self, scope: KeyScope) -> Self {
        self.scope = Some(scope);
        self
    }

    /// Sets what makes two requests under one key the same.
    pub fn fingerprint(mut self, fingerprint: Fingerprinting) -> Self {
        self.fingerprint = Some(fingerprint);
        self
    }

    /// Sets the request headers that choose a handler: what differs in one of them is not the same request.
    /// None takes back what the layer has.
    pub fn vary(mut self, headers: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.vary = Some(WrittenNames::of(headers));
        self
    }

    /// Sets how long a retry waits for a first request that still runs. Zero takes back what the layer
    /// has.
    pub const fn wait(mut self, wait: Duration) -> Self {
        self.wait = Some(wait);
        self
    }

    /// Sets how many operations of one caller may be in flight in this process.
    pub const fn max_in_flight(mut self, operations: usize) -> Self {
        self.max_in_flight = Some(operations);
        self
    }

    /// Sets what the transaction of the route's handler sees of others, where it takes one.
    pub const fn transaction(mut self, isolation: Isolation) -> Self {
        self.transaction = Some(isolation);
        self
    }

    /// Sets how often the handler runs whose transaction is undone for another's sake.
    pub const fn transaction_runs(mut self, runs: usize) -> Self {
        self.transaction_runs = Some(runs);
        self
    }

    /// Sets what happens to a retry when the outcome of the first request is unknown. It replaces a
    /// `recover` of the layer.
    pub const fn on_unknown(mut self, choice: OnUnknown) -> Self {
        self.on_unknown = Some(choice);
        self
    }

    /// Sets the function that finds out what became of a request whose outcome is unknown. It replaces
    /// an `on_unknown` of the layer.
    pub fn recover<F, Args>(mut self, recover: F) -> Self
    where
        F: Handler<Args> + Send + Sync,
        F::Output: Into<Recovery>,
        Args: FromRequest + 'static,
    {
        let recover = Arc::new(By::<F, Args>::new(recover));
        self.recover = Some(Provided::Shared(recover));
        self
    }

    /// Sets what happens to a request when the store cannot be asked.
    pub const fn on_store_failure(mut self, choice: OnStoreFailure) -> Self {
        self.on_store_failure = Some(choice);
        self
    }

    /// Replaces the set of status codes that release the claim.
    pub fn release_on(mut self, statuses: impl IntoIterator<Item = StatusCode>) -> Self {
        let codes = statuses.into_iter().map(|status| status.as_u16());
        self.release_on = Some(StatusSet::of_codes(codes));
        self
    }

    /// Sets the largest request body that is read for a key, in bytes.
    pub const fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = Some(bytes as u64);
        self
    }

    /// Sets the largest answer that is kept, in bytes of its body.
    pub const fn max_response(mut self, bytes: usize) -> Self {
        self.max_response = Some(bytes as u64);
        self
    }

    /// Sets what of an answer is recorded.
    pub const fn record(mut self, part: KeptAnswer) -> Self {
        self.record = Some(part);
        self
    }

    /// Sets the response headers that replays do not have. None takes back what the layer has.
    pub fn drop_headers(mut self, headers: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.drop_headers = Some(WrittenNames::of(headers));
        self
    }

    /// Sets the only response headers that replays have, beside those that an answer cannot be without.
    pub fn keep_headers(mut self, headers: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.keep_headers = Some(WrittenNames::of(headers));
        self
    }

    /// Sets whether `Set-Cookie` is kept and replayed.
    pub const fn keep_cookies(mut self, keep: bool) -> Self {
        self.keep_cookies = Some(keep);
        self
    }

    /// Sets a function that edits a replay on its way out.
    pub fn on_replay<F>(mut self, edit: F) -> Self
    where
        F: Fn(&HttpRequest, &[u8], HttpResponse<Bytes>) -> HttpResponse<Bytes>
            + Send
            + Sync
            + 'static,
    {
        self.on_replay = Some(Provided::Shared(Arc::new(By::<F, ()>::new(edit))));
        self
    }

    /// Leaves the route alone in all-routes mode, key or not: for uploads and event streams.
    ///
    /// A marked handler on it claims for itself.
    pub const fn skip(mut self) -> Self {
        self.is_skipped = true;
        self
    }
}

impl RouteOptions {
    /// The first option that means nothing in a transaction, whose claim ends with it.
    pub(crate) fn meaningless_in_transaction(&self) -> Option<&'static str> {
        [
            ("lease", self.lease.is_some()),
            ("recover", self.recover.is_some()),
            ("on_unknown", self.on_unknown.is_some()),
            ("on_store_failure", self.on_store_failure.is_some()),
        ]
        .into_iter()
        .find_map(|(option, is_set)| is_set.then_some(option))
    }
}

/// The same as constants, for the attribute's expansion.
#[doc(hidden)]
impl RouteOptions {
    pub const fn fixed_release_on(mut self, ranges: &[(u16, u16)]) -> Self {
        self.release_on = Some(StatusSet::of(ranges));
        self
    }

    pub const fn fixed_key_header(mut self, name: &'static str) -> Self {
        put(&mut self.key.header, Provided::Fixed(name));
        self
    }

    pub const fn fixed_key(mut self, key: &'static dyn KeyFn) -> Self {
        put(&mut self.key.function, Provided::Fixed(key));
        self
    }

    pub const fn fixed_key_format(mut self, format: KeyFormat) -> Self {
        put(&mut self.key_format, format);
        self
    }

    pub const fn fixed_first_sent_header(mut self, name: &'static str) -> Self {
        put(&mut self.first_sent_header, Provided::Fixed(name));
        self
    }

    pub const fn fixed_scope(mut self, scope: &'static dyn ScopeFn) -> Self {
        put(&mut self.scope, KeyScope::fixed(scope));
        self
    }

    pub const fn fixed_fingerprint(mut self, fingerprint: Fingerprinting) -> Self {
        put(&mut self.fingerprint, fingerprint);
        self
    }

    pub const fn fixed_vary(mut self, names: &'static [&'static str]) -> Self {
        put(&mut self.vary, WrittenNames::Fixed(names));
        self
    }

    pub const fn fixed_drop_headers(mut self, names: &'static [&'static str]) -> Self {
        put(&mut self.drop_headers, WrittenNames::Fixed(names));
        self
    }

    pub const fn fixed_keep_headers(mut self, names: &'static [&'static str]) -> Self {
        put(&mut self.keep_headers, WrittenNames::Fixed(names));
        self
    }

    pub const fn fixed_on_replay(mut self, edit: &'static dyn ReplayFn) -> Self {
        put(&mut self.on_replay, Provided::Fixed(edit));
        self
    }

    pub const fn fixed_recover(mut self, recover: &'static dyn Recover) -> Self {
        put(&mut self.recover, Provided::Fixed(recover));
        self
    }
}

/// Fills in an option that a constant has left empty: constants cannot drop what was there.
const fn put<T>(place: &mut Option<T>, value: T) {
    mem::forget(place.replace(value));
}

#[cfg(test)]
mod tests {
    use std::marker::PhantomData;

    use super::*;
    use crate::Attempt;

    async fn recover(_: Attempt, _: String) -> Result<Recovery, actix_web::Error> {
        Ok(Recovery::Completed(HttpResponse::Ok().finish()))
    }

    fn provider(_: &HttpRequest) -> Option<&'static str> {
        Some("provider")
    }

    fn key(_: &HttpRequest) -> Option<String> {
        Some("key".into())
    }

    fn payload(_: &HttpRequest, body: &[u8]) -> Vec<u8> {
        body.to_vec()
    }

    #[test]
    fn functions_of_the_application_fit_into_a_constant() {
        let options = const {
            &RouteOptions::new()
                .fixed_scope(&By(provider, PhantomData))
                .fixed_key(&By(key, PhantomData))
                .fixed_fingerprint(Fingerprinting::fixed(&By(payload, PhantomData)))
                .fixed_recover(&By(recover, PhantomData))
        };
        assert!(options.scope.is_some() && options.key.function.is_some());
        assert!(options.fingerprint.is_some() && options.recover.is_some());
    }
}
