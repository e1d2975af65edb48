//! The application of these tests: a handler that writes a charge in its transaction, and then does what its request says.

use std::any::Any;
use std::cell::RefCell;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use idempotency_actix_tests::app::Site;
use idempotency_actix_tests::{Client, Request, Response};

/// The table that the effects are rows of.
#[derive(Clone)]
pub struct Charges(pub String);

/// What a request asks of the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Answer,
    WaitAtGate,
    Panic,
    NotExecuted,
    Commit,
    Large,
    Stream,
    Keep,
    PassOver,
    Execute,
    Undone,
    Nest,
    Leave,
}

pub const ACTS: [(&str, Act); 13] = [
    ("answer", Act::Answer),
    ("wait", Act::WaitAtGate),
    ("panic", Act::Panic),
    ("not-executed", Act::NotExecuted),
    ("commit", Act::Commit),
    ("large", Act::Large),
    ("stream", Act::Stream),
    ("keep", Act::Keep),
    ("pass-over", Act::PassOver),
    ("execute", Act::Execute),
    ("undone", Act::Undone),
    ("nest", Act::Nest),
    ("leave", Act::Leave),
];

pub fn header<'a>(request: &'a HttpRequest, name: &str) -> &'a str {
    let value = request.headers().get(name);
    value.and_then(|value| value.to_str().ok()).unwrap_or("")
}

pub fn act(request: &HttpRequest) -> Act {
    let asked = header(request, "x-act");
    let act = ACTS.iter().find(|(name, _)| *name == asked);
    act.map_or(Act::Answer, |(_, act)| *act)
}

pub fn status(request: &HttpRequest) -> StatusCode {
    let status = header(request, "x-status");
    StatusCode::from_bytes(status.as_bytes()).unwrap_or(StatusCode::CREATED)
}

/// What the row trips over, in runs up to that one.
pub fn trap(request: &HttpRequest, run: usize) -> String {
    let until = header(request, "x-until").parse().unwrap_or(usize::MAX);
    match run <= until {
        true => header(request, "x-trap").to_owned(),
        false => String::new(),
    }
}

pub fn until(request: &HttpRequest) -> usize {
    header(request, "x-until").parse().unwrap_or(usize::MAX)
}

thread_local! {
    /// What handlers have kept, until their worker ends.
    static KEPT: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
}

pub fn keep(kept: impl Any) {
    KEPT.with_borrow_mut(|all| all.push(Box::new(kept)));
}

/// Lets all of it go, on the worker that keeps it.
pub fn let_go() {
    let kept = KEPT.with_borrow_mut(std::mem::take);
    drop(kept);
}

