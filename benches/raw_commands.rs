//! Handlers that use Redis by themselves, with as few plain commands as can be.
//!
//! The commands have as many octets as those of the store, on a connection of the same kind: one
//! multiplexed connection for each worker. They compare nothing, so that a retry may do harm.

use actix_web::error::ErrorServiceUnavailable;
use actix_web::http::header::HeaderMap;
use actix_web::web::{Bytes, Data, Json};
use actix_web::{Error, HttpRequest, HttpResponse, post};
use idempotency_actix::deadpool_redis::redis::aio::MultiplexedConnection;
use idempotency_actix::deadpool_redis::redis::{Client, RedisResult, cmd};

use super::{Answer, HEAD, Order, created};

/// A claim of the store, in octets.
const CLAIM: [u8; 108] = [b'c'; 108];

const DAY_MS: u64 = 86_400_000;

pub(crate) async fn connect(url: String) -> RedisResult<MultiplexedConnection> {
    let client = Client::open(url)?;
    client.get_multiplexed_async_connection().await
}

/// Answers with what stands under the key; the first request puts it there.
#[post("/get")]
pub(crate) async fn get(
    _order: Json<Order>,
    request: HttpRequest,
    redis: Data<MultiplexedConnection>,
    answer: Data<Answer>,
) -> Result<HttpResponse, Error> {
    let mut redis = redis.get_ref().clone();
    let key = key(request.headers());
    let found = cmd("GET").arg(&key).query_async(&mut redis).await;
    let found: Option<Vec<u8>> = found.map_err(ErrorServiceUnavailable)?;
    Ok(match found {
        Some(record) => created(Bytes::from(record).slice(HEAD..)),
        None => {
            let mut set = cmd("SET");
            set.arg(&key).arg(&answer.record[..]).arg("PX").arg(DAY_MS);
            let set = set.query_async::<()>(&mut redis).await;
            set.map_err(ErrorServiceUnavailable)?;
            created(answer.body())
        }
    })
}

/// Claims the key, and puts the answer there.
#[post("/set-set")]
pub(crate) async fn set_set(
    _order: Json<Order>,
    request: HttpRequest,
    redis: Data<MultiplexedConnection>,
    answer: Data<Answer>,
) -> Result<HttpResponse, Error> {
    let mut redis = redis.get_ref().clone();
    let key = key(request.headers());
    let mut claim = cmd("SET");
    claim.arg(&key).arg(&CLAIM).arg("NX").arg("GET");
    claim.arg("PX").arg(DAY_MS);
    let found = claim.query_async(&mut redis).await;
    let found: Option<Vec<u8>> = found.map_err(ErrorServiceUnavailable)?;
    if let Some(record) = found {
        return Ok(created(record.into()));
    }
    let mut set = cmd("SET");
    set.arg(&key).arg(&answer.record[..]).arg("PX").arg(DAY_MS);
    let set = set.query_async::<()>(&mut redis).await;
    set.map_err(ErrorServiceUnavailable)?;
    Ok(created(answer.body()))
}

/// As long as the store's own keys.
fn key(headers: &HeaderMap) -> Vec<u8> {
    let key = headers.get("idempotency-key").map(|key| key.as_bytes());
    let key = key.unwrap_or_default();
    let zeros = [b'0'; 64];
    [b"idem:{", &zeros[key.len().min(64)..], key, b"}"].concat()
}
