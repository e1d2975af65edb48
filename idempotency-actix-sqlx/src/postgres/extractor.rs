//! [`PgTx`], as handlers take it. It does not know when it is opened or ended.

use std::future::{Ready, ready};
use std::ops::{Deref, DerefMut};

use actix_web::dev::Payload;
use actix_web::{Error, FromRequest, HttpRequest};
use idempotency_actix::InTransaction;
use sqlx::postgres::PgConnection;

use super::store::PgStore;

/// The transaction of a marked handler on a [`PgStore`]: what is written in it commits with the record and the answer.
///
/// It dereferences to [`PgConnection`]: `&mut *tx` executes statements, and `tx.begin()` is a savepoint. The layer
/// opens it before the handler is called, commits it when the answer passes, and rolls it back where the answer is 400 or
/// above. See the crate's README, "In one transaction", for what each answer makes of it.
///
/// # Errors
///
/// Extraction answers 500, with a log line that says what to write, where there is no such transaction: in a handler
/// without the attribute, under the claim of an all-routes layer, over a store that is no `PgStore`.
///
/// # Examples
///
/// ```
/// use actix_web::{HttpResponse, Responder, post, web};
/// use idempotency_actix::idempotent;
/// use idempotency_actix_sqlx::{PgTx, SqlError, sqlx};
///
/// #[post("/charges")]
/// #[idempotent(required)]
/// async fn create_charge(mut tx: PgTx, cents: web::Json<i64>) -> Result<impl Responder, SqlError> {
///     sqlx::query("INSERT INTO charges (cents) VALUES ($1)")
///         .bind(*cents)
///         .execute(&mut *tx)
///         .await?;
///     // The effect, the record and this answer commit together, before a byte of it leaves.
///     Ok(HttpResponse::Created().finish())
/// }
/// ```
#[derive(Debug)]
pub struct PgTx(InTransaction<PgStore>);

impl Deref for PgTx {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for PgTx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}

impl FromRequest for PgTx {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let extracted = InTransaction::from_request(request, payload).into_inner();
        ready(extracted.map(Self))
    }
}
