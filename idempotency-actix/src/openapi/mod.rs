//! What a document of OpenAPI says of keys, problems and replays (feature `utoipa`).
//!
//! A route says that it takes a key, by [`IdempotencyKeyParam`] among its parameters. The rest is one line for the whole
//! document, [`IdempotentOperations`] among its modifiers: every operation with a key then has the problems that the layer
//! may answer, and the marks on answers of the handler.
//!
//! ```
//! use actix_web::{HttpResponse, Responder, post};
//! use idempotency_actix::idempotent;
//! use idempotency_actix::openapi::{IdempotencyKeyParam, IdempotentOperations};
//! use utoipa::OpenApi;
//!
//! #[utoipa::path(params(IdempotencyKeyParam), responses((status = 201, body = String)))]
//! #[post("/charges")]
//! #[idempotent]
//! async fn create_charge(order: String) -> impl Responder {
//!     HttpResponse::Created().body(order)
//! }
//!
//! #[derive(OpenApi)]
//! #[openapi(paths(create_charge), modifiers(&IdempotentOperations))]
//! struct Api;
//!
//! let document = serde_json::to_value(Api::openapi())?;
//! let responses = &document["paths"]["/charges"]["post"]["responses"];
//! assert!(responses["201"]["headers"]["Idempotent-Replayed"].is_object());
//! assert_eq!(responses["409"]["$ref"], "#/components/responses/Idempotency409");
//!
//! let in_flight = &document["components"]["responses"]["Idempotency409"];
//! assert!(in_flight["headers"]["Retry-After"].is_object());
//! let problem = &in_flight["content"]["application/problem+json"];
//! assert_eq!(problem["examples"]["in-flight"]["value"]["status"], 409);
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! # A layer with options of its own
//!
//! The modifier speaks for a layer whose options are the default ones. Where it has another
//! [`problem_base`](crate::IdempotencyBuilder::problem_base), [`problem_response`](crate::IdempotencyBuilder::problem_response),
//! [`key_header`](crate::IdempotencyBuilder::key_header) or [`window_header`](crate::IdempotencyBuilder::window_header), the layer
//! is the modifier:
//!
//! ```
//! use idempotency_actix::{Idempotency, KeyScope, MemoryStore};
//! use utoipa::{Modify, OpenApi};
//!
//! #[utoipa::path(
//!     post,
//!     path = "/charges",
//!     params(("X-Request-Id" = String, Header, description = "New for each charge.")),
//!     responses((status = 201))
//! )]
//! async fn create_charge() {}
//!
//! #[derive(OpenApi)]
//! #[openapi(paths(create_charge))]
//! struct Api;
//!
//! let layer = Idempotency::builder(MemoryStore::new(), KeyScope::everyone())
//!     .key_header("X-Request-Id")
//!     .problem_base("https://docs.example/problems/")
//!     .build()?;
//! let mut document = Api::openapi();
//! layer.modify(&mut document);
//!
//! let document = serde_json::to_value(document)?;
//! let reused = &document["components"]["responses"]["Idempotency422"]["content"]["application/problem+json"];
//! let kind = &reused["examples"]["key-reused"]["value"]["type"];
//! assert_eq!(kind, "https://docs.example/problems/key-reused");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is completed
//!
//! 1. An operation is POST, PUT, PATCH or DELETE and has a header among its parameters, of itself or of its path, that is
//!    `Idempotency-Key` or the layer's `key_header`. What marks a handler tells utoipa nothing, so all-routes mode needs the
//!    parameter as well.
//! 2. Each response that is described, whatever its status, may be a replay: it gets the headers
//!    [`Idempotent-Replayed`](crate::IDEMPOTENT_REPLAYED) and [`Idempotency-Status`](crate::IDEMPOTENCY_STATUS), and the
//!    layer's `window_header`.
//! 3. Each status of a problem that is not described gets a response, shared by all operations, with an example of each
//!    problem. All problems are there, those too that the route's options leave out.
//! 4. A status that is described, or lies in a described `4XX`, `5XX` or `default`, keeps what is said of it, and gets
//!    `application/problem+json` beside its own content.
//!
//! What the operation says itself always stays: no description, header or content is replaced, and a response that is a
//! reference stays as it is. With a form of the application's own problems have no content here: it alone knows which.
//! Paths that come later, as those of `utoipa-actix-web`, are not seen by a modifier of the derive: call
//! `IdempotentOperations.modify(&mut document)` once they are there.

mod key_param;
mod marks;
mod operations;
mod problems;

pub use self::key_param::{IdempotencyKeyParam, RequiredIdempotencyKeyParam};
pub use self::operations::IdempotentOperations;
