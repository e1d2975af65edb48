//! The command line, and how the program speaks.

use std::ffi::OsString;

use idempotency_actix_examples::cli::{self, text};
pub(crate) use idempotency_actix_examples::cli::{causes, say};

pub(crate) const USAGE: &str = "\
Two replicas of an application that share one Redis, and clients that retry.

Usage: redis_replicas [--redis URL] [--serve]

  --redis URL   the server; redis://127.0.0.1:6379/ unless told otherwise
  --serve       serve on 127.0.0.1:8081 and 127.0.0.1:8082, and send no requests
  --help        print this text";

pub(crate) enum Command {
    Play { redis: String },
    Serve { redis: String },
    Help,
}

pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut redis = None;
    let mut is_serving = false;
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let arg = text(arg)?;
        let (flag, value) = match arg.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (arg.as_str(), None),
        };
        match (flag, value) {
            ("--help" | "-h", None) => return Ok(Command::Help),
            ("--serve", None) => is_serving = true,
            ("--redis", _) if redis.is_some() => return Err("--redis is given twice".into()),
            ("--redis", Some(value)) => redis = Some(value),
            ("--redis", None) => {
                let value = args.next().ok_or("--redis needs a URL")?;
                redis = Some(text(value)?);
            }
            _ => return Err(format!("unknown argument {arg:?}")),
        }
    }
    let redis = redis.unwrap_or_else(|| "redis://127.0.0.1:6379/".into());
    Ok(match is_serving {
        true => Command::Serve { redis },
        false => Command::Play { redis },
    })
}

pub(crate) fn introduce(a: &str, b: &str) {
    say(&format!(
        "Replica A is {a}, replica B is {b}. Charge at one, retry at the other, and look who ran:

  curl -i '{a}/charges' -H 'Idempotency-Key: order-1' -H 'Content-Type: application/json' -d '{{\"amount_cents\":1250,\"takes_ms\":0}}'
  curl -i '{b}/charges' -H 'Idempotency-Key: order-1' -H 'Content-Type: application/json' -d '{{\"amount_cents\":1250,\"takes_ms\":0}}'
  curl '{a}/runs' '{b}/runs'

With \"takes_ms\":5000 there is time to hang up, or to see a 409. Stop with Ctrl-C.
"
    ));
}

pub(crate) fn complain(line: &str) {
    cli::complain("redis_replicas", line);
}
