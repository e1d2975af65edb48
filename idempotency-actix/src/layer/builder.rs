//! The options of a layer, set one by one and checked when it is made.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::HeaderName;
use actix_web::http::{Method, StatusCode};
use actix_web::web::Bytes;
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse};

use super::description::Label;
use super::idempotency::Idempotency;
use super::made_anew::{memory_of, watch};
#[cfg(feature = "testing")]
use super::shared::Keeps;
use super::shared::{ELIGIBLE, Layer};
use crate::answer::{ProblemFn, ToldProblem};
use crate::claim::{Budget, Claims, Waiters};
use crate::error::ConfigError;
use crate::options::{
    DEFAULT_MAX_WAITERS, DEFAULT_MAX_WAITERS_PER_KEY, Entry, Fingerprinting, KeptAnswer, KeyFormat,
    KeyFunction, KeyScope, OnDrain, OnStoreFailure, OnUnknown, Options, Provided, Recovery,
    RouteOptions, Routes,
};
use crate::store::clock::Clock;
use crate::store::memory::StoreIdentity;
use crate::store::transactions::Isolation;
use crate::store::{ErasedStore, Store};
use crate::telemetry::{OutcomeEvent, describe};

impl Idempotency {
    /// A layer for marked handlers, with every option at its default.
    ///
    /// # Panics
    ///
    /// With the message of the [`ConfigError`](crate::ConfigError) that
    /// [`build`](IdempotencyBuilder::build) returns: here that can only be a
    /// [`KeyScope::header`] whose name is no header name.
    pub fn new(store: impl Store, scope: KeyScope) -> Self {
        match Self::builder(store, scope).build() {
            Ok(idempotency) => idempotency,
            Err(error) => panic!("{error}"),
        }
    }

    /// Starts a layer with options.
    pub fn builder(store: impl Store, scope: KeyScope) -> IdempotencyBuilder {
        let memory = memory_of(&store);
        IdempotencyBuilder::new(Arc::new(store), memory, scope)
    }
}

/// Options of an [`Idempotency`] layer; every one has a default.
#[must_use = "a builder does nothing until `build`"]
pub struct IdempotencyBuilder {
    store: Arc<dyn ErasedStore>,
    /// Which store in memory it is, if it is one.
    pub(super) memory: Option<StoreIdentity>,
    options: Options,
    /// What is set like a route's options, for all routes.
    common: RouteOptions,
    pub(super) all_routes: bool,
    methods: Option<Vec<Method>>,
    routes: Vec<Entry>,
    label: Option<Label>,
    clock: Clock,
    problem_response: Option<Box<ProblemFn>>,
    window_header: Option<String>,
    max_waiters: usize,
    max_waiters_per_key: usize,
}

impl IdempotencyBuilder {
    fn new(store: Arc<dyn ErasedStore>, memory: Option<StoreIdentity>, scope: KeyScope) -> Self {
        Self {
            store,
            memory,
            options: Options::new(scope),
            common: RouteOptions::new(),
            all_routes: false,
            methods: None,
            routes: Vec::new(),
            label: None,
            clock: Clock::monotonic(),
            problem_response: None,
            window_header: None,
            max_waiters: DEFAULT_MAX_WAITERS,
            max_waiters_per_key: DEFAULT_MAX_WAITERS_PER_KEY,
        }
    }

    /// Covers everything that is POST, PUT, PATCH or DELETE, marked or not, whatever its path.
    ///
    /// Only the router's own 404, where nothing matched, leaves the key unused, and only under a layer around the whole
    /// application that has no `scope("")`. What acts all the same, a `default_service` of such an application or middleware
    /// inside of the layer, must therefore answer something else than a 404 without header and body: nobody could tell the
    /// two apart. What changes path or method (`NormalizePath`) belongs around the layer.
    ///
    /// Off by default, since a replay then skips everything inside the layer: **authentication inside
    /// is bypassed by replays** and has to be wrapped around the layer. A handler's extractor failure
    /// cannot be told from an answer and binds the key, too. A marked handler inside does not claim
    /// again; its `ttl`, `release_on`, `max_response`, `record`, `drop_headers`, `keep_headers`, `keep_cookies` and `required` still
    /// hold.
    ///
    /// `Compress` belongs around the layer as well: inside, the body is kept as it was encoded for the first
    /// client, and a retry whose `Accept-Encoding` does not accept that coding is answered 410
    /// `response-not-kept`.
    pub fn all_routes(mut self) -> Self {
        self.all_routes = true;
        self
    }

