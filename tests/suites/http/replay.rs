//! Every retry gets the first answer: status, header lines and octets.

use actix_web::body::BoxBody;
use actix_web::http::header::HeaderValue;
use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, Bytes, ServiceConfig};
use actix_web::{HttpResponse, Responder, post};
use futures_util::stream;
use idempotency_actix::{IdempotencyBuilder, RouteOptions, idempotent};
use idempotency_actix_tests::app::{
    Counter, FaultyStore, Mode, Rig, Site, builder, charge, covering, marked,
};
use idempotency_actix_tests::{
    Client, Request, Response, assert_first, assert_problem, assert_replay,
};

const LARGE: usize = 10 * 1024 * 1024;

fn respond(case: &str, run: usize) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header(("x-run", run.to_string()));
    match case {
        "headers" => response
            .append_header(("x-line", "one"))
            .append_header(("link", "</a>; rel=a"))
            .append_header(("x-line", "two"))
            .append_header(("link", "</b>; rel=b"))
            .append_header(("x-line", "one"))
            .finish(),
        "latin-1" => response
            .append_header(("x-name", HeaderValue::from_bytes(b"caf\xe9").unwrap()))
            .finish(),
        "binary" => response.body((0..=255).collect::<Vec<u8>>()),
        "empty" => response.body(""),
        "bodiless" => response.finish(),
        "204" => response.status(StatusCode::NO_CONTENT).finish(),
        "304" => response
            .status(StatusCode::NOT_MODIFIED)
            .insert_header(("etag", "\"1\""))
            .finish(),
        "teapot" => response.status(StatusCode::IM_A_TEAPOT).body("short"),
        "unregistered" => response
            .status(StatusCode::from_u16(599).unwrap())
            .body("odd"),
        "large" => response.body(vec![b'x'; LARGE]),
        "chunked" => response.streaming(stream::iter(
            ["a", "bc", "def"].map(|chunk| Ok::<_, actix_web::Error>(Bytes::from(chunk))),
        )),
        "sized" => {
            let body = stream::iter(
                ["a", "bc"].map(|chunk| Ok::<_, actix_web::Error>(Bytes::from(chunk))),
            );
            response.body(BoxBody::new(actix_web::body::SizedStream::new(3, body)))
        }
        "hops" => response
            .append_header(("connection", "x-hop"))
            .append_header(("x-hop", "1"))
            .append_header(("keep-alive", "timeout=5"))
            .append_header(("proxy-authenticate", "Basic"))
            .append_header(("x-end", "1"))
            .finish(),
        "cookie" => response
            .append_header(("set-cookie", "session=1"))
            .append_header(("set-cookie", "theme=2"))
            .finish(),
        "dated" => response
            .append_header(("date", "Thu, 01 Jan 1970 00:00:00 GMT"))
            .append_header(("server", "first"))
            .finish(),
        "forged" => response
            .append_header(("idempotent-replayed", "false"))
            .finish(),
        other => panic!("no case {other}"),
    }
}

#[post("/marked/{case}")]
#[idempotent]
async fn of_marked(case: web::Path<String>, runs: Counter) -> HttpResponse {
    respond(&case, runs.next())
}

async fn of_covered(case: web::Path<String>, runs: Counter) -> HttpResponse {
    respond(&case, runs.next())
}

fn routes(config: &mut ServiceConfig) {
    config
        .service(charge)
        .service(of_marked)
        .route("/covered/{case}", web::post().to(of_covered));
}

/// The first answer and its replay, the same in both modes but for the clock.
#[track_caller]
fn answers(case: &str) -> (Response, Response) {
    let [marked, covered] = [(marked(), "marked"), (covering(), "covered")].map(|(layer, mode)| {
        let site = Site::new(layer, routes);
        let target = format!("/{mode}/{case}");
        let (first, retry) = site.twice(&Request::post(&target).key("k"));
        assert!(!first.is_replay() && retry.is_replay(), "{mode}");
        assert_eq!(site.runs.count(), 1, "{mode}");
        for answer in [&first, &retry] {
            assert_eq!(answer.lines("date").len(), 1, "{mode}: {answer:?}");
        }
        (first, retry)
    });
    assert_eq!(stripped(&marked.0), stripped(&covered.0));
    assert_eq!(stripped(&marked.1), stripped(&covered.1));
    marked
}

/// Without what may differ between two answers, in an order that can be compared.
fn stripped(answer: &Response) -> Response {
    let mut answer = answer.clone();
    let differs = ["date", "idempotent-replayed"];
    answer
        .headers
        .retain(|(name, _)| !differs.contains(&&**name));
    // actix-web writes the names in no order; of one name the lines keep theirs.
    answer.headers.sort_by(|(a, _), (b, _)| a.cmp(b));
    answer
}

