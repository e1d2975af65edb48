//! What a record on Redis costs a request, beside handlers that send one or two plain commands.
//!
//! Every case has a server with one worker, and all have one `redis-server`. Rounds are as in the
//! other benchmark: each gives every case a slice, and ratios are taken within a round.

mod raw_commands;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use actix_web::web::{Bytes, Data, Json};
use actix_web::{App, HttpResponse, post};
use idempotency_actix::deadpool_redis::{Config, Runtime};
use idempotency_actix::{Idempotency, IdempotencyBuilder, KeyScope, RedisStore, idempotent};
use idempotency_actix_benches::{Client, Key, Slice, Spread, serve};
use idempotency_actix_tests::redis::{Connection, RedisServer};
use serde::Deserialize;

const ROUNDS: usize = 11;
const SLICE: Duration = Duration::from_millis(250);
const CONNECTIONS: usize = 32;
const SIZES: [usize; 2] = [300, 10 * 1024];

const BODY: &str = r#"{"amount_cents":1250,"description":"A body of about two hundred octets, which is what a small order in JSON has, so that reading and hashing it counts. It is the same in all of the cases."}"#;

#[derive(Deserialize)]
struct Order {
    #[expect(dead_code, reason = "parsed, as a handler would")]
    amount_cents: u64,
    #[expect(dead_code, reason = "parsed, as a handler would")]
    description: String,
}

/// What a record of the store has in front of the body, in octets.
const HEAD: usize = 140;

/// What handlers answer, with what stands in front of it on the server.
struct Answer {
    record: Bytes,
}

impl Answer {
    fn body(&self) -> Bytes {
        self.record.slice(HEAD..)
    }
}

fn created(answer: Bytes) -> HttpResponse {
    HttpResponse::Created()
        .content_type("application/json")
        .body(answer)
}

#[post("/plain")]
async fn plain(_order: Json<Order>, answer: Data<Answer>) -> HttpResponse {
    created(answer.body())
}

#[post("/marked")]
#[idempotent]
async fn marked(_order: Json<Order>, answer: Data<Answer>) -> HttpResponse {
    created(answer.body())
}

struct Case {
    name: String,
    /// The case that it is compared with, as a distance backwards.
    beside: usize,
    client: Client,
    measured: Vec<Measured>,
}

struct Measured {
    slice: Slice,
    redis: RedisUse,
}

/// What a server did, in one slice of time or since it started.
#[derive(Default)]
struct RedisUse {
    /// In seconds.
    cpu: f64,
    /// Calls of each command, those in scripts included.
    calls: BTreeMap<String, u64>,
}

impl RedisUse {
    fn of(server: &RedisServer) -> Self {
        let info = server.command(&["INFO", "everything"]).text();
        let mut used = Self::default();
        for (name, value) in info.lines().filter_map(|line| line.split_once(':')) {
            if let "used_cpu_user" | "used_cpu_sys" = name {
                used.cpu += value.parse().unwrap_or(0.0);
            }
            let calls = value
                .strip_prefix("calls=")
                .and_then(|it| it.split_once(','));
            if let (Some(command), Some((calls, _))) = (name.strip_prefix("cmdstat_"), calls) {
                let calls = calls.parse().unwrap_or_default();
                used.calls.insert(command.to_owned(), calls);
            }
        }
        used
    }

    fn since(&self, before: &Self) -> Self {
        let of = |(name, calls): (&String, &u64)| {
            let calls = calls - before.calls.get(name).unwrap_or(&0);
            (calls > 0).then(|| (name.clone(), calls))
        };
        Self {
            cpu: self.cpu - before.cpu,
            calls: self.calls.iter().filter_map(of).collect(),
        }
    }
}

