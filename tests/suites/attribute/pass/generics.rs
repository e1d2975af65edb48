//! Generic and const-generic handlers, none of which says `'static`.

#![deny(warnings)]

use actix_web::{App, HttpRequest, Responder, test, web};
use idempotency_actix::{Idempotency, KeyScope, MemoryStore, Recovery, idempotent};
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

#[idempotent(
    key = key::<N>,
    scope = tenant::<L>,
    fingerprint = <L as Payload>::payload,
    recover = look_up::<L>
)]
async fn guarded<L, const N: usize>(ledger: web::Data<L>) -> String
where
    L: Ledger + Payload,
{
    (ledger.entries() + N).to_string()
}

fn key<const N: usize>(_: &HttpRequest) -> Option<String> {
    Some(N.to_string())
}

fn tenant<L: Ledger + 'static>(request: &HttpRequest) -> Option<[u8; 8]> {
    let ledger = request.app_data::<web::Data<L>>()?;
    Some(ledger.entries().to_be_bytes())
}

trait Payload {
    fn payload(request: &HttpRequest, body: &[u8]) -> Vec<u8>;
}

impl Payload for Book {
    fn payload(_: &HttpRequest, body: &[u8]) -> Vec<u8> {
        body.to_vec()
    }
}

async fn look_up<L: Ledger + 'static>(ledger: web::Data<L>) -> Recovery {
    match ledger.entries() {
        0 => Recovery::NotExecuted,
        _ => Recovery::StillUnknown,
    }
}

#[actix_web::main]
async fn main() {
    let app = App::new()
        .wrap(Idempotency::new(MemoryStore::new(), KeyScope::everyone()))
        .app_data(web::Data::new(Book(3)))
        .route("/inline", web::post().to(inline_bounds::<Book, Order>))
        .route("/where", web::post().to(where_clause::<Book, 4>))
        .route("/guarded", web::post().to(guarded::<Book, 6>))
        .route("/inner", web::post().to(generic::<Book, 5>));
    let app = test::init_service(app).await;
    for (path, expected) in [
        ("/inline", r#"[3,{"amount":9}]"#),
        ("/where", "7"),
        ("/inner", "8"),
        ("/guarded", "9"),
    ] {
        let request = test::TestRequest::post()
            .uri(path)
            .set_json(Order { amount: 9 });
        let body = test::call_and_read_body(&app, request.to_request()).await;
        assert_eq!(body, expected, "{path}");
    }
    assert_eq!(generic_inner::<Book, 1>(web::Data::new(Book(1))).await, "2");
}
