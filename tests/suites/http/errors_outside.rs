//! Answers that leave an all-routes layer as an error: what is around the layer sees their replay alike.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::{ErrorBadGateway, InternalError};
use actix_web::http::StatusCode;
use actix_web::middleware::{
    Compress, DefaultHeaders, ErrorHandlerResponse, ErrorHandlers, Next, from_fn,
};
use actix_web::{App, Error, HttpResponse, web};
use idempotency_actix_tests::app::{Counter, Site, covering};
use idempotency_actix_tests::{Request, Response};

async fn failing(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let is_long = request.headers().contains_key("x-long");
    let response = next.call(request).await?;
    match response.status() {
        StatusCode::OK if is_long => {
            let answer = HttpResponse::BadGateway().body("too bad ".repeat(1_000));
            Err(InternalError::from_response("after the handler", answer).into())
        }
        StatusCode::OK => Err(ErrorBadGateway("after the handler")),
        _ => Ok(response),
    }
}

/// An all-routes layer around a middleware that fails, with three around it that change answers.
fn site() -> Site {
    let layer = covering();
    Site::serve(move |runs| {
        App::new()
            .app_data(runs)
            .wrap(from_fn(failing))
            .wrap(layer.clone())
            .wrap(DefaultHeaders::new().add(("x-outer", "1")))
            .wrap(ErrorHandlers::new().default_handler(|mut response| {
                let seen = actix_web::http::header::HeaderValue::from_static("seen");
                response.headers_mut().insert(
                    actix_web::http::header::HeaderName::from_static("x-error"),
                    seen,
                );
                Ok(ErrorHandlerResponse::Response(
                    response.map_into_left_body(),
                ))
            }))
            .wrap(Compress::default())
            .route("/fails", web::post().to(ran))
            .route("/panics", web::post().to(panics))
            .route("/answers", web::post().to(answers))
    })
}

async fn ran(runs: Counter) -> HttpResponse {
    runs.next();
    HttpResponse::Ok().finish()
}

async fn answers(runs: Counter) -> HttpResponse {
    runs.next();
    HttpResponse::ImATeapot().body("an answer ".repeat(1_000))
}

async fn panics(runs: Counter) -> HttpResponse {
    runs.next();
    panic!("after the effect")
}

fn lines(answer: &Response) -> Vec<(String, String)> {
    let own = ["idempotent-replayed", "date"];
    let lines = answer
        .headers
        .iter()
        .filter(|(name, _)| !own.contains(&&**name));
    let mut lines: Vec<_> = lines.cloned().collect();
    lines.sort();
    lines
}

#[track_caller]
fn assert_alike(site: &Site, request: Request, is_seen_outside: bool) {
    let request = request.key("k").header("Accept-Encoding", "gzip");
    let (first, retry) = site.twice(&request);
    assert!(retry.is_replay(), "{retry:?}");
    assert_eq!(lines(&retry), lines(&first));
    assert_eq!((retry.status, &retry.body), (first.status, &first.body));
    assert_eq!(retry.header("x-outer").is_some(), is_seen_outside);
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn an_error_of_inner_middleware_comes_out_alike() {
    assert_alike(&site(), Request::post("/fails"), false);
}

#[test]
fn a_long_error_of_inner_middleware_comes_out_alike() {
    assert_alike(
        &site(),
        Request::post("/fails").header("x-long", "1"),
        false,
    );
}

#[test]
fn a_panic_comes_out_alike() {
    assert_alike(&site(), Request::post("/panics"), false);
}

#[test]
fn an_answer_that_is_no_error_is_seen_outside() {
    assert_alike(&site(), Request::post("/answers"), true);
}
