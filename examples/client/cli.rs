//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use idempotency_actix_examples::cli::text;

pub(crate) const USAGE: &str = "\
Charges that are asked for through a proxy that loses, with one key each, until there is an answer.

Usage: client [--server ADDR] [--journal FILE] [--window SECONDS] [--stop-after N]

  --server ADDR     where the payments example listens; it is started unless told so
  --journal FILE    where operations and their keys are; a file that goes with the program unless told otherwise
  --window SECONDS  how long a key is good for; 86400, a day, as the server keeps its records, unless told otherwise
  --stop-after N    end after N tries, as if the program were killed, with exit code 3; with the same --server and
                    --journal the next start goes on
  --help            print this text";

pub(crate) enum Command {
    Play(Asked),
    Help,
}

pub(crate) struct Asked {
    pub(crate) server: Option<SocketAddr>,
    pub(crate) journal: Option<PathBuf>,
    pub(crate) window: Duration,
    pub(crate) stop_after: Option<u32>,
}

pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut asked = Asked {
        server: None,
        journal: None,
        window: Duration::from_secs(86_400),
        stop_after: None,
    };
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let arg = text(arg)?;
        if arg == "--help" || arg == "-h" {
            return Ok(Command::Help);
        }
        let value = args.next().ok_or_else(|| format!("{arg} needs a value"))?;
        if arg == "--journal" {
            asked.journal = Some(value.into());
            continue;
        }
        let value = text(value)?;
        let wrong = || format!("{arg} cannot be {value:?}");
        match &*arg {
            "--server" => asked.server = Some(value.parse().map_err(|_| wrong())?),
            "--window" => {
                asked.window = Duration::from_secs(value.parse().map_err(|_| wrong())?);
            }
            "--stop-after" => asked.stop_after = Some(value.parse().map_err(|_| wrong())?),
            _ => return Err(format!("unknown argument {arg:?}")),
        }
    }
    let is_kept = asked.server.is_some() && asked.journal.is_some();
    if asked.stop_after.is_some() && !is_kept {
        return Err(
            "--stop-after needs --server and --journal, so that there is something to go on with"
                .into(),
        );
    }
    Ok(Command::Play(asked))
}
