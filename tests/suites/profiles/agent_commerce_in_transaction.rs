//! The Agentic Commerce Protocol of 2026-04-17, rfc.agentic_checkout.md, sections 6.5 and 6.8: no 5xx is kept, and operation and key
//! commit in one transaction.
//! <https://github.com/agentic-commerce-protocol/agentic-commerce-protocol>

use actix_web::error::ErrorBadGateway;
use actix_web::{App, HttpRequest, HttpResponse, Responder, post};
use idempotency_actix::{Idempotency, KeyScope, idempotent};
use idempotency_actix_sqlx::sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use idempotency_actix_sqlx::sqlx::{self, SqlitePool};
use idempotency_actix_sqlx::{SqlError, SqliteStore, SqliteTx};
use idempotency_actix_tests::app::{Counter, Site};
use idempotency_actix_tests::{Request, assert_first, assert_replay};
use tempfile::TempDir;

use crate::agent_commerce::flat;

/// Writes an order, and then fails as it is told to.
#[post("/checkout_sessions/cs_1/complete")]
#[idempotent(required, ttl = "24h", fingerprint = "json")]
async fn complete(
    mut tx: SqliteTx,
    request: HttpRequest,
    runs: Counter,
) -> Result<impl Responder, SqlError> {
    let run = runs.next();
    sqlx::query("INSERT INTO orders DEFAULT VALUES")
        .execute(&mut *tx)
        .await?;
    let fails = request.headers().get("x-fails");
    match fails.map(|how| how.as_bytes()) {
        Some(b"panic") => panic!("the test says so"),
        Some(_) => Err(SqlError::own(ErrorBadGateway("the processor is away"))),
        None => Ok(HttpResponse::Ok().body(format!("run {run}"))),
    }
}

struct World {
    site: Site,
    options: SqliteConnectOptions,
    _folder: TempDir,
}

fn now<T>(future: impl Future<Output = T>) -> T {
    actix_web::rt::System::new().block_on(future)
}

fn pool(options: &SqliteConnectOptions) -> SqlitePool {
    SqlitePoolOptions::new().connect_lazy_with(options.clone())
}

impl World {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("shop.db"))
            .create_if_missing(true);
        let store = now(async {
            let pool = pool(&options);
            let table = "CREATE TABLE orders (id INTEGER PRIMARY KEY)";
            sqlx::query(table).execute(&pool).await.expect("a table");
            let store = SqliteStore::builder(pool).build().expect("options");
            store.migrate().await.expect("a table");
            store
        });
        let layer = Idempotency::builder(store, KeyScope::everyone())
            .problem_response(flat)
            .build()
            .expect("options that can hold");
        let site = Site::serve(move |runs| {
            let app = App::new().app_data(runs);
            app.wrap(layer.clone()).service(complete)
        });
        Self {
            site,
            options,
            _folder: folder,
        }
    }

    fn orders(&self) -> i64 {
        now(async {
            let count = sqlx::query_scalar("SELECT count(*) FROM orders");
            count
                .fetch_one(&pool(&self.options))
                .await
                .expect("a count")
        })
    }
}

fn request() -> Request {
    Request::post("/checkout_sessions/cs_1/complete").key("k")
}

#[test]
fn what_fails_or_panics_leaves_nothing_and_is_a_fresh_request() {
    for (fails, status) in [("away", 502), ("panic", 500)] {
        let world = World::new();
        let failed = world.site.send(request().header("X-Fails", fails));
        assert_eq!((failed.status, failed.is_replay()), (status, false));
        assert_eq!(world.orders(), 0, "{fails}");
        assert_first(&world.site.send(request()), 200, "run 2");
        assert_replay(&world.site.send(request()), 200, "run 2");
        assert_eq!(world.orders(), 1, "{fails}");
    }
}