#[track_caller]
fn assert_same(case: &str) -> Response {
    let (first, retry) = answers(case);
    assert_eq!(stripped(&first), stripped(&retry));
    retry
}

#[test]
fn header_lines_of_one_name_keep_order_and_number() {
    let retry = assert_same("headers");
    assert_eq!(retry.lines("x-line"), ["one", "two", "one"]);
    assert_eq!(retry.lines("link"), ["</a>; rel=a", "</b>; rel=b"]);
}

#[test]
fn a_latin_1_header_value_is_replayed() {
    assert_eq!(assert_same("latin-1").header("x-name"), Some("caf\u{e9}"));
}

#[test]
fn a_binary_body_is_replayed() {
    let all: Vec<u8> = (0..=255).collect();
    assert_eq!(assert_same("binary").body, all);
}

#[test]
fn an_empty_body_is_replayed() {
    let retry = assert_same("empty");
    assert_eq!(
        (retry.status, retry.header("content-length")),
        (200, Some("0"))
    );
}

#[test]
fn an_answer_without_body_is_replayed() {
    assert_eq!(assert_same("bodiless").body, b"");
}

#[test]
fn a_204_is_replayed() {
    let retry = assert_same("204");
    assert_eq!((retry.status, retry.header("content-length")), (204, None));
}

#[test]
fn a_304_is_replayed() {
    let retry = assert_same("304");
    assert_eq!((retry.status, retry.header("etag")), (304, Some("\"1\"")));
}

#[test]
fn an_unusual_status_is_replayed() {
    assert_eq!(assert_same("teapot").status, 418);
}

#[test]
fn an_unregistered_status_is_replayed() {
    assert_eq!(assert_same("unregistered").status, 599);
}

#[test]
fn a_replay_declares_its_length() {
    assert_eq!(assert_same("teapot").header("content-length"), Some("5"));
}

#[test]
fn a_chunked_answer_is_replayed_with_the_same_octets() {
    let (first, retry) = answers("chunked");
    assert_eq!(
        (first.body.as_slice(), retry.body.as_slice()),
        (&b"abcdef"[..], &b"abcdef"[..])
    );
    assert_eq!(first.header("transfer-encoding"), Some("chunked"));
    assert_eq!(retry.header("content-length"), Some("6"));
    assert_eq!(retry.header("transfer-encoding"), None);
}

#[test]
fn a_stream_of_declared_length_is_replayed() {
    let retry = assert_same("sized");
    assert_eq!(
        (retry.text().as_str(), retry.header("content-length")),
        ("abc", Some("3"))
    );
}

#[test]
fn fields_of_one_connection_are_not_replayed() {
    let (first, retry) = answers("hops");
    assert_eq!(first.header("x-hop"), Some("1"));
    for name in ["x-hop", "keep-alive", "proxy-authenticate"] {
        assert_eq!(retry.header(name), None, "{name}");
    }
    assert_ne!(retry.header("connection"), Some("x-hop"));
    assert_eq!(retry.header("x-end"), Some("1"));
}

#[test]
fn a_cookie_goes_to_the_first_client_only() {
    let (first, retry) = answers("cookie");
    assert_eq!(first.lines("set-cookie"), ["session=1", "theme=2"]);
    assert_eq!(retry.header("set-cookie"), None);
}

#[post("/remembered")]
#[idempotent(keep_cookies)]
async fn remembered() -> HttpResponse {
    respond("cookie", 1)
}

#[post("/forgotten")]
#[idempotent(keep_cookies = false)]
async fn forgotten() -> HttpResponse {
    respond("cookie", 1)
}

#[test]
fn a_cookie_is_replayed_where_the_application_asks_for_it() {
    let both = |config: &mut ServiceConfig| {
        config.service(remembered).service(forgotten);
    };
    let keeping = || builder().keep_cookies(true);
    let kept = |layer: IdempotencyBuilder, target| {
        let site = Site::new(layer.build().unwrap(), both);
        let (_, retry) = site.twice(&Request::post(target).key("k"));
        assert!(retry.is_replay());
        retry.lines("set-cookie") == ["session=1", "theme=2"]
    };
    assert!(kept(builder(), "/remembered"));
    assert!(kept(builder().all_routes(), "/remembered"));
    assert!(!kept(builder().all_routes(), "/forgotten"));
    assert!(!kept(keeping(), "/forgotten"));
    let entry = RouteOptions::new().keep_cookies(true);
    let table = |target| builder().all_routes().route(Method::POST, target, entry);
    let plain = |config: &mut ServiceConfig| {
        config.route("/covered/{case}", web::post().to(of_covered));
    };
    for layer in [table("/covered/{case}"), keeping().all_routes()] {
        let site = Site::new(layer.build().unwrap(), plain);
        let (_, retry) = site.twice(&Request::post("/covered/cookie").key("k"));
        assert_eq!(retry.lines("set-cookie"), ["session=1", "theme=2"]);
    }
}

