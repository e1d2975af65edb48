//! The span of a request goes on after its connection. It has a process of its own, since a subscriber is
//! global.

use std::sync::mpsc::{Sender, channel};

use actix_web::dev::Service;
use actix_web::{App, Responder, post, web};
use idempotency_actix::{Idempotency, KeyScope, MemoryStore, idempotent};
use idempotency_actix_tests::{Request, serve};
use tokio::sync::Notify;
use tracing::{Instrument, Span, info_span};

struct Site {
    started: Sender<()>,
    gate: Notify,
    ended_in: Sender<Option<&'static str>>,
}

impl Site {
    async fn run(&self) -> &'static str {
        self.started.send(()).unwrap();
        self.gate.notified().await;
        let span = Span::current().metadata().map(|span| span.name());
        self.ended_in.send(span).unwrap();
        "done"
    }
}

#[post("/marked")]
#[idempotent]
async fn marked(site: web::Data<Site>) -> impl Responder {
    site.run().await
}

#[post("/unmarked")]
async fn unmarked(site: web::Data<Site>) -> impl Responder {
    site.run().await
}

/// Tells that the connection has dropped its request.
struct Left(Sender<()>);

impl Drop for Left {
    fn drop(&mut self) {
        self.0.send(()).ok();
    }
}

/// The span in which a run ends whose client has left. A middleware has instrumented its future.
fn span_of_a_departed_request(layer: Idempotency, target: &str) -> Option<&'static str> {
    _ = tracing::subscriber::set_global_default(tracing_subscriber::registry());
    let ((started, start), (ended_in, end), (leaves, left)) = (channel(), channel(), channel());
    let gate = Notify::new();
    let site = web::Data::new(Site {
        started,
        gate,
        ended_in,
    });
    let shared = site.clone();
    let server = serve(move || {
        let leaves = leaves.clone();
        App::new()
            .app_data(shared.clone())
            .wrap(layer.clone())
            .wrap_fn(move |request, service| {
                let (call, left) = (service.call(request), Left(leaves.clone()));
                async move {
                    let _left = left;
                    call.instrument(info_span!("request")).await
                }
            })
            .service(marked)
            .service(unmarked)
    });
    let mut client = server.connect();
    client.send(&Request::post(target).key("k"));
    start.recv().unwrap();
    client.reset();
    left.recv().unwrap();
    site.gate.notify_one();
    let span = end.recv().unwrap();
    assert!(start.try_recv().is_err(), "a second run");
    span
}

#[test]
fn a_marked_handler_ends_in_the_span_of_its_request() {
    let layer = Idempotency::new(MemoryStore::new(), KeyScope::everyone());
    let span = span_of_a_departed_request(layer, "/marked");
    assert_eq!(span, Some("request"));
}

#[test]
fn an_unmarked_handler_ends_in_the_span_of_its_request() {
    let layer = Idempotency::builder(MemoryStore::new(), KeyScope::everyone());
    let layer = layer.all_routes().build().unwrap();
    let span = span_of_a_departed_request(layer, "/unmarked");
    assert_eq!(span, Some("request"));
}
