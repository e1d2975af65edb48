//! A running application: any routes, under any layer, and how often their handlers ran.

use std::ops::Deref;

use actix_web::body::MessageBody;
use actix_web::web::{Bytes, ServiceConfig};
use actix_web::{App, HttpResponse, Responder, post};
use idempotency_actix::{Idempotency, IdempotencyBuilder, KeyScope, MemoryStore, idempotent};

use super::counter::Counter;
use crate::request::Request;
use crate::response::Response;
use crate::server::{Routes, Server, serve};

/// A running application and the counter of its runs.
pub struct Site {
    server: Server,
    /// How often handlers started.
    pub runs: Counter,
}

impl Site {
    /// Starts an `App` with these routes inside of that layer.
    pub fn new(
        layer: Idempotency,
        routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    ) -> Self {
        Self::serve(move |runs| {
            App::new()
                .app_data(runs)
                .wrap(layer.clone())
                .configure(routes.clone())
        })
    }

    /// Starts any `App`, made of the counter that its handlers take.
    pub fn serve<T: Routes<B>, B: MessageBody + 'static>(
        app: impl Fn(Counter) -> App<T> + Send + Clone + 'static,
    ) -> Self {
        let runs = Counter::default();
        let counted = runs.clone();
        Self::of(serve(move || app(counted.clone())), runs)
    }

    pub(super) fn of(server: Server, runs: Counter) -> Self {
        Self { server, runs }
    }

    /// Stops it in peace: requests that run may end, for a second.
    pub fn stop(self) {
        self.server.stop();
    }

    /// Sends bytes on a connection of their own.
    pub fn send_bytes(&self, bytes: &[u8]) -> Response {
        let mut client = self.connect();
        client.write(bytes);
        client.receive()
    }

    /// Sends the same request twice, one after the other.
    pub fn twice(&self, request: &Request) -> (Response, Response) {
        (self.send(request.clone()), self.send(request.clone()))
    }
}

impl Deref for Site {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

/// A layer's builder on a fresh memory store, one space of keys for everyone.
pub fn builder() -> IdempotencyBuilder {
    Idempotency::builder(MemoryStore::new(), KeyScope::everyone())
}

/// A layer for marked handlers.
pub fn marked() -> Idempotency {
    builder().build().unwrap()
}

/// A layer in all-routes mode.
pub fn covering() -> Idempotency {
    builder().all_routes().build().unwrap()
}

/// A marked handler that answers 201 with the number of the run and the body.
#[post("/charges")]
#[idempotent]
pub async fn charge(runs: Counter, body: Bytes) -> impl Responder {
    numbered(&runs, &body)
}

/// The same without the mark.
#[post("/plain")]
pub async fn plain(runs: Counter, body: Bytes) -> impl Responder {
    numbered(&runs, &body)
}

fn numbered(runs: &Counter, body: &[u8]) -> HttpResponse {
    let body = String::from_utf8_lossy(body);
    HttpResponse::Created().body(format!("{}:{body}", runs.next()))
}
