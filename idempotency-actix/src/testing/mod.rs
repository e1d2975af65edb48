//! For the tests of an application's own handlers (feature `testing`, which belongs into `[dev-dependencies]`).
//!
//! | a test that | has |
//! |---|---|
//! | calls a handler as a plain function | [`IdempotencyKey::for_test`], [`Attempt::for_test`] |
//! | is about something else | [`Idempotency::passthrough`]: marked handlers run, nothing is kept |
//! | is about a retry | a layer over a [`MemoryStore`], the request twice, [`assert_replayed!`] |
//! | is about a process that died, a run that goes on, an answer of before | [`FirstRequest`] |
//! | is about a store that fails | [`FaultyStore`] |
//! | is about time | a manual [`Clock`], for the store and for the layer |
//!
//! # A retry, and what time does to it
//!
//! ```
//! use std::time::Duration;
//!
//! use actix_web::test::{self, TestRequest};
//! use actix_web::{App, HttpResponse, Responder, post};
//! use idempotency_actix::testing::assert_replayed;
//! use idempotency_actix::{Clock, Idempotency, KeyScope, MemoryStore, idempotent};
//!
//! #[post("/charges")]
//! #[idempotent(ttl = "24h")]
//! async fn create_charge(order: String) -> impl Responder {
//!     HttpResponse::Created().body(order)
//! }
//!
//! fn order() -> TestRequest {
//!     TestRequest::post().uri("/charges").insert_header(("idempotency-key", "k-1")).set_payload("5")
//! }
//!
//! #[actix_web::main] // `#[actix_web::test]` in a test of yours
//! async fn main() {
//!     let clock = Clock::manual();
//!     let store = MemoryStore::builder().clock(clock.clone()).build();
//!     // The layer's own clock is for `max_key_age` alone.
//!     let layer = Idempotency::builder(store, KeyScope::everyone()).clock(clock.clone()).build().unwrap();
//!     let app = test::init_service(App::new().wrap(layer).service(create_charge)).await;
//!
//!     assert_eq!(test::call_service(&app, order().to_request()).await.status(), 201);
//!     assert_replayed!(test::call_service(&app, order().to_request()).await);
//!
//!     clock.advance(Duration::from_secs(24 * 60 * 60)); // its record is over: it runs again
//!     let late = test::call_service(&app, order().to_request()).await;
//!     assert!(!late.headers().contains_key("idempotent-replayed"));
//! }
//! ```
//!
//! # No layer, another layer
//!
//! A marked handler without a layer around it never runs: it is answered 500, and in builds with debug assertions the body
//! says what to add. `actix_web::middleware::Condition::new(false, idempotency)` is no layer, so marked handlers under
//! it are answered so too: it turns the protection off, and with it what must not run unprotected. To have them run in a
//! test, have the application take its layer as an argument, and give it [`Idempotency::passthrough`]:
//!
//! ```
//! use actix_web::test::{self, TestRequest};
//! use actix_web::{App, HttpResponse, Responder, middleware::Condition, post};
//! use idempotency_actix::{Idempotency, idempotent};
//!
//! #[post("/charges")]
//! #[idempotent(required)]
//! async fn create_charge() -> impl Responder {
//!     HttpResponse::Created()
//! }
//!
//! # #[actix_web::main]
//! # async fn main() {
//! let layer = Idempotency::passthrough();
//! let app = test::init_service(App::new().wrap(layer.clone()).service(create_charge)).await;
//! let order = TestRequest::post().uri("/charges").to_request();
//! assert_eq!(test::call_service(&app, order).await.status(), 201); // without a key, each time
//!
//! let off = Condition::new(false, layer);
//! let app = test::init_service(App::new().wrap(off).service(create_charge)).await;
//! let order = TestRequest::post().uri("/charges").to_request();
//! assert_eq!(test::call_service(&app, order).await.status(), 500);
//! # }
//! ```
//!
//! # A handler as a function
//!
//! The attribute turns a handler into what its route takes. With `inner = name` the function that was written stays callable:
//!
//! ```
//! use actix_web::{HttpResponse, Responder};
//! use idempotency_actix::{Attempt, IdempotencyKey, idempotent};
//!
//! #[idempotent(inner = export_once)]
//! async fn export(key: IdempotencyKey, attempt: Attempt) -> HttpResponse {
//!     match attempt.is_current() {
//!         true => HttpResponse::Created().body(key.derive("file")),
//!         false => HttpResponse::Conflict().finish(),
//!     }
//! }
//!
//! # #[actix_web::main]
//! # async fn main() {
//! let (key, attempt) = (IdempotencyKey::for_test("k-1"), Attempt::for_test(2));
//! assert_eq!(export_once(key.clone(), attempt.clone()).await.status(), 201);
//! attempt.lose_for_test();
//! assert_eq!(export_once(key, attempt).await.status(), 409);
//! # }
//! ```
//!
//! [`IdempotencyKey::for_test`]: crate::IdempotencyKey::for_test
//! [`Attempt::for_test`]: crate::Attempt::for_test
//! [`Idempotency::passthrough`]: crate::Idempotency::passthrough
//! [`MemoryStore`]: crate::MemoryStore
//! [`Clock`]: crate::Clock

mod faulty_store;
mod first_request;
mod replayed;

pub use self::faulty_store::{Call, Fault, FaultyStore};
pub use self::first_request::FirstRequest;
pub use crate::assert_replayed;
