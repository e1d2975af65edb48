//! What the layer costs a request, beside the same handler without it.
//!
//! Every case has a server with one worker and the same handler. One client thread keeps one of them
//! busy at a time, over loopback, in short slices: each round gives every case a slice, so that what
//! else the machine does meets all of them alike. Ratios are taken within a round.

mod by_hand;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use actix_web::http::header::LOCATION;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpResponse, post, web};
use idempotency_actix::{DEFAULT_TTL as DAY, Idempotency, KeyScope, MemoryStore, idempotent};
use idempotency_actix_benches::{Client, Key, Slice, Spread, serve};
use serde::{Deserialize, Serialize};

const ROUNDS: usize = 17;
const SLICE: Duration = Duration::from_millis(250);
const CONNECTIONS: usize = 32;

/// Shorter than a slice: a first run pays for the removal of an earlier record, as it does in a store
/// that has been running for longer than its retention. About 10,000 records are kept, as by the recipe
/// made by hand.
const TTL: Duration = Duration::from_millis(100);

#[derive(Deserialize)]
struct Order {
    amount_cents: u64,
    currency: String,
    source: String,
    description: String,
}

#[derive(Serialize)]
struct Charge<'a> {
    id: &'a str,
    object: &'a str,
    amount_cents: u64,
    currency: &'a str,
    source: &'a str,
    description: &'a str,
    status: &'a str,
    receipt: &'a str,
}

fn answer(order: &Order) -> HttpResponse {
    HttpResponse::Created()
        .insert_header((LOCATION, "/charges/ch_00000001"))
        .json(Charge {
            id: "ch_00000001",
            object: "charge",
            amount_cents: order.amount_cents,
            currency: &order.currency,
            source: &order.source,
            description: &order.description,
            status: "succeeded",
            receipt: "/receipts/rc_00000001",
        })
}

#[post("/charges")]
async fn plain(order: web::Json<Order>) -> HttpResponse {
    answer(&order)
}

#[post("/charges")]
#[idempotent]
async fn marked(order: web::Json<Order>) -> HttpResponse {
    answer(&order)
}

const BODY: &str = r#"{"amount_cents":1250,"currency":"EUR","source":"tok_visa","description":"A body of about two hundred octets, which is what a small order in JSON has, so that reading and hashing it counts."}"#;

struct Case {
    name: &'static str,
    client: Client,
    slices: Vec<Slice>,
}

impl Case {
    fn new(name: &'static str, server: SocketAddr, key: Key, replays: bool) -> io::Result<Self> {
        let client = Client::connect(server, CONNECTIONS, "/charges", BODY, key)?;
        let answer = client.answer();
        let is_expected = answer.starts_with("HTTP/1.1 201")
            && answer.contains("idempotent-replayed: true") == replays;
        if !is_expected {
            return Err(io::Error::other(format!(
                "{name}: unexpected answer: {answer}"
            )));
        }
        Ok(Self {
            name,
            client,
            slices: Vec::new(),
        })
    }
}

fn main() -> io::Result<()> {
    let builder = |ttl| Idempotency::builder(MemoryStore::new(), KeyScope::everyone()).ttl(ttl);
    let serve_marked = |ttl| {
        let layer = builder(ttl).build().map_err(io::Error::other)?;
        serve(move || App::new().wrap(layer.clone()).service(marked))
    };
    let serve_all = |ttl| {
        let layer = builder(ttl).all_routes().build();
        let layer = layer.map_err(io::Error::other)?;
        serve(move || App::new().wrap(layer.clone()).service(plain))
    };
    let serve_by_hand = || {
        let answers = web::Data::<by_hand::Answers>::default();
        serve(move || {
            let app = App::new().app_data(answers.clone());
            app.wrap(from_fn(by_hand::once)).service(plain)
        })
    };
    let bare = serve(|| App::new().service(plain))?;
    let mut cases = [
        Case::new("bare handler", bare, Key::None, false)?,
        Case::new("bare handler, key sent", bare, Key::Same, false)?,
        Case::new("no key, marked", serve_marked(DAY)?, Key::None, false)?,
        Case::new("no key, all routes", serve_all(DAY)?, Key::None, false)?,
        Case::new("replay, marked", serve_marked(DAY)?, Key::Same, true)?,
        Case::new("replay, all routes", serve_all(DAY)?, Key::Same, true)?,
        Case::new("first run, marked", serve_marked(TTL)?, Key::Fresh, false)?,
        Case::new("first run, all routes", serve_all(TTL)?, Key::Fresh, false)?,
        Case::new("by hand, no key", serve_by_hand()?, Key::None, false)?,
        Case::new("by hand, replay", serve_by_hand()?, Key::Same, true)?,
        Case::new("by hand, first run", serve_by_hand()?, Key::Fresh, false)?,
    ];

    for round in 0..=ROUNDS {
        for case in &mut cases {
            let slice = case
                .client
                .run(SLICE)
                .map_err(|error| io::Error::other(format!("{}: {error}", case.name)))?;
            // The first round warms up.
            if round > 0 {
                case.slices.push(slice);
            }
        }
    }
    report(&cases);
    Ok(())
}

fn report(cases: &[Case]) {
    let rate = |slice: &Slice| slice.requests as f64 / slice.wall.as_secs_f64();
    let cost = |slice: &Slice| slice.cpu.as_secs_f64() * 1e6 / slice.requests as f64;
    let bare = &cases[0].slices;
    println!(
        "{ROUNDS} rounds of {SLICE:?} for each case, {CONNECTIONS} connections, 1 worker; \
         bodies of {} octets in, {} out.\n",
        BODY.len(),
        cases[0].client.body_length(),
    );
    println!("| case | requests/s | of bare (min to max) | CPU µs | of bare (min to max) |");
    println!("|---|---|---|---|---|");
    for case in cases {
        let median =
            |measure: &dyn Fn(&Slice) -> f64| Spread::of(case.slices.iter().map(measure)).median;
        let of_bare = |measure: &dyn Fn(&Slice) -> f64| {
            let rounds = case.slices.iter().zip(bare);
            Spread::of(rounds.map(|(slice, bare)| measure(slice) / measure(bare)))
        };
        println!(
            "| {} | {:.0} | {} | {:.1} | {} |",
            case.name,
            median(&rate),
            of_bare(&rate),
            median(&cost),
            of_bare(&cost),
        );
    }
}
