//! A client that retries as it should: one key for each operation, kept across restarts, until there is an answer.
//!
//! Run it with `cargo run --example client --features client`, after `cargo build --example payments`. It starts the payments
//! example, asks it for charges through a proxy that loses requests and answers, prints its tries, and fails if an order is not
//! charged exactly once.
//!
//! | what comes | what the client does |
//! |---|---|
//! | no connection, none in time, or one that is cut | tries again with the same key |
//! | `Idempotent-Replayed`, status below 500 | takes it: it is the answer of an earlier try |
//! | `Idempotent-Replayed`, 5xx | stops, and looks in the books |
//! | the problems `in-flight`, `quota-exceeded`, `store-unavailable`, `draining` | tries again with the same key |
//! | any other problem of the layer's; 401, 403 | stops, and looks in the books |
//! | 408, 425, 429, 5xx | tries again with the same key |
//! | any other answer, such as 2xx or 402 | takes it: a retry would get the same |
//!
//! It never tries again before the time that `Retry-After` tells.
//!
//! Pauses grow, with jitter. No try is made once the key is as old as the window, by the time in the key: past that the server
//! may have forgotten the operation, and a retry would be another one.
//!
//! | file | what it is |
//! |---|---|
//! | `journal.rs` | operations and keys on the disk: written before the first try, forgotten after the answer was taken in |
//! | `client.rs` | the tries of one operation |
//! | `rules.rs` | the table above |
//! | `proxy.rs` | the network that loses |
//! | `server.rs` | the payments example |
//! | `table.rs` | what is printed |

mod cli;
mod client;
mod journal;
mod proxy;
mod rules;
mod server;
mod table;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use idempotency_actix_examples::cli::{causes, complain, say};
use idempotency_actix_examples::folder::Folder;
use reqwest::Client;
use uuid::Uuid;

use crate::cli::{Asked, Command};
use crate::client::{Sender, Setback};
use crate::journal::{Journal, Order, State};
use crate::server::Server;
use crate::table::Table;

/// What is ordered: the slow one is not done when its first try times out.
const SOURCES: [&str; 6] = [
    "tok_visa",
    "tok_declined",
    "tok_slow",
    "tok_panic",
    "tok_visa",
    "tok_visa",
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let done = match cli::parse(std::env::args_os().skip(1)) {
        Ok(Command::Play(asked)) => play(asked).await,
        Ok(Command::Help) => {
            say(cli::USAGE);
            return ExitCode::SUCCESS;
        }
        Err(mistake) => {
            complain("client", &format!("{mistake}\n\n{}", cli::USAGE));
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain("client", &causes(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn play(asked: Asked) -> Result<(), Box<dyn Error>> {
    let folder = Folder::new("client")?;
    let path = asked.journal.unwrap_or_else(|| folder.file("journal.json"));
    let mut journal = Journal::open(path, plan)?;
    let server = Server::find(asked.server)?;
    let proxy = proxy::start(server.address).await?;
    let sender = Sender {
        http: Client::builder().timeout(Duration::from_secs(1)).build()?,
        url: format!("http://{proxy}/charges"),
        window: asked.window,
    };
    let table = Table::new(asked.stop_after);
    for number in 0..journal.operations.len() {
        if let State::Done(_) = journal.operations[number].state {
            continue;
        }
        let key = journal.key(number)?;
        let order = &journal.operations[number].order;
        match sender.send(order, key, &table).await {
            Ok(reply) => journal.take_in(number, reply.status.as_u16())?,
            Err(Setback::Ask(reply)) if is_in(&server.charges().await?, order) => {
                say(&format!("{:>8}  {key}  is in the books", "asked"));
                journal.take_in(number, reply.status.as_u16())?;
            }
            // The key stays: whoever looks can find the operation by it.
            Err(setback) => return Err(format!("{key} needs a person: {setback}").into()),
        }
    }
    check(&journal, &server.charges().await?)
}

fn is_in(charges: &[Order], order: &Order) -> bool {
    charges
        .iter()
        .any(|it| it.amount_cents == order.amount_cents)
}

/// Of amounts that no earlier order has had, so that a charge is known by its amount.
fn plan() -> Vec<Order> {
    let base = Uuid::now_v7().as_u64_pair().1 % 1_000_000_000;
    let orders = SOURCES.iter().zip(1..).map(|(source, number)| Order {
        amount_cents: 100 * base + number,
        currency: "EUR".into(),
        source: (*source).into(),
    });
    orders.collect()
}

/// Fails if an order is not in the server's books exactly once.
fn check(journal: &Journal, charges: &[Order]) -> Result<(), Box<dyn Error>> {
    for operation in &journal.operations {
        let amount = operation.order.amount_cents;
        let times = charges
            .iter()
            .filter(|it| it.amount_cents == amount)
            .count();
        if times != 1 {
            return Err(format!("{:?} is charged {times} times", operation.order).into());
        }
    }
    let count = journal.operations.len();
    say(&format!("{count} operations, each in the books once"));
    Ok(())
}
