//! An effect outside of the database, with the guarantee of a row in it: the outbox.
//!
//! Run it with `cargo run --example outbox --features sql`.
//!
//! A handler writes down what is to be sent, in its transaction: an order that is rolled back charges nobody, and one that
//! commits is charged for certain. A worker sends what is written down, as often as it takes. It may die after it has
//! sent a charge and before it has noted that, and so it does here, once for each. Each time it sends the key that the handler
//! derived, by which the processor knows the charge again: it acts once.
//!
//! The program takes orders, each asked for twice, prints what happens, and fails if an order is not charged exactly once.
//!
//! | file | what it is |
//! |---|---|
//! | `orders.rs` | the handler, which writes order and charge in one transaction |
//! | `worker.rs` | the worker, which sends charges |
//! | `processor.rs` | stands for somebody else's service, which takes idempotency keys |
//! | `customer.rs` | sends orders, and sends each again |
//!
//! # What it takes
//!
//! The other side must know a key again, and for longer than the worker may go on trying. What has no keys, as most mail
//! servers, acts at least once: the derived key as `Message-ID` makes two copies of a mail recognizable, and no more.

mod customer;
mod orders;
mod processor;
mod worker;

use std::collections::BTreeSet;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use actix_web::rt;
use actix_web::rt::time::{sleep, timeout};
use idempotency_actix_examples::cli;
use idempotency_actix_examples::folder::Folder;
use idempotency_actix_sqlx::sqlx::{self, SqlitePool};

use crate::processor::Processor;

const USAGE: &str = "\
Orders whose charges go through an outbox, sent by a worker that dies in between.

Usage: outbox [--help]";

const PAUSE: Duration = Duration::from_millis(20);

/// How long the outbox may take to get empty.
const PATIENCE: Duration = Duration::from_secs(30);

#[actix_web::main]
async fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    let done = match &args[..] {
        [] => play().await,
        [arg] if arg == "--help" || arg == "-h" => {
            cli::say(USAGE);
            return ExitCode::SUCCESS;
        }
        _ => {
            cli::complain("outbox", USAGE);
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::complain("outbox", &cli::causes(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn play() -> Result<(), Box<dyn Error>> {
    let folder = Folder::new("outbox")?;
    let url = format!("sqlite:{}?mode=rwc", folder.file("orders.db").display());
    let pool = SqlitePool::connect(&url).await?;
    let shop = orders::serve(pool.clone()).await?;
    let processor = Processor::start()?;
    let worker = rt::spawn(keep_working(pool.clone(), processor.url.clone()));

    customer::buy(&shop).await?;
    let waited = timeout(PATIENCE, until_all_is_sent(&pool));
    waited
        .await
        .map_err(|_| "the outbox does not get empty")??;
    worker.abort();

    let ordered = orders::charges(&pool).await?;
    let charged = processor.charges();
    cli::say(&format!(
        "\n{} orders, {} charges",
        ordered.len(),
        charged.len()
    ));
    match charged == ordered {
        true => Ok(()),
        false => Err("an order was not charged exactly once".into()),
    }
}

/// Starts the worker again whenever it has died.
async fn keep_working(pool: SqlitePool, processor: String) {
    let mut deaths = BTreeSet::new();
    loop {
        let Err(error) = worker::work(&pool, &processor, &mut deaths).await;
        cli::say(&format!("worker     {error}"));
        sleep(PAUSE).await;
    }
}

async fn until_all_is_sent(pool: &SqlitePool) -> Result<(), sqlx::Error> {
    while worker::next(pool).await?.is_some() {
        sleep(PAUSE).await;
    }
    Ok(())
}
