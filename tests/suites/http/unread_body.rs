//! Refusals before a body is read: they arrive, and leave the connection in a state that both sides know.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use actix_web::middleware::Compress;
use actix_web::web::Bytes;
use actix_web::{App, HttpResponse, post, web};
use idempotency_actix::{Idempotency, IdempotencyBuilder, idempotent};
use idempotency_actix_tests::app::builder;
use idempotency_actix_tests::{Client, Request, Response, Server, assert_problem, serve};

/// More than is drained before a refusal, and less than the window of a stream.
const LONG: usize = 200_000;

/// What is drained before a refusal.
const SHORT: usize = 60_000;

#[post("/charges")]
#[idempotent]
async fn charge(_body: Bytes) -> HttpResponse {
    HttpResponse::Created().finish()
}

/// A server with a marked route and one in all-routes mode, which need a key and take a short body.
fn server() -> Server {
    fn built(options: impl FnOnce(IdempotencyBuilder) -> IdempotencyBuilder) -> Idempotency {
        let options = options(builder().required(true).max_body(1_000));
        options.build().unwrap()
    }
    let (marked, all) = (built(|it| it), built(IdempotencyBuilder::all_routes));
    serve(move || {
        App::new()
            .service(web::scope("/marked").wrap(marked.clone()).service(charge))
            .service(
                web::scope("/compressed")
                    .wrap(marked.clone())
                    .wrap(Compress::default())
                    .service(charge),
            )
            .service(web::scope("/all").wrap(all.clone()).route(
                "/charges",
                web::post().to(|_: Bytes| async { HttpResponse::Created().finish() }),
            ))
    })
}

const PATHS: [&str; 2] = ["/marked/charges", "/all/charges"];

/// The ways to be refused before the body is read, and what they are told.
const REFUSALS: [(Option<&str>, u16, &str); 3] = [
    (None, 400, "missing-key"),
    (Some("\"unclosed"), 400, "invalid-key"),
    (Some("k"), 413, "body-too-large"),
];

fn request(path: &str, key: Option<&str>) -> Request {
    let request = Request::post(path);
    match key {
        Some(key) => request.key(key),
        None => request,
    }
}

/// The answer to a request whose body is sent once the head of the answer is there, and whether all of the
/// body could be sent.
async fn send_after_head(
    addr: SocketAddr,
    path: &str,
    key: Option<&str>,
    body: Option<usize>,
) -> (Response, bool) {
    let socket = tokio::net::TcpStream::connect(addr).await.unwrap();
    let (requests, connection) = h2::client::handshake(socket).await.unwrap();
    tokio::spawn(connection);
    let mut requests = requests.ready().await.unwrap();
    let mut request = http::Request::post(format!("http://{addr}{path}"));
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    let declared = body.unwrap_or(LONG);
    let request = request.header("content-length", declared).body(()).unwrap();
    let (answer, mut stream) = requests.send_request(request, false).unwrap();
    let (head, mut rest) = answer.await.expect("a head").into_parts();
    let is_sent = match body {
        None => false,
        Some(length) => send_all(&mut stream, length).await.is_ok(),
    };
    let mut body = Vec::new();
    while let Some(chunk) = rest.data().await {
        body.extend(chunk.expect("an answer that is not cut off"));
    }
    let headers = head.headers.iter();
    let answer = Response {
        status: head.status.as_u16(),
        headers: headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect(),
        body,
    };
    (answer, is_sent)
}

async fn send_all(stream: &mut h2::SendStream<Bytes>, length: usize) -> Result<(), h2::Error> {
    let mut left = length;
    while left > 0 {
        stream.reserve_capacity(left.min(16_384));
        let room = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await;
        let room = room.unwrap_or_else(|| Err(h2::Reason::STREAM_CLOSED.into()))?;
        left -= room;
        stream.send_data(vec![b'x'; room].into(), left == 0)?;
    }
    Ok(())
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    runtime.block_on(future)
}

#[test]
fn a_refused_stream_of_http2_takes_its_body_and_is_not_reset() {
    let server = server();
    for path in PATHS {
        for (key, status, name) in REFUSALS {
            let sent = send_after_head(server.addr(), path, key, Some(LONG));
            let (answer, is_sent) = block_on(sent);
            assert_problem(&answer, status, name);
            assert!(is_sent, "{path} {name}: reset while it was sent");
        }
    }
}

