//! The outcome as fields of a request's root span, by tracing-actix-web. It has a process of its own, since a subscriber is
//! global.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::{App, Error, Responder, post};
use idempotency_actix::{Idempotency, KeyScope, MemoryStore, idempotent};
use idempotency_actix_tests::app::{Counter, Gate};
use idempotency_actix_tests::{Request, eventually, serve};
use tracing::field::{Empty, Field, Visit};
use tracing::span::{Id, Record};
use tracing::{Span, Subscriber};
use tracing_actix_web::{RootSpanBuilder, TracingLogger, root_span};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{Layer, registry};

/// The fields of all spans, by the span's number.
static FIELDS: Mutex<BTreeMap<u64, BTreeMap<&str, String>>> = Mutex::new(BTreeMap::new());

struct Fields;

impl<S: Subscriber> Layer<S> for Fields {
    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut all = FIELDS.lock().unwrap();
        values.record(&mut Own(all.entry(id.into_u64()).or_default()));
    }
}

struct Own<'a>(&'a mut BTreeMap<&'static str, String>);

impl Visit for Own<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

struct Root;

impl RootSpanBuilder for Root {
    fn on_request_start(request: &ServiceRequest) -> Span {
        root_span!(
            request,
            idempotency.outcome = Empty,
            idempotency.problem = Empty,
            idempotency.route = Empty,
            idempotency.record = Empty,
            idempotency.generation = Empty,
            idempotency.ran_ms = Empty,
            idempotency.age_ms = Empty
        )
    }

    fn on_request_end<B: MessageBody>(_: Span, _: &Result<ServiceResponse<B>, Error>) {}
}

#[post("/charges/{id}")]
#[idempotent]
async fn charge(runs: Counter, gate: Gate) -> impl Responder {
    runs.next();
    gate.pass().await;
    "done"
}

/// The fields of the spans that tell of an outcome, in the order of their requests.
fn told() -> Vec<BTreeMap<&'static str, String>> {
    let all = FIELDS.lock().unwrap();
    let told = all
        .values()
        .filter(|fields| fields.contains_key("idempotency.outcome"));
    told.cloned().collect()
}

#[test]
fn the_root_span_of_a_request_tells_its_outcome_also_where_its_client_has_left() {
    tracing::subscriber::set_global_default(registry().with(Fields)).expect("no other subscriber");
    let layer = Idempotency::new(MemoryStore::new(), KeyScope::everyone());
    let (runs, gate) = (Counter::default(), Gate::closed());
    let (inner, shared, of_site) = (runs.clone(), gate.clone(), layer.clone());
    let server = serve(move || {
        App::new()
            .app_data(inner.clone())
            .app_data(shared.clone())
            .wrap(of_site.clone())
            .wrap(TracingLogger::<Root>::new())
            .service(charge)
    });
    let request = Request::post("/charges/7").key("k").body("100 EUR");
    let mut client = server.connect();
    client.send(&request);
    runs.wait_for(1);
    client.reset();
    eventually("a detached run", || layer.in_flight().detached == 1);
    gate.open();
    eventually("an outcome", || told().len() == 1);
    assert!(server.send(request.clone()).is_replay());
    assert_eq!(server.send(request.body("200 EUR")).status, 422);

    let told = told();
    let field = |request: usize, name: &str| {
        let name = format!("idempotency.{name}");
        told[request]
            .get(&*name)
            .map(|value| value.trim_matches('"').to_owned())
    };
    let outcomes = [0, 1, 2].map(|request| field(request, "outcome").expect("an outcome"));
    assert_eq!(outcomes, ["first", "replayed", "mismatch"]);
    for request in 0..3 {
        assert_eq!(field(request, "route").as_deref(), Some("/charges/{id}"));
        assert_eq!(field(request, "record"), field(0, "record"));
    }
    assert_eq!(field(0, "generation").as_deref(), Some("1"));
    assert!(field(0, "ran_ms").is_some() && field(0, "age_ms").is_none());
    assert!(field(1, "ran_ms").is_none() && field(1, "age_ms").is_some());
    assert_eq!(field(2, "problem").as_deref(), Some("key-reused"));
}
