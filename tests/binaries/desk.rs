//! An application with a page for operators, on a SQLite file: `desk <file>`.
//!
//! It tells its address on its output, and then each run that has started, so that a test can kill it there.

use std::env;
use std::io::{self, Write};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, guard, post, web};
use idempotency_actix::store::Store;
use idempotency_actix::{Idempotency, KeyScope, idempotent};
use idempotency_actix_sqlx::SqliteStore;
use idempotency_actix_sqlx::sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

/// Short enough that a test may wait for a dead owner's.
const LEASE: Duration = Duration::from_secs(1);

fn header<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}

#[post("/accounts/{account}/charges")]
#[idempotent(required)]
async fn charge(request: HttpRequest) -> HttpResponse {
    println!("started");
    let pause = header(&request, "x-pause-ms").and_then(|pause| pause.parse().ok());
    actix_web::rt::time::sleep(Duration::from_millis(pause.unwrap_or(0))).await;
    HttpResponse::build(StatusCode::CREATED).body("ran")
}

async fn serve(store: impl Store) -> io::Result<()> {
    let layer = Idempotency::builder(store, KeyScope::header("x-account"))
        .lease(LEASE)
        .operator_label(|request| Some(format!("order {}", header(request, "x-order")?)));
    let layer = layer.build().expect("options that can hold");
    let server = HttpServer::new(move || {
        let is_near = guard::fn_guard(|ctx| {
            let peer = ctx.head().peer_addr;
            peer.is_some_and(|peer| peer.ip().is_loopback())
        });
        let page = layer.operator_page(is_near);
        App::new()
            .wrap(layer.clone())
            .service(charge)
            .service(web::scope("/ops/idempotency").service(page))
    });
    let server = server.workers(2).bind(("127.0.0.1", 0))?;
    println!("{}", server.addrs()[0]);
    io::stdout().flush()?;
    server.run().await
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let file = env::args().nth(1).expect("desk <file>");
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true);
    let store = SqliteStore::new(SqlitePoolOptions::new().connect_lazy_with(options));
    store.migrate().await.expect("a table");
    serve(store).await
}
