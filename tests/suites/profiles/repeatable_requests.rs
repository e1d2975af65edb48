//! OASIS Repeatable Requests 1.0 (CS01), sections "Repeatability-Request-ID", "-First-Sent", "-Client-ID" and "-Result":
//! <https://docs.oasis-open.org/odata/repeatable-requests/v1.0/cs01/repeatable-requests-v1.0-cs01.html>. The statuses are those that
//! Azure Communication Services publishes for it, row by row:
//! <https://learn.microsoft.com/en-us/rest/api/communication/repeatable-requests>.

use std::time::{Duration, SystemTime};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue, HttpDate};
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, Error, HttpRequest, Responder, post};
use idempotency_actix::{Clock, Idempotency, KeyScope, MemoryStore, Outcome, idempotent};
use idempotency_actix_tests::Request;
use idempotency_actix_tests::app::{Gate, Site};

use crate::operation::{act, answered, waiting};

#[post("/emails:send")]
#[idempotent(
    key_header = "repeatability-request-id",
    key_format = "uuid",
    first_sent_header = "repeatability-first-sent",
    max_key_age = "5m",
    release_on = [401, 403, 425, 429, 500..=599]
)]
async fn send(request: HttpRequest) -> impl Responder {
    act(&request).await
}

/// A client that names itself, within who is signed in: here there is one such.
fn client(request: &HttpRequest) -> Option<String> {
    let Some(id) = request.headers().get("repeatability-client-id") else {
        return Some(String::from("the one account"));
    };
    Some(format!("the one account/{}", id.to_str().ok()?))
}

/// Tells by `Repeatability-Result` whether the server stands for one execution, and makes 400 of another request's id.
async fn result(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let mut response = next.call(request).await?;
    let outcome = response.response().extensions().get::<Outcome>().copied();
    let result = match outcome {
        None => return Ok(response),
        Some(Outcome::Rejected | Outcome::Mismatch | Outcome::Unknown) => "rejected",
        Some(_) => "accepted",
    };
    if outcome == Some(Outcome::Mismatch) {
        *response.response_mut().status_mut() = StatusCode::BAD_REQUEST;
    }
    let name = HeaderName::from_static("repeatability-result");
    let headers = response.headers_mut();
    headers.insert(name, HeaderValue::from_static(result));
    Ok(response)
}

struct World {
    site: Site,
    gate: Gate,
    clock: Clock,
}

fn world() -> World {
    let clock = Clock::manual();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let layer = Idempotency::builder(store, KeyScope::by(client)).clock(clock.clone());
    let layer = layer.build().expect("options that can hold");
    let gate = Gate::closed();
    let shared = gate.clone();
    let site = Site::serve(move |runs| {
        let app = App::new().app_data(runs).app_data(shared.clone());
        app.service(send).wrap(layer.clone()).wrap(from_fn(result))
    });
    World { site, gate, clock }
}

const ID: &str = "d3f0b5a2-7c1e-4b7e-9a4d-2f6c1e8b5a90";

fn with(id: &str, first_sent: &str) -> Request {
    Request::post("/emails:send")
        .header("Repeatability-Request-ID", id)
        .header("Repeatability-First-Sent", first_sent)
}

fn date(time: SystemTime) -> String {
    HttpDate::from(time).to_string()
}

impl World {
    fn request(&self) -> Request {
        with(ID, &date(self.clock.time_of_day()))
    }

    #[track_caller]
    fn assert(&self, request: Request, status: u16, result: Option<&str>) {
        let answer = self.site.send(request);
        let told = answer.header("repeatability-result");
        assert_eq!((answer.status, told), (status, result), "{answer:?}");
    }
}

const ACCEPTED: Option<&str> = Some("accepted");
const REJECTED: Option<&str> = Some("rejected");

#[test]
fn an_id_or_a_date_of_another_form_is_400_and_rejected() {
    let world = world();
    let valid = date(world.clock.time_of_day());
    for (id, first_sent) in [
        (ID, "yesterday"),
        ("seven", &*valid),
        ("seven", "yesterday"),
    ] {
        world.assert(with(id, first_sent), 400, REJECTED);
    }
    let alone = Request::post("/emails:send").header("Repeatability-Request-ID", ID);
    world.assert(alone, 400, REJECTED);
    assert_eq!(world.site.runs.count(), 0);
}

/// The window is 5 minutes longer, for clocks that differ.
#[test]
fn a_first_try_outside_of_the_tracked_time_is_412_and_rejected() {
    let world = world();
    let request = world.request();
    world.assert(request.clone(), 201, ACCEPTED);
    world.clock.advance(Duration::from_secs(602));
    world.assert(request, 412, REJECTED);
    assert_eq!(world.site.runs.count(), 1);
}

#[test]
fn a_new_request_has_its_own_status_and_is_accepted() {
    for status in [200, 202, 404, 500] {
        let world = world();
        world.assert(answered(world.request(), status), status, ACCEPTED);
    }
}

#[test]
fn a_repeated_request_that_does_not_match_is_400_and_rejected() {
    let world = world();
    let request = world.request();
    world.assert(request.clone(), 201, ACCEPTED);
    world.assert(request.body("another"), 400, REJECTED);
    let other_time = world.clock.time_of_day() + Duration::from_secs(1);
    world.assert(with(ID, &date(other_time)), 400, REJECTED);
    assert_eq!(world.site.runs.count(), 1);
}

#[test]
fn a_repeated_request_beside_the_first_is_409_and_accepted() {
    let world = world();
    let mut first = world.site.connect();
    first.send(&waiting(world.request()));
    world.gate.wait();
    world.assert(world.request(), 409, ACCEPTED);
    world.gate.open();
    assert_eq!(first.receive().status, 201);
}

#[test]
fn a_repeated_request_gets_a_2xx_or_4xx_again() {
    for status in [200, 404] {
        let world = world();
        let request = answered(world.request(), status);
        world.assert(request.clone(), status, ACCEPTED);
        world.assert(request, status, ACCEPTED);
        assert_eq!(world.site.runs.count(), 1);
    }
}

#[test]
fn a_repeated_request_after_a_5xx_is_executed_again() {
    let world = world();
    let request = world.request();
    world.assert(answered(request.clone(), 503), 503, ACCEPTED);
    world.assert(request, 201, ACCEPTED);
    assert_eq!(world.site.runs.count(), 2);
}

#[test]
fn two_clients_that_name_themselves_have_ids_of_their_own() {
    let world = world();
    for client in ["one", "two"] {
        let request = world.request().header("Repeatability-Client-ID", client);
        world.assert(request, 201, ACCEPTED);
    }
    assert_eq!(world.site.runs.count(), 2);
}

#[test]
fn a_request_that_is_not_repeatable_is_told_no_result() {
    let world = world();
    world.assert(Request::post("/emails:send"), 201, None);
    world.assert(Request::post("/emails:send"), 201, None);
    assert_eq!(world.site.runs.count(), 2);
}
