//! A small payment API whose charges happen once, however often a client sends them, and a page to see it on.
//!
//! Run it with `cargo run --example payments` and open <http://127.0.0.1:8080>, or try the commands that it prints.
//! With `-- --demo` it plays by itself what the page plays, and prints it as a table. The `source` of a charge chooses
//! what happens:
//!
//! | source | answer | a retry with the same key |
//! |---|---|---|
//! | `tok_visa`, or anything else | 201 | gets the same 201 |
//! | `tok_slow` | 201 after 3 seconds, also if the client hangs up | 409 meanwhile, then the same 201 |
//! | `tok_slow_answer` | 201 after 2 seconds; the card is charged at once | 409 meanwhile, then the same 201 |
//! | `tok_declined` | 402 | gets the same 402: the card is not asked again |
//! | `tok_unavailable` | 503, marked `NotExecuted` | runs: nothing was done |
//! | `tok_down_twice` | 503 twice, marked `NotExecuted` | runs, and the third try gets 201 |
//! | `tok_panic` | 500, from a panic after the charge | gets the same 500: the money is gone |
//!
//! It starts itself once more, as the service, so that the service can be killed: `POST /kill` has that done. What
//! the card's processor knows stands in a file, as it would stand elsewhere. The records of keys die with the process,
//! and a retry charges the card again. `--db` keeps them in a file: then it is told that nobody knows.
//!
//! | file | what it is |
//! |---|---|
//! | `service.rs` | **the application**: the layer and the routes |
//! | `charges.rs`, `receipts.rs`, `logs.rs` | its handlers |
//! | `account.rs` | who is calling |
//! | `ledger.rs` | the card's processor |
//! | `records.rs` | the layer, on one of two stores |
//! | `requests.rs` | a line in the log for each request |
//! | `exposition.rs` | metrics |
//! | `stop.rs` | the end of the service |
//! | `keeper.rs` | the process that starts the service, and starts it anew when it dies |
//! | `page.rs`, `page/` | the page |
//! | `demo.rs`, `stage.rs`, `client.rs`, `table.rs` | the same without a browser |

mod account;
mod charges;
mod cli;
mod client;
mod demo;
mod exposition;
mod introduction;
mod keeper;
mod ledger;
mod logs;
mod page;
mod receipts;
mod records;
mod requests;
mod service;
mod stage;
mod stop;
mod table;

use std::process::ExitCode;

use idempotency_actix_examples::cli::say;

use crate::cli::Command;

#[actix_web::main]
async fn main() -> ExitCode {
    let done = match cli::parse(std::env::args_os().skip(1)) {
        Err(mistake) => {
            cli::complain(&format!("{mistake}\n\n{}", cli::USAGE));
            return ExitCode::from(2);
        }
        Ok(Command::Help) => {
            say(cli::USAGE);
            return ExitCode::SUCCESS;
        }
        Ok(Command::Keep(asked)) => keeper::keep(&asked).await,
        Ok(Command::Demo(asked)) => demo::play(&asked).await,
        Ok(Command::Serve(asked, books)) => service::serve(&asked, &books).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}