fn cases(server: &RedisServer, at: usize) -> io::Result<Vec<Case>> {
    let size = SIZES[at];
    let answer = Data::new(Answer {
        record: Bytes::from(vec![b'a'; HEAD + size]),
    });
    let url = |database| format!("{}/{database}", server.url());
    let (kept, thrown) = (url(kept(at)), url(thrown(at)));

    let bare = {
        let answer = answer.clone();
        serve(move || App::new().app_data(answer.clone()).service(plain))?
    };
    let raw = |url: &str| {
        let (url, answer) = (url.to_owned(), answer.clone());
        serve(move || {
            let url = url.clone();
            App::new()
                .data_factory(move || raw_commands::connect(url.clone()))
                .app_data(answer.clone())
                .service(raw_commands::get)
                .service(raw_commands::set_set)
        })
    };
    let ours = |url: &str, options: fn(IdempotencyBuilder) -> IdempotencyBuilder| {
        let pool = Config::from_url(url).create_pool(Some(Runtime::Tokio1));
        let store = RedisStore::new(pool.map_err(io::Error::other)?);
        let layer = options(Idempotency::builder(store, KeyScope::everyone())).build();
        let (layer, answer) = (layer.map_err(io::Error::other)?, answer.clone());
        serve(move || {
            let app = App::new().app_data(answer.clone()).wrap(layer.clone());
            app.service(plain).service(marked)
        })
    };
    let all = |builder: IdempotencyBuilder| builder.all_routes();

    let case = |name, beside, server: SocketAddr, path, key| {
        let client = Client::connect(server, CONNECTIONS, path, BODY, key)?.sleeping()?;
        let name = format!("{name}, {size} B");
        let length = client.body_length();
        let is_replay = client.answer().contains("idempotent-replayed: true");
        if length != size || is_replay != name.starts_with("replay") {
            let answer = client.answer();
            return Err(io::Error::other(format!("{name}: unexpected: {answer}")));
        }
        Ok(Case {
            name,
            beside,
            client,
            measured: Vec::new(),
        })
    };
    Ok(vec![
        case("no command", 0, bare, "/plain", Key::None)?,
        case("`GET`", 0, raw(&kept)?, "/get", Key::Same)?,
        case(
            "replay, marked",
            1,
            ours(&kept, |it| it)?,
            "/marked",
            Key::Same,
        )?,
        case(
            "replay, all routes",
            2,
            ours(&kept, all)?,
            "/plain",
            Key::Same,
        )?,
        case("`SET`, `SET`", 0, raw(&thrown)?, "/set-set", Key::Fresh)?,
        case(
            "first run, marked",
            1,
            ours(&thrown, |it| it)?,
            "/marked",
            Key::Fresh,
        )?,
        case(
            "first run, all routes",
            2,
            ours(&thrown, all)?,
            "/plain",
            Key::Fresh,
        )?,
    ])
}

fn main() -> io::Result<()> {
    let server = match std::env::args().any(|argument| argument == "--valkey") {
        true => RedisServer::start_valkey(&[]),
        false => RedisServer::start(&[]),
    };
    let cases: io::Result<Vec<_>> = (0..SIZES.len()).map(|at| cases(&server, at)).collect();
    let mut cases: Vec<Case> = cases?.into_iter().flatten().collect();
    for round in 0..=ROUNDS {
        for case in &mut cases {
            let before = RedisUse::of(&server);
            let slice = case
                .client
                .run(SLICE)
                .map_err(|error| io::Error::other(format!("{}: {error}", case.name)))?;
            let redis = RedisUse::of(&server).since(&before);
            // The first round warms up.
            if round > 0 {
                case.measured.push(Measured { slice, redis });
            }
        }
        for at in 0..SIZES.len() {
            let mut connection = Connection::open(server.addr())?;
            connection.command(&["SELECT", &thrown(at)])?;
            connection.command(&["FLUSHDB", "SYNC"])?;
        }
    }
    report(&cases);
    Ok(())
}

/// The database whose records are replayed.
fn kept(at: usize) -> String {
    (2 * at).to_string()
}

/// The database of the first runs, which is emptied after each round.
fn thrown(at: usize) -> String {
    (2 * at + 1).to_string()
}

fn report(cases: &[Case]) {
    println!(
        "{ROUNDS} rounds of {SLICE:?} for each case, {CONNECTIONS} connections, 1 worker; \
         bodies of {} octets in.\n",
        BODY.len(),
    );
    println!(
        "| case | requests/s | ratio (min to max) | CPU µs | ratio (min to max) | Redis CPU µs |"
    );
    println!("|---|---|---|---|---|---|");
    for (at, case) in cases.iter().enumerate() {
        let median =
            |measure: fn(&Measured) -> f64| Spread::of(case.measured.iter().map(measure)).median;
        let ratio = |measure: fn(&Measured) -> f64| {
            let rounds = case.measured.iter().zip(&cases[at - case.beside].measured);
            Spread::of(rounds.map(|(it, other)| measure(it) / measure(other)))
        };
        println!(
            "| {} | {:.0} | {} | {:.1} | {} | {:.1} |",
            case.name,
            median(Measured::rate),
            ratio(Measured::rate),
            median(Measured::cpu),
            ratio(Measured::cpu),
            median(Measured::redis_cpu),
        );
    }
    println!("\nCommands per request, those called in scripts included:\n");
    for case in cases {
        let requests: u64 = case.measured.iter().map(|it| it.slice.requests).sum();
        let mut calls = BTreeMap::<&str, u64>::new();
        for (command, count) in case.measured.iter().flat_map(|it| &it.redis.calls) {
            *calls.entry(command).or_default() += count;
        }
        let per_request = |(command, calls)| (command, calls as f64 / requests as f64);
        let calls = calls.into_iter().map(per_request);
        // `INFO` is what asks.
        let calls = calls.filter(|(command, _)| *command != "info");
        let calls: Vec<_> = calls
            .map(|(name, calls)| format!("{name} {calls:.3}"))
            .collect();
        println!("- {}: {}", case.name, calls.join(", "));
    }
}

impl Measured {
    fn rate(&self) -> f64 {
        self.slice.requests as f64 / self.slice.wall.as_secs_f64()
    }

    fn cpu(&self) -> f64 {
        self.slice.cpu.as_secs_f64() * 1e6 / self.slice.requests as f64
    }

    fn redis_cpu(&self) -> f64 {
        self.redis.cpu * 1e6 / self.slice.requests as f64
    }
}