#[test]
fn a_replay_has_the_date_of_the_replay() {
    let (first, retry) = answers("dated");
    let old = Some("Thu, 01 Jan 1970 00:00:00 GMT");
    assert_eq!(first.header("date"), old);
    assert_ne!(retry.header("date"), old);
    assert_eq!(retry.header("server"), None);
}

#[test]
fn a_handler_cannot_deny_that_an_answer_is_a_replay() {
    let (_, retry) = answers("forged");
    assert_eq!(retry.lines("idempotent-replayed"), ["true"]);
}

#[test]
fn a_large_answer_is_replayed_where_it_may_be_kept() {
    let layer = builder().max_response(LARGE).build().unwrap();
    let site = Site::new(layer, routes);
    let (first, retry) = site.twice(&Request::post("/marked/large").key("k"));
    assert_eq!(first.body.len(), LARGE);
    assert!(retry.is_replay() && first.body == retry.body);
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn a_retry_on_the_same_connection_is_replayed() {
    let site = Site::new(marked(), routes);
    let mut client = site.connect();
    let request = Request::post("/charges").key("k").body("x");
    for run in 0..3 {
        client.send(&request);
        let answer = client.receive();
        assert_eq!(
            (answer.text().as_str(), answer.is_replay()),
            ("1:x", run > 0)
        );
    }
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn pipelined_retries_run_once() {
    let site = Site::new(marked(), routes);
    let request = Request::post("/charges").key("k").body("x").bytes();
    let mut client = site.connect();
    client.write(&request.repeat(5));
    let answers: Vec<_> = (0..5).map(|_| client.receive()).collect();
    assert!(answers.iter().all(|answer| answer.text() == "1:x"));
    assert_eq!(answers.iter().filter(|a| a.is_replay()).count(), 4);
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn a_retry_while_the_first_one_runs_gets_409() {
    let rig = Rig::gated(Mode::Marked, FaultyStore::default());
    let mut first = rig.start("k");
    rig.assert_in_flight("k");
    rig.gate.open();
    assert_first(&first.receive(), 201, "run 1");
    assert_replay(&rig.send("k"), 201, "run 1");
    assert_eq!(rig.runs.count(), 1);
}

#[track_caller]
fn assert_fifty_run_once(site: &Site, target: &str) {
    let request = Request::post(target).key("k").body("x");
    let mut clients: Vec<_> = (0..50).map(|_| site.connect()).collect();
    let answers: Vec<Response> = std::thread::scope(|scope| {
        let send = |client: &mut Client| {
            client.send(&request);
            client.receive()
        };
        let threads: Vec<_> = clients
            .iter_mut()
            .map(|client| scope.spawn(move || send(client)))
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let first = answers.iter().filter(|a| a.status == 201 && !a.is_replay());
    assert_eq!(first.count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert_problem(answer, 409, "in-flight");
    }
    let told = answers.iter().filter(|answer| answer.status == 201);
    assert!(told.into_iter().all(|answer| answer.text() == "1:x"));
    assert_eq!(site.runs.count(), 1);
}

/// Gives the others time to arrive while it runs.
async fn unhurried(runs: Counter, body: String) -> impl Responder {
    let run = runs.next();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    HttpResponse::Created().body(format!("{run}:{body}"))
}

#[post("/marked-unhurried")]
#[idempotent]
async fn marked_unhurried(runs: Counter, body: String) -> impl Responder {
    unhurried(runs, body).await
}

#[test]
fn fifty_concurrent_duplicates_of_a_marked_handler_run_once() {
    let site = Site::new(marked(), |config: &mut ServiceConfig| {
        config.service(marked_unhurried);
    });
    assert_fifty_run_once(&site, "/marked-unhurried");
}

#[test]
fn fifty_concurrent_duplicates_of_a_covered_route_run_once() {
    let site = Site::new(covering(), |config: &mut ServiceConfig| {
        config.route("/unhurried", web::post().to(unhurried));
    });
    assert_fifty_run_once(&site, "/unhurried");
}