/// A handler that takes this type of transaction, in a module.
macro_rules! bank {
    ($module:ident, $tx:ty, $failing:literal, $undone:path) => {
        pub mod $module {
            use std::mem;

            use actix_web::body::MessageBody;
            use actix_web::dev::{ServiceRequest, ServiceResponse};
            use actix_web::http::StatusCode;
            use actix_web::middleware::{Next, from_fn};
            use actix_web::web::{Bytes, Data, ServiceConfig, post as by_post, resource, scope};
            use actix_web::{Error, HttpRequest, HttpResponse, Responder, post};
            use futures_util::stream;
            use idempotency_actix::{Commit, Idempotency, NotExecuted, idempotent};
            use idempotency_actix_sqlx::SqlError;
            use idempotency_actix_sqlx::sqlx::{AssertSqlSafe, Connection, Executor, raw_sql};
            use idempotency_actix_tests::app::{Counter, Gate};

            use $crate::transactions::bank::{
                Act, Charges, act, header, keep, let_go, status, trap, until,
            };

            async fn charge(
                mut tx: $tx,
                request: HttpRequest,
                runs: Counter,
                gate: Gate,
                charges: Data<Charges>,
            ) -> Result<HttpResponse, SqlError> {
                let run = runs.next();
                let (table, key) = (&charges.0, header(&request, "x-note"));
                let trap = trap(&request, run);
                let insert = |note: &str| {
                    let values = format!("'{note}', {run}, '{trap}'");
                    let insert = format!("INSERT INTO {table} (note, run, trap) VALUES ({values})");
                    raw_sql(AssertSqlSafe(insert))
                };
                tx.execute(insert(key)).await?;
                let body = format!("run {run}");
                let mut answer = HttpResponse::build(status(&request));
                match act(&request) {
                    Act::Answer => {}
                    Act::WaitAtGate => gate.pass().await,
                    Act::Panic => panic!("as asked"),
                    Act::NotExecuted => {
                        return Ok(NotExecuted(answer.body(body)).respond_to(&request));
                    }
                    Act::Commit => return Ok(Commit(answer.body(body)).respond_to(&request)),
                    Act::Large => return Ok(answer.body("x".repeat(5_000))),
                    Act::Stream => {
                        let chunks =
                            ["run ", &run.to_string()].map(|it| Bytes::from(it.to_owned()));
                        let chunks = chunks.map(Ok::<_, actix_web::Error>);
                        return Ok(answer.streaming(stream::iter(chunks)));
                    }
                    Act::Keep => keep(tx),
                    Act::PassOver => {
                        let failed = tx.execute(raw_sql($failing)).await;
                        assert!(failed.is_err());
                    }
                    Act::Execute => {
                        let sql = header(&request, "x-sql").to_owned();
                        tx.execute(raw_sql(AssertSqlSafe(sql))).await?;
                    }
                    Act::Undone if run <= until(&request) => {
                        $undone(&mut tx).await?;
                    }
                    Act::Undone => {}
                    Act::Nest => {
                        let mut kept = tx.begin().await?;
                        kept.execute(insert("kept")).await?;
                        kept.commit().await?;
                        let mut undone = tx.begin().await?;
                        undone.execute(insert("undone")).await?;
                        undone.rollback().await?;
                    }
                    Act::Leave => {
                        let mut left = tx.begin().await?;
                        left.execute(insert("left")).await?;
                        mem::forget(left);
                    }
                }
                Ok(answer.body(body))
            }

            #[post("/charges")]
            #[idempotent]
            async fn take_charge(
                tx: $tx,
                request: HttpRequest,
                runs: Counter,
                gate: Gate,
                charges: Data<Charges>,
            ) -> Result<HttpResponse, SqlError> {
                charge(tx, request, runs, gate, charges).await
            }

            #[post("/once")]
            #[idempotent(transaction = "serializable", transaction_runs = 1)]
            async fn once(
                tx: $tx,
                request: HttpRequest,
                runs: Counter,
                gate: Gate,
                charges: Data<Charges>,
            ) -> Result<HttpResponse, SqlError> {
                charge(tx, request, runs, gate, charges).await
            }

            #[post("/let-go")]
            async fn forget() -> HttpResponse {
                let_go();
                HttpResponse::Ok().finish()
            }

            #[idempotent(lease = "1m")]
            async fn leased(_: $tx) -> HttpResponse {
                HttpResponse::Created().finish()
            }

            #[idempotent]
            async fn two(_: $tx, _: $tx) -> HttpResponse {
                HttpResponse::Created().finish()
            }

            async fn unmarked(_: $tx) -> HttpResponse {
                HttpResponse::Created().finish()
            }

            /// Between layer and handler: the status that a request asks for comes out instead.
            async fn turn(
                request: ServiceRequest,
                next: Next<impl MessageBody>,
            ) -> Result<ServiceResponse<impl MessageBody>, Error> {
                let turned = header(request.request(), "x-turned").parse().ok();
                let mut response = next.call(request).await?;
                if let Some(turned) = turned.and_then(|it| StatusCode::from_u16(it).ok()) {
                    *response.response_mut().status_mut() = turned;
                }
                Ok(response)
            }

            /// The routes inside of these layers: one for retries that wait, one for callers with one operation at a time.
            pub fn scopes(config: &mut ServiceConfig, [here, waiting, single]: [Idempotency; 3]) {
                let inside = |path: &str| scope(path).wrap(from_fn(turn)).configure(routes);
                config
                    .service(inside("/waiting").wrap(waiting))
                    .service(inside("/single").wrap(single))
                    .service(inside("").wrap(here));
            }

            pub fn routes(config: &mut ServiceConfig) {
                config
                    .service(take_charge)
                    .service(once)
                    .service(forget)
                    .service(resource("/leased").route(by_post().to(leased)))
                    .service(resource("/two").route(by_post().to(two)))
                    .service(resource("/unmarked").route(by_post().to(unmarked)));
            }
        }
    };
}

/// A running bank, whatever its database.
pub struct Bank {
    pub site: Site,
    pub gate: idempotency_actix_tests::app::Gate,
    /// The one whose retries do not wait.
    pub layer: idempotency_actix::Idempotency,
    pub counted: Box<dyn Fn(&str) -> i64>,
    pub records: Box<dyn Fn() -> i64>,
}

/// The request of most tests.
pub fn request(key: &str) -> Request {
    Request::post("/charges").key(key).header("x-note", key)
}

pub fn asking(key: &str, act: &str) -> Request {
    request(key).header("x-act", act)
}

impl Bank {
    pub fn send(&self, request: &Request) -> Response {
        self.site.send(request.clone())
    }

    /// How many effects there are under that key.
    pub fn effects(&self, key: &str) -> i64 {
        (self.counted)(key)
    }

    pub fn ask(&self, request: &Request) -> Client {
        let mut client = self.site.connect();
        client.send(request);
        client
    }

    /// How many runs, effects and records there are.
    #[track_caller]
    pub fn assert_left(&self, key: &str, runs: usize, effects: i64, records: i64) {
        let left = (self.site.runs.count(), self.effects(key), (self.records)());
        assert_eq!(left, (runs, effects, records), "runs, effects, records");
    }
}
