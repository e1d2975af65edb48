//! The command line: what is asked of this process, and what it asks of the one that it starts.

use std::ffi::OsString;
use std::path::PathBuf;

use idempotency_actix_examples::cli::{self, text};

pub(crate) const USAGE: &str = "\
A small payment API, to try idempotency keys with, and a page on which to see what they do.

Usage: payments [--demo] [--bind ADDR] [--db FILE] [--metrics]

  --demo        play what the page plays, print it as a table, and end
  --bind ADDR   listen on ADDR, such as 127.0.0.1:9000 or [::1]:8080; port 0 takes a free one;
                127.0.0.1:8080 unless told otherwise, and a free port for --demo
  --db FILE     keep the records of keys in a SQLite file, which outlives the process; needs the feature `sql`
  --metrics     serve /metrics to Prometheus; needs the feature `metrics`
  --serve BOOKS be the service, with the books of the card's processor in that file; ends with its input
  --help        print this text";

pub(crate) enum Command {
    Keep(Asked),
    Demo(Asked),
    Serve(Asked, PathBuf),
    Help,
}

/// What a service is asked for, by a person or by the process that keeps it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) bind: String,
    pub(crate) db: Option<PathBuf>,
    pub(crate) metrics: bool,
}

impl Asked {
    /// The arguments of a process that serves what is asked for.
    pub(crate) fn args(&self, books: PathBuf) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec!["--serve".into(), books.into()];
        args.extend(["--bind".into(), self.bind.clone().into()]);
        if let Some(db) = &self.db {
            args.extend(["--db".into(), db.into()]);
        }
        if self.metrics {
            args.push("--metrics".into());
        }
        args
    }
}

pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut asked = Asked::default();
    let (mut bind, mut books, mut is_demo) = (None, None, false);
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let arg = text(arg)?;
        let (flag, value) = match arg.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (arg.as_str(), None),
        };
        let mut value = |what: &str| match value.clone() {
            Some(value) => Ok(value),
            None => text(args.next().ok_or(format!("{flag} needs {what}"))?),
        };
        match flag {
            "--bind" => bind = Some(value("an address")?),
            "--db" => asked.db = Some(value("a file")?.into()),
            "--serve" => books = Some(value("a file")?.into()),
            "--metrics" => asked.metrics = true,
            "--demo" => is_demo = true,
            "--help" | "-h" => return Ok(Command::Help),
            _ => return Err(format!("unknown argument {arg:?}")),
        }
    }
    let otherwise = match is_demo {
        true => "127.0.0.1:0",
        false => cli::ADDRESS,
    };
    asked.bind = bind.unwrap_or_else(|| otherwise.into());
    Ok(match (books, is_demo) {
        (Some(books), _) => Command::Serve(asked, books),
        (None, true) => Command::Demo(asked),
        (None, false) => Command::Keep(asked),
    })
}

pub(crate) fn complain(line: &str) {
    cli::complain("payments", line);
}
