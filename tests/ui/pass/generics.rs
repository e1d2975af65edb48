//! Generic and const-generic handlers, none of which says `'static`.

#![deny(warnings)]

use actix_web::{App, Responder, test, web};
use idempotency_actix::{Idempotency, KeyScope, MemoryStore, idempotent};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

trait Ledger {
    fn entries(&self) -> usize;
}

struct Book(usize);

impl Ledger for Book {
    fn entries(&self) -> usize {
        self.0
    }
}

#[derive(Serialize, Deserialize)]
struct Order {
    amount: u32,
}

#[idempotent]
async fn inline_bounds<L: Ledger, B: DeserializeOwned + Serialize>(
    ledger: web::Data<L>,
    body: web::Json<B>,
) -> impl Responder {
    web::Json((ledger.entries(), body.into_inner()))
}

#[idempotent]
async fn where_clause<L, const N: usize>(ledger: web::Data<L>) -> Result<String, actix_web::Error>
where
    L: Ledger + ?Sized,
    for<'a> &'a L: Send,
{
    Ok((ledger.entries() + N).to_string())
}

#[idempotent(inner = generic_inner)]
async fn generic<L, const N: usize>(ledger: web::Data<L>) -> String
where
    L: Ledger,
{
    (ledger.entries() + N).to_string()
}

#[actix_web::main]
async fn main() {
    let app = App::new()
        .wrap(Idempotency::new(MemoryStore::new(), KeyScope::everyone()))
        .app_data(web::Data::new(Book(3)))
        .route("/inline", web::post().to(inline_bounds::<Book, Order>))
        .route("/where", web::post().to(where_clause::<Book, 4>))
        .route("/inner", web::post().to(generic::<Book, 5>));
    let app = test::init_service(app).await;
    for (path, expected) in [
        ("/inline", r#"[3,{"amount":9}]"#),
        ("/where", "7"),
        ("/inner", "8"),
    ] {
        let request = test::TestRequest::post()
            .uri(path)
            .set_json(Order { amount: 9 });
        let body = test::call_and_read_body(&app, request.to_request()).await;
        assert_eq!(body, expected, "{path}");
    }
    assert_eq!(generic_inner::<Book, 1>(web::Data::new(Book(1))).await, "2");
}