/// The answer to a request whose body is sent at once, from a client that takes compressed answers.
async fn send_at_once(addr: SocketAddr, path: &str, key: Option<&str>) -> (u16, Vec<u8>) {
    let socket = tokio::net::TcpStream::connect(addr).await.unwrap();
    let (requests, connection) = h2::client::handshake(socket).await.unwrap();
    tokio::spawn(connection);
    let mut requests = requests.ready().await.unwrap();
    let mut request = http::Request::post(format!("http://{addr}{path}"));
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    let request = request.header("content-length", LONG);
    let request = request.header("accept-encoding", "gzip").body(()).unwrap();
    let (answer, mut stream) = requests.send_request(request, false).unwrap();
    let sent = send_all(&mut stream, LONG);
    let (sent, answer) = futures_util::future::join(sent, answer).await;
    sent.expect("a body that is not reset");
    let (head, mut rest) = answer.expect("a head").into_parts();
    let mut body = Vec::new();
    while let Some(chunk) = rest.data().await {
        body.extend(chunk.expect("an answer that is not cut off"));
    }
    assert_eq!(head.headers["content-encoding"], "gzip");
    (head.status.as_u16(), body)
}

#[test]
fn a_refusal_over_http2_that_is_compressed_outside_is_whole() {
    // What every stream of gzip ends with: its length, here without the upper octets.
    const END: [u8; 2] = [0, 0];
    let server = server();
    for (key, status, name) in REFUSALS {
        for _ in 0..10 {
            let sent = send_at_once(server.addr(), "/compressed/charges", key);
            let (given, body) = block_on(sent);
            assert_eq!(given, status, "{name}");
            assert!(body.starts_with(&[0x1f, 0x8b]) && body.ends_with(&END));
        }
    }
}

#[test]
fn a_body_of_http2_that_never_comes_is_not_waited_for() {
    let server = server();
    for path in PATHS {
        let start = Instant::now();
        let (answer, _) = block_on(send_after_head(server.addr(), path, None, None));
        assert_problem(&answer, 400, "missing-key");
        assert!(start.elapsed() < Duration::from_secs(15));
    }
}

#[test]
fn a_connection_goes_on_after_a_short_body_that_was_refused() {
    let server = server();
    for path in PATHS {
        let mut client = Client::connect(server.addr());
        let chunk = vec![b'x'; SHORT / 2];
        for (key, status, name) in REFUSALS {
            client.send(&request(path, key).body(vec![b'x'; SHORT]));
            let answer = client.receive();
            assert_problem(&answer, status, name);
            assert_eq!(answer.header("connection"), None, "{name}");
            client.send(&request(path, key).chunked(&[&chunk, &chunk]));
            let answer = client.receive();
            assert_problem(&answer, status, name);
            assert_eq!(answer.header("connection"), None, "{name}");
        }
        client.send(&request(path, Some("short")).body("1"));
        assert_eq!(client.receive().status, 201);
    }
}

#[test]
fn a_connection_is_closed_over_a_long_body_and_says_so() {
    let server = server();
    let chunk = vec![b'x'; LONG / 2];
    for path in PATHS {
        for (key, status, name) in REFUSALS {
            for request in [
                request(path, key).body(vec![b'x'; LONG]),
                request(path, key).chunked(&[&chunk, &chunk]),
            ] {
                let mut client = Client::connect(server.addr());
                client.send(&request);
                let answer = client.receive();
                assert_problem(&answer, status, name);
                assert_eq!(answer.header("connection"), Some("close"), "{name}");
                assert!(client.take(1).is_err(), "an end of the connection");
            }
        }
    }
}

#[test]
fn a_body_that_never_comes_is_not_waited_for() {
    let server = server();
    for path in PATHS {
        let mut client = Client::connect(server.addr());
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n");
        client.write(head.as_bytes());
        let answer = client.receive();
        assert_problem(&answer, 400, "missing-key");
        assert_eq!(answer.header("connection"), Some("close"));
    }
}
