//! The command line, and how the program speaks.

use std::ffi::OsString;

use idempotency_actix_examples::cli::{self, text};
pub(crate) use idempotency_actix_examples::cli::{causes, say};

pub(crate) const USAGE: &str = "\
Transfers between accounts, by a server that is killed again and again.

Usage: ledger [--url URL] [--kills N] [--without-keys]

  --url URL       the database, postgres://.. or sqlite:..; a SQLite file of its own unless told otherwise
  --kills N       how often the server is killed; 60 times unless told otherwise
  --without-keys  send no idempotency keys, to see what goes wrong
  --serve         be the server: tell the address, and serve until the input ends
  --help          print this text";

pub(crate) enum Command {
    Play(Option<Database>, Game),
    Serve(Database, Keys),
    Help,
}

/// Where the books are.
#[derive(Clone)]
pub(crate) enum Database {
    Sqlite(String),
    Postgres(String),
}

/// Whether requests have idempotency keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    Required,
    Left,
}

pub(crate) struct Game {
    pub(crate) kills: u32,
    pub(crate) keys: Keys,
}

impl Database {
    fn parse(url: String) -> Result<Self, String> {
        match url.split_once(':') {
            Some(("sqlite", _)) => Ok(Self::Sqlite(url)),
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(url)),
            _ => Err("--url needs a URL of postgres: or sqlite:".into()),
        }
    }

    pub(crate) fn url(&self) -> &str {
        match self {
            Self::Sqlite(url) | Self::Postgres(url) => url,
        }
    }
}

pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut database = None;
    let mut game = Game {
        kills: 60,
        keys: Keys::Required,
    };
    let mut is_serving = false;
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
            "--url" => database = Some(Database::parse(value("a URL")?)?),
            "--kills" => {
                let kills = value("a number")?;
                game.kills = kills.parse().map_err(|_| "--kills needs a number")?;
            }
            "--without-keys" => game.keys = Keys::Left,
            "--serve" => is_serving = true,
            "--help" | "-h" => return Ok(Command::Help),
            _ => return Err(format!("unknown argument {arg:?}")),
        }
    }
    match (is_serving, database) {
        (false, database) => Ok(Command::Play(database, game)),
        (true, Some(database)) => Ok(Command::Serve(database, game.keys)),
        (true, None) => Err("--serve needs --url".into()),
    }
}

pub(crate) fn introduce(database: &Database, game: &Game) {
    let place = match database {
        Database::Sqlite(_) => "a SQLite file",
        // Its URL may have a password in it.
        Database::Postgres(_) => "PostgreSQL",
    };
    let keys = match game.keys {
        Keys::Required => "each with a key of its own",
        Keys::Left => "without keys",
    };
    let kills = game.kills;
    say(&format!(
        "The books are in {place}. Clients ask for transfers, {keys}, while the server is killed {kills} times."
    ));
}

pub(crate) fn complain(line: &str) {
    cli::complain("ledger", line);
}
