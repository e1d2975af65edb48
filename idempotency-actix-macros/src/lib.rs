//! The `#[idempotent]` attribute of `idempotency-actix`, which
//! re-exports it: depend on that crate, not on this one.

mod args;
mod expand;
mod handler;
mod known;
mod mistakes;
mod placement;
mod routing;
mod statuses;
mod together;
mod tokens;
mod value;
mod written;

use proc_macro::TokenStream;
use quote::quote;

use crate::args::Args;
use crate::handler::Handler;
use crate::mistakes::Mistakes;

/// Runs a handler at most once per `Idempotency-Key` and answers every retry with the first answer.
///
/// ```text
/// #[post("/charges")]
/// #[idempotent(ttl = "24h", required)]
/// async fn charge(order: web::Json<Order>) -> Result<impl Responder, ChargeError> { .. }
/// ```
///
/// The application must be wrapped in the `Idempotency` middleware: a marked handler without it answers
/// 500 and never runs.
///
/// # Options
///
/// All are optional and are checked while the application is compiled. What is left out keeps the
/// middleware's value, which is the default below unless the application set another.
///
/// | option | value | limits | default |
/// |---|---|---|---|
/// | `ttl = "24h"` | how long a finished answer is replayed | 1 ms to 10 years (of 365.25 days) | 24 h |
/// | `lease = "30s"` | how long a run is believed alive without a sign of life | 10 ms to 24 h | 30 s |
/// | `required` | whether a request without a key is refused with 400 | | `false` |
/// | `key_header = "webhook-id"` | the header that the key is read from | a header name of RFC 9110, in any case | `"idempotency-key"` |
/// | `key = event_id` | a function that finds the key in the request, or in its body as well, instead of a header; with `key_header` where that header is not there | `fn(&HttpRequest) -> Option<impl AsRef<str>>`, or `fn(&HttpRequest, &[u8]) -> ..` | |
/// | `strict_keys` | whether only quoted Strings of RFC 9651 are accepted as keys | | `false` |
/// | `key_format = "uuid"` | what a key looks like, else 400: `"any"`, `"uuid"`, `"uuid7"`, `"ulid"`, or what a function takes for one | `fn(&str) -> bool`, or a `Result` whose error is the reason | `"any"` |
/// | `max_key_age = "24h"` | how old a key may be, by the time in it or by `first_sent_header`; an older one is refused with 412 | up to the `ttl` | no limit |
/// | `first_sent_header = "repeatability-first-sent"` | the header that tells when the first try was sent | a header name of RFC 9110, in any case | none |
/// | `scope = tenant` | a function that tells whose the key is; for `None` 400, for an error its own answer | `fn(&HttpRequest) -> Option<impl AsRef<[u8]>>`, or a `Result` | the layer's |
/// | `fingerprint = payload` | what makes two requests under one key the same: `"bytes"`, `"json"` (canonical JSON, feature `json`), `"multipart"` (the parts of a form and not its boundary, feature `multipart`) or a function's result | `fn(&HttpRequest, &[u8]) -> impl AsRef<[u8]>` | `"bytes"` |
/// | `vary = ["host"]` | the request headers that choose a handler: a retry that differs in one is another request | header names of RFC 9110, in any case | `[]` |
/// | `wait = "5s"` | how long a retry waits for a first request that still runs | 0 s to 5 min | 0 s |
/// | `max_in_flight = 10` | how many operations of one caller may be in flight in this process; over it 429 | from 1 | no limit |
/// | `transaction = "serializable"` | what the handler's transaction sees of others, where it takes one | `"default"`, `"serializable"` | `"default"` |
/// | `transaction_runs = 3` | how often it runs when its transaction is undone for another's sake; then 503 | from 1 | 3 |
/// | `on_unknown = "rerun"` | what happens to a retry when nobody knows the first request's outcome: `"reject"` answers 500, `"rerun"` runs the handler again | | `"reject"` |
/// | `recover = look_up` | a function that finds out the outcome, instead of `on_unknown` | `async fn(extractors, ..) -> Recovery`, or a `Result` of it | |
/// | `on_store_failure = "run"` | what happens when the store cannot be asked: `"reject"` answers 503, `"run"` runs the handler unprotected | | `"reject"` |
/// | `release_on = [429, 500..=599]` | answers by which the handler says that it did nothing, so that a retry runs it again; `[]` for none | status codes 400 to 599 | `[401, 403, 425, 429]` |
/// | `max_body = "2MiB"` | largest request body; over it 413 | from 1 byte | 2 MiB |
/// | `max_response = "1MiB"` | largest answer that is kept for replay | from 1 byte | 1 MiB |
/// | `record = "status"` | what of an answer is recorded: `"whole"`, or `"status"`, so that a retry gets status and `Location` with an empty body | | `"whole"` |
/// | `drop_headers = ["x-request-id"]` | the response headers that replays do not have | header names of RFC 9110, but `Content-Type` and `Content-Encoding` | `[]` |
/// | `keep_headers = ["x-version"]` | the only ones that they have, beside what an answer cannot be without (`Content-Type`, `Location`, ..), instead of `drop_headers` | header names of RFC 9110 | all |
/// | `keep_cookies` | whether `Set-Cookie` is kept and replayed | | `false` |
/// | `on_replay = own_id` | a function that edits a replay on its way out | `fn(&HttpRequest, &[u8], HttpResponse<Bytes>) -> HttpResponse<Bytes>` | |
/// | `associated` | flag: the handler is an associated function, in an `impl` block | | |
/// | `inner = name` | keeps the original function callable as `name` | | |
///
/// - **Switches** (`required`, `strict_keys`, `keep_cookies`) stand alone, or take back what the layer has:
///   `required = false`.
/// - **Durations** are text such as `"90s"`, `"1h 30m"` or `"2days"`, in whole milliseconds.
/// - **Sizes** are text such as `"512KiB"` (1024) or `"1MB"` (1000), or a plain number of bytes.
/// - **Functions** are given by their path, such as `look_up`, `charges::look_up` or `Self::look_up`; a closure
///   has none. What they return is owned, such as a `String`, and no borrow of the request.
/// - **`ttl`** is 24 hours, as Stripe's is: with a shorter one a client that was offline overnight pays twice.
/// - **`lease`** is renewed while the handler runs, so it need not cover the longest run. With a long one a
///   retry after a crash waits long for its 500; with a short one a paused process is taken for dead.
/// - **`key_header`** and **`key`** together are two places in that order: first the header, then what the function finds. One of
///   them replaces all that the layer has.
/// - **`on_unknown`** and **`recover`** are two answers to one question, and so are **`drop_headers`** and
///   **`keep_headers`**: a handler has one of each. `drop_headers = []` takes back what the layer has.
/// - **`max_key_age`** is no limit: a retry that comes after the `ttl` runs again. With one it never does: see
///   `IdempotencyBuilder::max_key_age` for why. `"0s"` takes back what the layer has.
/// - **`fingerprint`** by a function counts its result and what `vary` names, and nothing else: where the
///   query matters, it must be part of the result.
/// - **`vary`** is for handlers of one path that guards choose between, by `Host` or a version: without it the
///   second one is answered with the first one's answer. `[]` takes back what the layer has.
/// - **`wait`** is 0 s, since a retry that waits holds a connection; `"0s"` takes back what the layer has.
/// - **`on_unknown`** is `"reject"`: the first request may have charged before its process died. `"rerun"` is
///   for effects that can be repeated, and `recover` for those that can be looked up.
/// - **`release_on`** replaces the default list. Name a status only if the handler never acts before it
///   answers with it: a handler that charged and then met a failing mail server answers 503, too.
///
/// # What it expands to
///
/// ```text
/// async fn charge(__marked: Marked) -> HttpResponse {
///     async fn charge(order: web::Json<Order>) -> Result<impl Responder, ChargeError> { .. }
///     Marked::run(__marked, charge, const { &RouteOptions::new().ttl(..).required(true) }).await
/// }
/// ```
///
/// So the handler keeps its name, visibility and documentation and is routed as before, but has another
/// signature: call the original through `inner`. Of up to 16 extractors none is lost, and each can be a
/// pattern. A function that returns a future works as an `async` one does. Type parameters of a generic
/// handler are bound to `'static`, as routing demands.
///
/// With `associated` the original becomes the hidden `Self::__idempotent_charge`, because a nested
/// function sees neither `Self` nor the parameters of the `impl` block. With `inner = name` it stands beside
/// the handler as `name` (or `Self::name`), with the same visibility. It runs without idempotency.
///
/// # Other attributes
///
/// Route macros (`#[post]`, `#[route]`, `#[routes]`, ..) may stand above or below. Of what stands below:
///
/// | attribute | goes to |
/// |---|---|
/// | documentation, `deprecated`, `cfg`, route macros | the handler |
/// | `allow`, `warn`, `deny`, `forbid`, `expect` | both; with `associated` or `inner` what is expected is expected of the original and allowed in the handler |
/// | `cfg_attr` | where its members go, one by one |
/// | everything else (`tracing::instrument`, `must_use`, `inline`, ..) | the original |
/// | `utoipa::path` | refused: it must stand above, where it sees the extractors |
///
/// # Caveats
///
/// - With `inner`, `#[idempotent]` must stand above the route macro. Below it the original becomes an item
///   inside the function that the route macro generates, where nothing else can name it.
/// - A route macro that is imported under another name is not recognised below: place it above.
/// - Safe methods (GET, HEAD, OPTIONS, TRACE) are never covered, so a route macro for them alone is a mistake.
///   One that stands above has run before, and is read from the source file where the compiler tells which that is;
///   one that a `macro_rules!` passes in, or that has another name, is not found.
/// - `associated` needs an inherent `impl` block: a trait's `impl` cannot hold the hidden function.
/// - A layer in all-routes mode has claimed the key before the handler is reached. What is decided by then
///   (`key`, `scope`, `fingerprint`, `vary`, `wait`, ..) belongs in the layer's table of routes; here it is answered
///   500, and logged.
/// - The generated code names the crate `::idempotency_actix`, so the dependency cannot be renamed.
#[proc_macro_attribute]
pub fn idempotent(args: TokenStream, item: TokenStream) -> TokenStream {
    let item = proc_macro2::TokenStream::from(item);
    let mut mistakes = Mistakes::default();
    let args = Args::parse(args.into(), &mut mistakes);
    let handler = mistakes.note(syn::parse2::<Handler>(item.clone()));
    if let Some(handler) = &handler {
        handler.check(&args, &mut mistakes);
    }
    match (handler, mistakes.report()) {
        (Some(handler), None) => expand::expand(&handler, &args),
        (handler, errors) => {
            let item = handler.as_ref().map_or(item, expand::unmarked);
            let stand_in = handler.and_then(|handler| expand::stand_in(&handler, &args));
            quote!(#item #stand_in #errors)
        }
    }
    .into()
}
