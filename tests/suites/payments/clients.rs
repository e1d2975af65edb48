//! The service behind the page, as its other clients and its operator find it.

use actix_web::http::Method;
use idempotency_actix_tests::{Client, Request, eventually};

use crate::service::Service;

fn charge(source: &str) -> Request {
    let order = format!(r#"{{"amount_cents":1250,"currency":"EUR","source":"{source}"}}"#);
    Request::post("/charges")
        .header("x-api-key", "demo-key-1")
        .header("content-type", "application/json")
        .key("secret-key")
        .body(order)
}

#[test]
fn a_retry_is_replayed_and_the_log_tells_both_without_the_key() {
    let mut service = Service::start(&[]);
    let first = service.send(charge("tok_visa"));
    let retry = service.send(charge("tok_visa"));
    assert_eq!((first.status, first.text()), (201, retry.text()));
    assert!(retry.is_replay() && !first.is_replay());
    let lines = [(); 3].map(|()| {
        loop {
            let line = service.program.line();
            if line.starts_with("ran: ") || line.starts_with("POST ") {
                break line;
            }
        }
    });
    assert_eq!(lines[0], "ran: ch_1, 1250 cents of EUR, tok_visa");
    assert!(lines[1].starts_with("POST /charges: 201 first, "));
    assert!(lines[2].starts_with("POST /charges: 201 replayed, "));
}

#[test]
fn a_charge_whose_client_has_left_is_finished_before_the_end() {
    let mut service = Service::start(&[]);
    let client = service.ask(charge("tok_slow_answer"));
    service.program.line_with("ran: ch_1");
    client.reset();
    service
        .program
        .line_with("POST /charges: the client has left");
    service.program.process.terminate();
    service.program.line_with("1 finished, 0 given up");
    eventually("the end", || service.program.process.status().is_some());
    let status = service.program.process.status().expect("a status");
    assert!(status.success(), "{status}");
}

#[test]
fn a_killed_service_comes_back_where_it_was() {
    let mut service = Service::start(&[]);
    service.send(charge("tok_visa"));
    let kill = Request::post("/kill");
    assert_eq!(service.send(kill.clone()).status, 401);
    drop(service.ask(kill.header("x-api-key", "demo-key-1")));
    service.program.line_with("The service has died: ");
    let list = Request::new(Method::GET, "/charges").header("x-api-key", "demo-key-1");
    eventually("a service", || Client::try_connect(service.addr).is_ok());
    assert!(service.send(list).text().contains("ch_1"));
}

#[test]
fn metrics_are_served_where_they_are_asked_for() {
    let metrics = || Request::new(Method::GET, "/metrics");
    assert_eq!(Service::start(&[]).send(metrics()).status, 404);
    let service = Service::start(&["--metrics"]);
    service.send(charge("tok_visa"));
    let metrics = service.send(metrics()).text();
    let counted = "idempotency_run_duration_seconds_count{route=\"/charges\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
}
