//! What every profile runs: an operation that does as its request says.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use idempotency_actix_tests::Request;
use idempotency_actix_tests::app::{Counter, Gate};

/// Counts its runs, waits at the gate where the request says so, and answers with the status that it asks for, or 201.
pub(crate) async fn act(request: &HttpRequest) -> HttpResponse {
    let runs = request.app_data::<Counter>().expect("a counter").next();
    let asked = |name: &str| {
        let value = request.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    if asked("x-waits").is_some() {
        let gate = request.app_data::<Gate>().expect("a gate").clone();
        gate.pass().await;
    }
    let status = asked("x-status").and_then(|status| status.parse::<u16>().ok());
    let status = StatusCode::from_u16(status.unwrap_or(201)).expect("a status");
    HttpResponse::build(status).body(format!("run {runs}"))
}

/// Asks for a status. No fingerprint counts it.
pub(crate) fn answered(request: Request, status: u16) -> Request {
    request.header("X-Status", &status.to_string())
}

/// Asks it to wait at the gate.
pub(crate) fn waiting(request: Request) -> Request {
    request.header("X-Waits", "1")
}
