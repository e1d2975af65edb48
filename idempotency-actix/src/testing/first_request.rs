//! A first request as its record shows it to retries: running, lost, or answered. It knows no layer.

use std::time::{Duration, SystemTime};

use actix_web::HttpResponse;
use actix_web::test::TestRequest;
use futures_util::FutureExt;

use crate::answer::capture_whole;
use crate::options::{DEFAULT_LEASE, DEFAULT_TTL, KeyScope, Options};
use crate::request::{Caller, Fingerprint, RecordId, path_of, read_body};
use crate::store::{
    Begun, Claim, Completion, Description, Finished, Record, State, Store, StoreError, Token,
};

/// A first request that no handler has seen, whose record a test puts into a store.
///
/// What its retries are answered is then up to the layer over that store. Whoever comes with the same caller, method, path
/// and key is a retry of it, and one with another query, body, content type or content encoding than the request here is
/// 422 `key-reused`, whatever [`Fingerprinting`](crate::Fingerprinting) the route has. So give it what the test will send.
/// Headers of [`vary`](crate::RouteOptions::vary) do not count: the record is one from before there were any.
///
/// # Examples
///
/// ```
/// use actix_web::test::TestRequest;
/// use idempotency_actix::testing::FirstRequest;
/// use idempotency_actix::{Caller, MemoryStore};
///
/// fn order() -> TestRequest {
///     TestRequest::post().uri("/charges").insert_header(("idempotency-key", "k-1")).set_payload("5")
/// }
///
/// # #[actix_web::main]
/// # async fn main() {
/// let store = MemoryStore::new(); // the layer's
/// FirstRequest::of(&Caller::principal("ada"), "k-1", order()).unknown(&store).await;
/// // `order().to_request()` is a retry now, and its answer 500 `outcome-unknown`.
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct FirstRequest {
    id: RecordId,
    token: Token,
    fingerprint: Fingerprint,
    description: Description,
}

impl FirstRequest {
    /// This request of this caller under this key. The key is the decoded one, without quotes; whether the request itself
    /// has it in a header does not matter.
    pub fn of(caller: &Caller, key: &str, request: TestRequest) -> Self {
        let (request, mut payload) = request.to_http_parts();
        let (method, path) = (request.method(), path_of(&request));
        let body = read_body(&request, &mut payload, u64::MAX).now_or_never();
        let Some(Ok(body)) = body else {
            unreachable!("the body of a test request is there, and whole");
        };
        Self {
            id: RecordId::of(caller, method, path, key),
            token: Token::random(),
            fingerprint: Fingerprint::of_bytes(&request, &body),
            description: Description::new(method.clone(), None, SystemTime::now()),
        }
    }

    /// Has it run: a retry is told 409 `in-flight`, or waits. Nobody renews its lease of 30 seconds, by the store's clock.
    ///
    /// # Panics
    ///
    /// Where the store has another record of it, or fails.
    pub async fn in_flight(&self, store: &impl Store) {
        self.begin(store, DEFAULT_LEASE).await;
    }

    /// Has its process die in mid-run: nobody knows its outcome.
    ///
    /// A retry does not have to wait until the lease is over, nor for what comes after it before a route's `recover` is asked.
    /// To test those times, put it [in flight](Self::in_flight) and move the store's [clock](crate::Clock).
    ///
    /// # Panics
    ///
    /// Where the store has another record of it, or fails.
    pub async fn unknown(&self, store: &impl Store) {
        self.begin(store, Duration::ZERO).await;
        let record = done(store.inspect(&self.id).await);
        let is_unknown = matches!(
            record,
            Some(Record {
                state: State::Unknown { .. },
                ..
            })
        );
        assert!(
            is_unknown,
            "the store holds a request without a lease for running"
        );
    }

    /// Has it answered: a retry gets a replay. One that was in flight here before is finished.
    ///
    /// # Panics
    ///
    /// Where the store has another record of it, or fails.
    pub async fn finished(&self, store: &impl Store, response: HttpResponse) {
        let finished = captured(response).await;
        self.complete(store, &finished).await;
    }

    /// Has it answered with what could not be kept, a large body or a stream: a retry is told 410 `response-not-kept`, with
    /// this answer's status and `Location`.
    ///
    /// # Panics
    ///
    /// Where the store has another record of it, or fails.
    pub async fn not_kept(&self, store: &impl Store, response: HttpResponse) {
        let finished = match captured(response).await {
            Finished::Completed(response) => Finished::NotKept(response.not_kept()),
            not_kept => not_kept,
        };
        self.complete(store, &finished).await;
    }

    fn claim(&self, lease: Duration) -> Claim {
        Claim::new(self.token, self.fingerprint, lease, DEFAULT_TTL)
            .described(self.description.clone())
    }

    async fn begin(&self, store: &impl Store, lease: Duration) {
        match done(store.begin(&self.id, &self.claim(lease)).await) {
            Begun::Claimed { .. } => {}
            Begun::Found(_) => taken(),
        }
    }

    async fn complete(&self, store: &impl Store, finished: &Finished) {
        let claim = self.claim(DEFAULT_LEASE);
        match done(
            store
                .complete(&self.id, &claim, finished, DEFAULT_TTL)
                .await,
        ) {
            Completion::Recorded | Completion::RecordedAbsent => {}
            Completion::Refused => taken(),
        }
    }
}

async fn captured(mut response: HttpResponse) -> Finished {
    capture_whole(&mut response, &Options::new(KeyScope::everyone())).await
}

fn taken() -> ! {
    panic!("the store has another record of this request")
}

fn done<T>(answer: Result<T, StoreError>) -> T {
    match answer {
        Ok(done) => done,
        Err(error) => panic!("{error}: {error:?}"),
    }
}
