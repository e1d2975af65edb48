//! [`SqliteTx`], as handlers take it. It does not know when it is opened or ended.

use std::future::{Ready, ready};
use std::ops::{Deref, DerefMut};

use actix_web::dev::Payload;
use actix_web::{Error, FromRequest, HttpRequest};
use idempotency_actix::InTransaction;
use sqlx::sqlite::SqliteConnection;

use super::store::SqliteStore;

/// The transaction of a marked handler on a [`SqliteStore`]: what is written in it commits with the record and the answer.
///
/// It dereferences to [`SqliteConnection`]: `&mut *tx` executes statements, and `tx.begin()` is a savepoint. The layer
/// opens it before the handler is called, commits it when the answer passes, and rolls it back where the answer is 400 or
/// above. SQLite has one writer: such handlers run one after the other, in the order in which they came, so what takes
/// long belongs outside of them. To write to the same file over another connection meanwhile fails.
///
/// # Errors
///
/// Extraction answers 500, with a log line that says what to write, where there is no such transaction: in a handler
/// without the attribute, under the claim of an all-routes layer, over a store that is no `SqliteStore`.
///
/// # Examples
///
/// ```
/// use actix_web::{HttpResponse, Responder, post, web};
/// use idempotency_actix::idempotent;
/// use idempotency_actix_sqlx::{SqlError, SqliteTx, sqlx};
///
/// #[post("/charges")]
/// #[idempotent(required)]
/// async fn create_charge(mut tx: SqliteTx, cents: web::Json<i64>) -> Result<impl Responder, SqlError> {
///     sqlx::query("INSERT INTO charges (cents) VALUES ($1)")
///         .bind(*cents)
///         .execute(&mut *tx)
///         .await?;
///     // The effect, the record and this answer commit together, before a byte of it leaves.
///     Ok(HttpResponse::Created().finish())
/// }
/// ```
#[derive(Debug)]
pub struct SqliteTx(InTransaction<SqliteStore>);

impl Deref for SqliteTx {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.0
    }
}

impl DerefMut for SqliteTx {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.0
    }
}

impl FromRequest for SqliteTx {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let extracted = InTransaction::from_request(request, payload).into_inner();
        ready(extracted.map(Self))
    }
}
