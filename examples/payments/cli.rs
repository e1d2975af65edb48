//! The command line, and what the program prints.

use std::ffi::OsString;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

pub(crate) const USAGE: &str = "\
A payment API on 127.0.0.1:8080, to try idempotency keys with.

Usage: payments [--bind ADDR]

  --bind ADDR   listen on ADDR, such as 127.0.0.1:9000 or [::1]:8080; port 0 takes a free one
  --help        print this text";

pub(crate) enum Command {
    Serve { bind: String },
    Help,
}

pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut bind = None;
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let arg = text(arg)?;
        let (flag, value) = match arg.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (arg.as_str(), None),
        };
        match (flag, value) {
            ("--help" | "-h", None) => return Ok(Command::Help),
            ("--bind", _) if bind.is_some() => return Err("--bind is given twice".into()),
            ("--bind", Some(value)) => bind = Some(value),
            ("--bind", None) => {
                let value = args.next().ok_or("--bind needs an address")?;
                bind = Some(text(value)?);
            }
            _ => return Err(format!("unknown argument {arg:?}")),
        }
    }
    let bind = bind.unwrap_or_else(|| "127.0.0.1:8080".into());
    Ok(Command::Serve { bind })
}

fn text(arg: OsString) -> Result<String, String> {
    arg.into_string()
        .map_err(|arg| format!("argument {arg:?} is not text"))
}

pub(crate) fn introduce(address: SocketAddr) {
    let url = format!("http://{}", reachable(address));
    say(&format!(
        "Listening on {url}. Charge a card twice, with one key; then look what was charged:

  curl -i '{url}/charges' -H 'X-Api-Key: demo-key-1' -H 'Idempotency-Key: order-1' -H 'Content-Type: application/json' -d '{{\"amount_cents\":1250,\"currency\":\"EUR\",\"source\":\"tok_visa\"}}'
  curl -i '{url}/charges' -H 'X-Api-Key: demo-key-1'

Other sources: tok_slow, tok_declined, tok_unavailable, tok_panic. Stop with Ctrl-C.
"
    ));
}

/// The address to type, where the server listens on all of them.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// Prints a line. Unlike `println!` it does not panic, in a handler perhaps, when nobody reads.
pub(crate) fn say(line: &str) {
    _ = writeln!(std::io::stdout(), "{line}");
}

pub(crate) fn complain(line: &str) {
    _ = writeln!(std::io::stderr(), "payments: {line}");
}