    /// Narrows all-routes mode to some of POST, PUT, PATCH and DELETE; marked handlers stay covered.
    ///
    /// Default: all four. GET, HEAD and OPTIONS are safe to repeat and never covered.
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.methods = Some(methods.into_iter().collect());
        self
    }

    /// Sets options for one route of all-routes mode, by its method and its pattern as it is registered,
    /// with the scopes that it is in: `/v1/charges/{id}`.
    ///
    /// An entry is for every request of its method whose path, as the router decodes it, its pattern matches. Where
    /// several do, the one that the application's own resource has counts, else the first one. Where guards choose
    /// between resources whose entries differ, the request is answered 500, with a log line that says what to do.
    ///
    /// Default: every route as the layer has it. In all-routes mode most options are decided before
    /// routing comes to the handler, so that its attribute would set them too late, and belong here.
    pub fn route(mut self, method: Method, pattern: &str, options: RouteOptions) -> Self {
        self.routes.push((method, pattern.to_owned(), options));
        self
    }

    /// Sets how long a finished record is replayed, from its completion: 1 ms to 10 years.
    ///
    /// Default: 24 hours, as Stripe does. Shorter than the longest retry of a client means a second
    /// run; longer costs room in the store.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.common = self.common.ttl(ttl);
        self
    }

    /// Sets how long a claim is believed alive without renewal: 10 ms to 24 hours.
    ///
    /// Default: 30 seconds, renewed every third. Retries wait that long to learn that the process of
    /// the first request died; shorter calls a paused process dead sooner.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.common = self.common.lease(lease);
        self
    }

    /// Sets how long a handler and the stream of its answer are kept alive: the lease to 10 years.
    ///
    /// Default: ten leases. Past it a stream is recorded as not kept, and the claim of a handler that
    /// still runs is renewed no more and becomes unknown; a late answer is accepted all the same.
    pub fn max_run(mut self, max_run: Duration) -> Self {
        self.options.max_run = Some(max_run);
        self
    }

    /// Sets the deadline of each store call, up to a third of the lease.
    ///
    /// Default: 5 seconds, or a third of the lease if that is less, so that three lost calls in a row
    /// do not cost a living handler its claim.
    pub fn store_timeout(mut self, timeout: Duration) -> Self {
        self.options.store_timeout = Some(timeout);
        self
    }

    /// Sets the request header that the key is read from.
    ///
    /// Default: `Idempotency-Key`, of draft-ietf-httpapi-idempotency-key-header. Where it is not there, a [`key`](Self::key) that
    /// is set as well is asked.
    pub fn key_header(mut self, name: &str) -> Self {
        self.common = self.common.key_header(name);
        self
    }

    /// Sets a function that finds the key: `Fn(&HttpRequest) -> Option<T>`, or in the body as well,
    /// `Fn(&HttpRequest, &[u8]) -> Option<T>`.
    ///
    /// Default: none. It returns owned data, 1 to 255 characters %x20-7E, or `None` where the request has no key; any
    /// other value is 400 `invalid-key`. Alone it takes the place of the header. With [`key_header`](Self::key_header) set as
    /// well that header comes first, and the function is asked where it is not there; more places than that are for the function
    /// to look at, in its order.
    ///
    /// For a function that looks at bodies, each body is read before anybody can tell whether there is a key: what is over
    /// [`max_body`](Self::max_body) is 413, key or not. A request without a key passes through with the body that was read.
    ///
    /// # Examples
    ///
    /// The id of an event, as providers of webhooks put it into its body:
    ///
    /// ```
    /// use actix_web::HttpRequest;
    /// use idempotency_actix::RouteOptions;
    ///
    /// fn event_id(_: &HttpRequest, body: &[u8]) -> Option<String> {
    ///     let event: serde_json::Value = serde_json::from_slice(body).ok()?;
    ///     Some(event.get("id")?.as_str()?.to_owned())
    /// }
    ///
    /// let hook = RouteOptions::new().key_header("webhook-id").key(event_id);
    /// ```
    pub fn key<F, Args>(mut self, key: F) -> Self
    where
        F: KeyFunction<Args> + 'static,
        Args: 'static,
    {
        self.common = self.common.key(key);
        self
    }

    /// Sets whether a covered request without a key is refused with 400 `missing-key`.
    ///
    /// Default: `false`, it passes through unprotected. In all-routes mode this is decided before
    /// the handler is reached: a marked one may require more, and a [route](Self::route) less.
    pub fn required(mut self, required: bool) -> Self {
        self.common = self.common.required(required);
        self
    }

    /// Sets whether only quoted Strings of RFC 9651 are accepted as keys.
    ///
    /// Default: `false`, since nearly all deployed clients send the bare value.
    pub fn strict_keys(mut self, strict: bool) -> Self {
        self.common = self.common.strict_keys(strict);
        self
    }

    /// Sets what a key looks like; another one is 400 `invalid-key`.
    ///
    /// Default: [`KeyFormat::any`]. Ask for a [UUID](KeyFormat::uuid) where clients might send what is not unique, such as
    /// the number of an order, and for one that has the time in it where late retries are to be refused.
    pub fn key_format(mut self, format: KeyFormat) -> Self {
        self.common = self.common.key_format(format);
        self
    }

    /// Sets how old a key may be, up to the `ttl`; an older one is refused with 412 `key-expired`, whatever is recorded, and
    /// nothing runs.
    ///
    /// Default: no limit, so that a retry which comes after the `ttl` runs again. With one no retry ever does, and no trace of
    /// old keys has to be kept for it. It needs the time of a key: a [`key_format`](Self::key_format) that has it, or a
    /// [`first_sent_header`](Self::first_sent_header).
    ///
    /// The time is compared with the [clock](Self::clock) of the server before the store is asked. A client's clock may be off by
    /// [`KEY_CLOCK_SKEW`](crate::KEY_CLOCK_SKEW), 5 minutes, either way: a key is let in for as much longer, and one that is
    /// further ahead is 400. So a key is let in no later than `max_key_age` and 10 minutes after it first came; its record is
    /// kept for the `ttl`, which is no shorter, and 10 minutes more from its completion, which is later still.
    ///
    /// `max_key_age` of an attribute that is longer than the layer's `ttl`, or the other way round, keeps records for the longer
    /// of both. One that finds no time of a key with its layer is answered 500, and logged.
    pub fn max_key_age(mut self, age: Duration) -> Self {
        self.common = self.common.max_key_age(age);
        self
    }

    /// Sets the request header that tells when the first try was sent, an IMF-fixdate of RFC 9110, as
    /// `Repeatability-First-Sent` of OASIS Repeatable Requests 1.0 is.
    ///
    /// Default: none, the time is the key's own. [`max_key_age`](Self::max_key_age) then goes by this header alone: a
    /// request with a key and without it, or with a time that cannot be read or is ahead by more than 5 minutes, is 400
    /// `invalid-first-sent`. Each retry has to repeat it. It counts like a header of [`vary`](Self::vary), so that a client which
    /// writes it anew is told so by 422 `key-reused` at its first retry, and not by a second run.
    pub fn first_sent_header(mut self, name: &str) -> Self {
        self.common = self.common.first_sent_header(name);
        self
    }

    /// Sets the clock that tells how old a key is.
    ///
    /// Default: the system's. Tests give a manual one, and the same one to their store.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets what makes two requests under one key the same; what is not the same is 422 `key-reused`.
    ///
    /// Default: [`Fingerprinting::bytes`], the same octets. A function for all routes sees the requests of
    /// all of them.
    pub fn fingerprint(mut self, fingerprint: Fingerprinting) -> Self {
        self.common = self.common.fingerprint(fingerprint);
        self
    }

    /// Sets the request headers by which guards choose between handlers of one path: a retry that differs
    /// in one of them is answered 422 `key-reused`, and never with another handler's answer.
    ///
    /// Default: none. A record's name has method and path and no header, so where guards choose by `Host` or
    /// by a version the handlers share their records. All lines of a header count, and absent is not empty.
    /// For `host` it is the host of the request's target, as HTTP/2 has it, and that of the header, as
    /// they came: guards tell hosts apart by their case. It is none by default because a client that balances by itself
    /// sends each try to another host. Headers count beside whatever [`fingerprint`](Self::fingerprint) makes of the request, a function
    /// too. Where each host is a tenant whose keys are its own,
    /// [`KeyScope::per_host`](crate::KeyScope::per_host) is right instead: both may run under one key.
    ///
    /// Records keep the scheme that they were written by. With other names than those of its record a retry
    /// is answered 503 until that is over; a record from before there were any is compared without.
    pub fn vary(mut self, headers: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.common = self.common.vary(headers);
        self
    }

    /// Sets how long a retry waits for a first request that still runs, up to 5 minutes, to be answered
    /// with its answer.
    ///
    /// Default: zero, 409 `in-flight` at once. A waiter costs a connection and its body; it holds none of
    /// the handler's arguments, gives up with its client, and gets 409 when its time is up or
    /// [too many](Self::max_waiters) wait. A handler that releases its claim lets one waiter run. A client
    /// of HTTP/1 that closes its half of the connection still gets the answer, unless the server has
    /// `h1_allow_half_closed(false)`.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.common = self.common.wait(wait);
        self
    }

    /// Sets how many retries may wait at a time, in this process.
    ///
    /// Default: [`DEFAULT_MAX_WAITERS`], 1,024. More are answered 409 at once. It bounds what a flood of
    /// retries can hold: a connection and a body of up to `max_body` each.
    pub fn max_waiters(mut self, waiters: usize) -> Self {
        self.max_waiters = waiters;
        self
    }

    /// Sets how many retries may wait for one and the same operation, in this process.
    ///
    /// Default: [`DEFAULT_MAX_WAITERS_PER_KEY`], 16. A client has one retry under way, or a few; more
    /// would keep the places of others.
    pub fn max_waiters_per_key(mut self, waiters: usize) -> Self {
        self.max_waiters_per_key = waiters;
        self
    }

    /// Sets how many operations of one caller may be in flight in this process; one more is answered 429
    /// `quota-exceeded`, and replays are answered all the same.
    ///
    /// Default: no limit, since under [`KeyScope::everyone`] it would be one for the whole service. Over
    /// the limit a request costs the store a look and no claim. A caller is what the scope returns; its
    /// operations on all routes are counted together, and each route compares the count with its own
    /// limit. A handler is counted until it has ended, or its claim is kept alive no more.
    pub fn max_in_flight(mut self, operations: usize) -> Self {
        self.common = self.common.max_in_flight(operations);
        self
    }

    /// Sets what the transaction of a handler sees of others, where it takes one.
    ///
    /// Default: [`Isolation::Default`], whatever the database has. With [`Isolation::Serializable`] what would come out
    /// otherwise than one after the other is undone, and [run again](Self::transaction_runs).
    pub fn transaction(mut self, isolation: Isolation) -> Self {
        self.common = self.common.transaction(isolation);
        self
    }

    /// Sets how often a handler runs whose transaction is undone for another's sake, by a serialization failure or a
    /// deadlock, before its client gets 503.
    ///
    /// Default: [`DEFAULT_TRANSACTION_RUNS`](crate::DEFAULT_TRANSACTION_RUNS), 3. More keep the client waiting where many
    /// contend for the same rows, and add to what they contend for. Without a key it runs once.
    pub fn transaction_runs(mut self, runs: usize) -> Self {
        self.common = self.common.transaction_runs(runs);
        self
    }

    /// Sets what happens to a retry when the outcome of the first request is unknown.
    ///
    /// Default: [`OnUnknown::Reject`], 500 `outcome-unknown`. With [`OnUnknown::Rerun`] the handler runs
    /// again, a generation higher. Not together with [`recover`](Self::recover).
    pub fn on_unknown(mut self, choice: OnUnknown) -> Self {
        self.common = self.common.on_unknown(choice);
        self
    }

    /// Sets the function that finds out what became of a request whose outcome is unknown.
    ///
    /// Default: none, 500 `outcome-unknown`. It is an async function with extractors of its own, which
    /// returns a [`Recovery`] or a `Result` of one, called one at a time for an operation, once the
    /// same attempt has shown no sign of life for half a lease after it lapsed; until then a retry gets
    /// 409. It has one lease of time, the body of its answer included. Its [`Attempt`](crate::Attempt) is
    /// one generation above the one that was lost: see [`Recovery`] for what it must do with it. Every
    /// claim that such a route releases leaves its generation in the store for 24 hours or more. In
    /// all-routes mode it is called outside of inner middleware, and without the parameters of the path.
    pub fn recover<F, Args>(mut self, recover: F) -> Self
    where
        F: Handler<Args> + Send + Sync,
        F::Output: Into<Recovery>,
        Args: FromRequest + 'static,
    {
        self.common = self.common.recover(recover);
        self
    }

    /// Replaces the set of status codes, 400 to 599, by which the application says "I did not act".
    ///
    /// Default: [`DEFAULT_RELEASE_ON`](crate::DEFAULT_RELEASE_ON). Never 408 or a 5xx by default: a
    /// handler that charged and then met a failing mail server answers 503 too.
    pub fn release_on(mut self, statuses: impl IntoIterator<Item = StatusCode>) -> Self {
        self.common = self.common.release_on(statuses);
        self
    }

    /// Sets the largest request body that is read for a key, in bytes; more is 413 `body-too-large`.
    ///
    /// Default: 2 MiB. The body is held in memory, to be hashed before the handler runs.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.common = self.common.max_body(bytes);
        self
    }

    /// Sets the largest answer that is kept, in bytes of its body; more is recorded as *not kept*, and
    /// a retry gets 410.
    ///
    /// Default: 1 MiB. It also bounds how far a stream is read ahead of its client.
    pub fn max_response(mut self, bytes: usize) -> Self {
        self.common = self.common.max_response(bytes);
        self
    }

    /// Sets how many octets all streams of the layer may hold together, in this process.
    ///
    /// Default: [`DEFAULT_STREAM_BUDGET`](crate::DEFAULT_STREAM_BUDGET), 64 MiB. A stream is collected for its record, by
    /// up to `max_response`, whether or not its client reads. One for which nothing is left is recorded as *not kept*,
    /// and goes on at its client's pace. Beside the budget each stream may hold one chunk, and the server 64 KiB or so.
    pub fn stream_budget(mut self, bytes: usize) -> Self {
        self.options.stream_budget = bytes;
        self
    }

    /// Has a function told of each request with a key, and of each that was refused for its key: outcome, route, times.
    ///
    /// Default: none. The same is logged, recorded with the current span and counted. It is called on the worker before
    /// the answer is sent, or at the end of a stream, so it has to be quick; where it panics that is logged.
    ///
    /// # Examples
    ///
    /// ```
    /// use idempotency_actix::{Idempotency, KeyScope, MemoryStore, Outcome};
    ///
    /// let idempotency = Idempotency::builder(MemoryStore::new(), KeyScope::everyone())
    ///     .on_outcome(|event| {
    ///         if event.outcome == Outcome::Unknown {
    ///             eprintln!("somebody has to look at {:?} of {:?}", event.record, event.route);
    ///         }
    ///     })
    ///     .build()?;
    /// # Ok::<(), idempotency_actix::ConfigError>(())
    /// ```
    pub fn on_outcome<F>(mut self, observer: F) -> Self
    where
        F: Fn(&OutcomeEvent<'_>) + Send + Sync + 'static,
    {
        self.options.on_outcome = Some(Provided::Shared(Arc::new(observer)));
        self
    }

    /// Sets what happens to a request with a new key once the layer [drains](Idempotency::drain).
    ///
    /// Default: [`OnDrain::Refuse`], 503 `draining`, so that a drain comes to an end.
    pub fn on_drain(mut self, choice: OnDrain) -> Self {
        self.options.on_drain = choice;
        self
    }

    /// Sets what of an answer is recorded, for retries to get.
    ///
    /// Default: [`KeptAnswer::Whole`]. With [`KeptAnswer::Status`] a retry gets the status and the `Location` of the first answer
    /// with an empty body, marked as a replay: for routes whose answers are large, or must not be stored.
    pub fn record(mut self, part: KeptAnswer) -> Self {
        self.common = self.common.record(part);
        self
    }

    /// Sets the response headers that replays do not have: they are not recorded, and stand in the first answer alone.
    ///
    /// Default: none. For what belongs to one request, such as its id, the time that it took or what is left of a limit.
    /// `Content-Type` and `Content-Encoding` cannot be dropped. Hop-by-hop fields, `Content-Length`, `Date` and `Server` are
    /// never recorded. Not together with [`keep_headers`](Self::keep_headers).
    pub fn drop_headers(mut self, headers: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.common = self.common.drop_headers(headers);
        self
    }

    /// Sets the only response headers that replays have, beside those that an answer cannot be without: `Content-Type`,
    /// `-Encoding`, `-Language`, `-Location` and `-Range`, `ETag`, `Last-Modified`, `Location`, `Vary`, `Cache-Control`,
    /// `WWW-Authenticate`, `Allow` and `Retry-After`.
    ///
    /// Default: all are recorded. For applications whose middleware adds what nobody has listed. What no record has it does
    /// not bring back, and `Set-Cookie` is for [`keep_cookies`](Self::keep_cookies). Not together with
    /// [`drop_headers`](Self::drop_headers).
    pub fn keep_headers(mut self, headers: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.common = self.common.keep_headers(headers);
        self
    }

    /// Sets whether `Set-Cookie` is kept and replayed.
    ///
    /// Default: `false`. A replayed cookie would open the first session again, in another browser perhaps.
    pub fn keep_cookies(mut self, keep: bool) -> Self {
        self.common = self.common.keep_cookies(keep);
        self
    }

    /// Sets a function that edits a replay on its way out: `Fn(&HttpRequest, &[u8], HttpResponse<Bytes>) -> HttpResponse<Bytes>`,
    /// with the body of the retry, and the replay with its body.
    ///
    /// Default: none, each retry gets the same octets. For what has to name the request that it answers, such as the `id` of
    /// JSON-RPC, which a [`fingerprint`](Self::fingerprint) of one's own then leaves out. What the record has stays as it is. The
    /// mark of the replay stays, whatever the function does; if it panics the client gets 500, and the next retry asks again. A
    /// first client that is told another attempt's answer, since its own claim was lost, gets it as it is.
    ///
    /// # Examples
    ///
    /// ```
    /// use actix_web::web::Bytes;
    /// use actix_web::{HttpRequest, HttpResponse};
    /// use idempotency_actix::RouteOptions;
    ///
    /// fn own_id(_: &HttpRequest, body: &[u8], replay: HttpResponse<Bytes>) -> HttpResponse<Bytes> {
    ///     let call = serde_json::from_slice::<serde_json::Value>(body).unwrap_or_default();
    ///     let answer = serde_json::from_slice::<serde_json::Value>(replay.body());
    ///     let Ok(mut answer) = answer else { return replay };
    ///     answer["id"] = call["id"].clone();
    ///     replay.map_body(|_, _| answer.to_string().into())
    /// }
    ///
    /// let calls = RouteOptions::new().on_replay(own_id);
    /// ```
    pub fn on_replay<F>(mut self, edit: F) -> Self
    where
        F: Fn(&HttpRequest, &[u8], HttpResponse<Bytes>) -> HttpResponse<Bytes>
            + Send
            + Sync
            + 'static,
    {
        self.common = self.common.on_replay(edit);
        self
    }

    /// Sets what happens to a request with a key when the store cannot be asked for the claim.
    ///
    /// Default: [`OnStoreFailure::Reject`], 503. With [`OnStoreFailure::Run`] the handler runs unprotected,
    /// and a retry of it may run again.
    pub fn on_store_failure(mut self, choice: OnStoreFailure) -> Self {
        self.common = self.common.on_store_failure(choice);
        self
    }

    /// Gives operators a text for each operation, beside its method and the pattern of its route: an order's number, say.
    ///
    /// Default: none, so that nothing of what a client sent is kept in readable form. What the function gives is kept with
    /// the claim, in plain, by whatever store there is, up to 128 octets and without control characters; it is shown to
    /// whoever may see [unknown outcomes](Idempotency::unknown_outcomes). It is called for every request with a key, a
    /// replay as well, before its body is read; in all-routes mode also before it is routed. Where it panics the answer is
    /// 500, and binds nothing.
    pub fn operator_label<F>(mut self, label: F) -> Self
    where
        F: Fn(&HttpRequest) -> Option<String> + Send + Sync + 'static,
    {
        self.label = Some(Arc::new(label));
        self
    }

    /// Sets a response header that tells clients for how long they may retry, in whole seconds: `Idempotency-Key-Ttl: 86400`.
    ///
    /// Default: none, since no header is registered for it. A first answer that is recorded has it, and so has each replay,
    /// with the same value: the route's `max_key_age`, which counts from the time of the key, or else its `ttl`, which counts
    /// from the first answer. A client that stops before that time is over never runs anything twice.
    pub fn window_header(mut self, name: &str) -> Self {
        self.window_header = Some(name.to_owned());
        self
    }

    /// Sets the URI that problem types start with; it ends in `/`, `#` or `:`.
    ///
    /// Default: `urn:problem-type:idempotency-actix:`. An application that documents the problems
    /// for its clients points it there.
    pub fn problem_base(mut self, uri: &str) -> Self {
        self.options.problem_base = uri.into();
        self
    }

    /// Sets a function that gives problems the form of the application's own errors.
    ///
    /// Default: `application/problem+json` of RFC 9457. The function gets the request and the
    /// [`Problem`](crate::Problem), and makes headers and body. Status, `Cache-Control: no-store`, `Retry-After`,
    /// `Location` and `Vary` are the layer's whatever it makes, and so is a `Link` to the problem's type unless there is one.
    /// If it panics the client gets 500, and nothing is bound. The plain 500s of panics and of mistakes in the application
    /// are no problems, and it is not asked for them, nor for a problem that takes the place of an error of inner middleware in all-routes mode,
    /// whose request is gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use actix_web::{HttpRequest, HttpResponse};
    /// use idempotency_actix::{Idempotency, KeyScope, MemoryStore, Problem};
    ///
    /// fn envelope(_: &HttpRequest, problem: &Problem) -> HttpResponse {
    ///     HttpResponse::build(problem.status()).json([("error", problem.name())])
    /// }
    ///
    /// let idempotency = Idempotency::builder(MemoryStore::new(), KeyScope::everyone())
    ///     .problem_response(envelope)
    ///     .build()?;
    /// # Ok::<(), idempotency_actix::ConfigError>(())
    /// ```
    pub fn problem_response<F>(mut self, form: F) -> Self
    where
        F: Fn(&HttpRequest, &ToldProblem) -> HttpResponse + Send + Sync + 'static,
    {
        self.problem_response = Some(Box::new(form));
        self
    }

    /// Checks the options and makes the layer.
    ///
    /// # Errors
    ///
    /// The first option that cannot hold, with a message that says what to change; and that the system has no
    /// file descriptors left for what renews claims.
    pub fn build(mut self) -> Result<Idempotency, ConfigError> {
        describe();
        let stores = self.store.timeout();
        self.options.window_header = match self.window_header.take() {
            Some(name) => match HeaderName::from_bytes(name.as_bytes()) {
                Ok(header) => Some(header),
                Err(_) => return Err(ConfigError::HeaderName(name)),
            },
            None => None,
        };
        let options = self.options.checked_with(&self.common, stores)?;
        let all_routes = self.covered_methods()?;
        let routes = Routes::new(self.routes, all_routes.as_deref(), |route| {
            options.checked_with(route, stores)
        })?;
        let streams = Budget::new(options.stream_budget);
        let waiters = Waiters::new(self.max_waiters, self.max_waiters_per_key);
        let claims = Claims::new(self.store, waiters, streams)
            .map_err(|error| ConfigError::Background(error.to_string()))?;
        let layer = Arc::new(Layer {
            claims,
            options,
            routes,
            clock: self.clock,
            problem_response: self.problem_response,
            all_routes,
            label: self.label,
            #[cfg(feature = "testing")]
            keeps: Keeps::Records,
        });
        if let Some(memory) = self.memory {
            watch(memory, &layer);
        }
        Ok(Idempotency(layer))
    }

    fn covered_methods(&mut self) -> Result<Option<Vec<Method>>, ConfigError> {
        let methods = self.methods.take();
        if !self.all_routes {
            return match methods {
                Some(_) => Err(ConfigError::MethodsWithoutAllRoutes),
                None => Ok(None),
            };
        }
        let methods = methods.unwrap_or_else(|| ELIGIBLE.to_vec());
        if methods.is_empty() {
            return Err(ConfigError::NoMethods);
        }
        match methods.iter().find(|method| !ELIGIBLE.contains(method)) {
            Some(method) => Err(ConfigError::Method(method.clone())),
            None => Ok(Some(methods)),
        }
    }
}

impl std::fmt::Debug for IdempotencyBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdempotencyBuilder")
            .field("scope", &self.options.scope)
            .field("options", &self.common)
            .finish_non_exhaustive()
    }
}
