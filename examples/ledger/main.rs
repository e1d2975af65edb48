//! Transfers between accounts, each booked once, by a server that is killed again and again.
//!
//! Run it with
//!
//! ```console
//! cargo run --example ledger --features sql
//! cargo run --example ledger --features sql -- --url postgres://user@host/database
//! cargo run --example ledger --features sql -- --without-keys
//! ```
//!
//! It starts itself once more, as a server. Clients ask that one for transfers, and try each again, with the same
//! key, until they have an answer. Meanwhile the server is killed as by `kill -9`, and started again; one in four of
//! the answers that come through is thrown away, as if a network had lost it. At the end it prints what was asked
//! and what stands in the books, and fails if a transfer is there twice or is missing, or if the accounts do not add up
//! to zero. Without keys the same handler books transfers twice: that is how it is without the layer.
//!
//! | file | what it is |
//! |---|---|
//! | `sqlite.rs` | **the application**: a handler that takes a transaction, on a SQLite file |
//! | `postgres.rs` | the same on PostgreSQL |
//! | `transfer.rs` | what a transfer is, and what the books say |
//! | `client.rs` | what a client does: send, and send again |
//! | `server.rs` | the server's process: started, announced, killed |
//! | `play.rs` | clients and kills, at the same time |
//! | `report.rs` | what is printed, and whether the books are right |
//! | `dice.rs` | chance |
//!
//! On PostgreSQL all of it stands in the schema `ledger_example`, and stays there.

mod cli;
mod client;
mod dice;
mod play;
mod postgres;
mod report;
mod server;
mod sqlite;
mod transfer;

use std::error::Error;
use std::process::ExitCode;

use idempotency_actix_examples::folder::Folder;

use crate::cli::{Command, Database, Game};

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
        Ok(Command::Serve(database, keys)) => match database {
            Database::Sqlite(url) => sqlite::serve(&url, keys).await,
            Database::Postgres(url) => postgres::serve(&url, keys).await,
        },
        Ok(Command::Play(database, game)) => play(database, game).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::complain(&cli::causes(&*error));
            ExitCode::FAILURE
        }
    }
}

/// Plays on that database, or on a file that goes with the example.
async fn play(database: Option<Database>, game: Game) -> Result<(), Box<dyn Error>> {
    let folder = Folder::new("ledger")?;
    let database = database.unwrap_or_else(|| {
        let file = folder.file("ledger.db");
        Database::Sqlite(format!("sqlite:{}?mode=rwc", file.display()))
    });
    cli::introduce(&database, &game);
    let report = play::play(&database, &game).await?;
    cli::say(&report.to_string());
    match report.is_right() {
        true => Ok(()),
        false => Err("the books are wrong".into()),
    }
}
