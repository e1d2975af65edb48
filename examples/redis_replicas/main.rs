//! Two replicas of one application that share nothing but Redis, and clients that retry.
//!
//! Start a server and run it with
//!
//! ```console
//! redis-server --appendonly yes --maxmemory-policy noeviction
//! cargo run --example redis_replicas --features redis
//! ```
//!
//! It sends requests to both replicas, shows how each was answered, and then how often the handler ran
//! for each key, by the replicas' own counts. It fails if one of them is not 1. With `--serve` it
//! starts the replicas and prints commands to try.
//!
//! | file | what it is |
//! |---|---|
//! | `replica.rs` | the application: one server with a store and a pool of its own |
//! | `charges.rs` | its routes |
//! | `client.rs` | what a client does: send, wait as long as it was told, send again |
//! | `scenes.rs` | which requests are sent |
//! | `report.rs` | what is printed about them |

mod charges;
mod cli;
mod client;
mod replica;
mod report;
mod scenes;

use std::error::Error;
use std::process::ExitCode;

use crate::cli::Command;
use crate::client::Client;
use crate::replica::Replica;

#[actix_web::main]
async fn main() -> ExitCode {
    let done = match cli::parse(std::env::args_os().skip(1)) {
        Err(mistake) => {
            cli::complain(&format!("{mistake}\n\n{}", cli::USAGE));
            return ExitCode::from(2);
        }
        Ok(Command::Help) => {
            cli::say(cli::USAGE);
            return ExitCode::SUCCESS;
        }
        Ok(Command::Serve { redis }) => serve(&redis).await,
        Ok(Command::Play { redis }) => play(&redis).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::complain(&cli::causes(&*error));
            ExitCode::FAILURE
        }
    }
}

/// Sends requests to two replicas and tells what became of them.
async fn play(redis: &str) -> Result<(), Box<dyn Error>> {
    let a = Replica::start("A", redis, 0).await?;
    let b = Replica::start("B", redis, 0).await?;
    cli::say(&format!(
        "Replica A is {}, replica B is {}. They share Redis, and nothing else.\n",
        a.url(),
        b.url()
    ));
    let clients = (Client::new(&a), Client::new(&b));
    let report = scenes::play(&clients.0, &clients.1).await?;
    a.stop().await?;
    b.stop().await?;
    cli::say(&report.to_string());
    match report.is_once_each() {
        true => Ok(()),
        false => Err("a key has not run exactly once".into()),
    }
}

/// Runs two replicas until they are stopped.
async fn serve(redis: &str) -> Result<(), Box<dyn Error>> {
    let a = Replica::start("A", redis, 8081).await?;
    let b = Replica::start("B", redis, 8082).await?;
    cli::introduce(a.url(), b.url());
    a.run().await?;
    b.run().await?;
    Ok(())
}
