//! Handlers in `impl` blocks, and originals that stay callable.

#![deny(warnings, missing_docs)]

use std::marker::PhantomData;

use actix_web::{App, HttpRequest, Responder, post, test, web};
use idempotency_actix::{Idempotency, KeyScope, MemoryStore, Recovery, idempotent};
use serde::{Deserialize, Serialize};

/// An order.
#[derive(Serialize, Deserialize)]
pub struct Order {
    amount: u32,
}

impl Order {
    const FEE: u32 = 1;

    /// Names `Self` in the signature and in the body.
    #[idempotent(associated, ttl = "1h")]
    pub async fn place(order: web::Json<Self>) -> impl Responder {
        (order.amount + Self::FEE).to_string()
    }

    /// Keeps its original.
    #[idempotent(associated, inner = cancel_unprotected)]
    pub async fn cancel(order: web::Json<Order>) -> String {
        order.amount.to_string()
    }

    /// Needs nothing of its `impl` block but a function.
    #[idempotent(fingerprint = Self::fee)]
    pub async fn free(order: web::Json<Order>) -> String {
        order.amount.to_string()
    }

    fn fee(_: &HttpRequest, _: &[u8]) -> [u8; 4] {
        Self::FEE.to_be_bytes()
    }
}

/// Something that counts.
pub trait Ledger {
    /// How many.
    const ENTRIES: usize;
}

/// A ledger.
pub struct Book;

impl Ledger for Book {
    const ENTRIES: usize = 3;
}

/// An API over a ledger.
pub struct Api<L>(PhantomData<L>);

impl<L: Ledger> Api<L> {
    /// Uses the parameter of the `impl` block.
    #[idempotent(associated)]
    #[tracing::instrument]
    pub async fn entries<const N: usize>() -> String {
        (L::ENTRIES + N).to_string()
    }

    /// Has functions that use the parameter too.
    #[idempotent(
        associated,
        key = Self::key,
        scope = Api::<L>::tenant,
        fingerprint = Self::counted,
        recover = Self::look_up
    )]
    pub async fn guarded() -> String {
        L::ENTRIES.to_string()
    }

    fn key(_: &HttpRequest) -> Option<String> {
        Some(L::ENTRIES.to_string())
    }

    fn tenant(_: &HttpRequest) -> Result<[u8; 8], actix_web::Error> {
        Ok(L::ENTRIES.to_be_bytes())
    }

    fn counted(_: &HttpRequest, body: &[u8]) -> Vec<u8> {
        body[..L::ENTRIES.min(body.len())].to_vec()
    }

    async fn look_up(_: web::Bytes) -> Recovery {
        Recovery::NotExecuted
    }
}

/// Keeps its original, which is as public as itself.
#[idempotent(inner = total_unprotected)]
#[post("/total")]
pub async fn total(order: web::Json<Order>) -> String {
    order.amount.to_string()
}

#[actix_web::main]
async fn main() {
    let app = App::new()
        .wrap(Idempotency::new(MemoryStore::new(), KeyScope::everyone()))
        .service(total)
        .route("/place", web::post().to(Order::place))
        .route("/cancel", web::post().to(Order::cancel))
        .route("/free", web::post().to(Order::free))
        .route("/guarded", web::post().to(Api::<Book>::guarded))
        .route("/entries", web::post().to(Api::<Book>::entries::<2>));
    let app = test::init_service(app).await;
    for (path, expected) in [
        ("/total", "9"),
        ("/place", "10"),
        ("/cancel", "9"),
        ("/free", "9"),
        ("/entries", "5"),
        ("/guarded", "3"),
    ] {
        let request = test::TestRequest::post()
            .uri(path)
            .set_json(Order { amount: 9 });
        let body = test::call_and_read_body(&app, request.to_request()).await;
        assert_eq!(body, expected, "{path}");
    }
    assert_eq!(total_unprotected(web::Json(Order { amount: 2 })).await, "2");
    assert_eq!(
        Order::cancel_unprotected(web::Json(Order { amount: 3 })).await,
        "3"
    );
}
