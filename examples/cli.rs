//! The command line of an example that serves, and how it speaks.

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;

/// Where an example listens unless told otherwise.
pub const ADDRESS: &str = "127.0.0.1:8080";

enum Command {
    Serve(Asked),
    Help,
}

/// What the arguments ask of an example that serves.
#[derive(Debug)]
pub struct Asked {
    /// The address to listen on.
    pub bind: String,
}

/// Runs an example as its arguments say: it serves on an address, or tells what it is about.
pub async fn run(
    name: &str,
    about: &str,
    serve: impl AsyncFnOnce(&Asked) -> io::Result<()>,
) -> ExitCode {
    match parse(std::env::args_os().skip(1)) {
        Err(mistake) => {
            complain(name, &format!("{mistake}\n\n{}", usage(name, about)));
            ExitCode::from(2)
        }
        Ok(Command::Help) => {
            say(&usage(name, about));
            ExitCode::SUCCESS
        }
        Ok(Command::Serve(asked)) => match serve(&asked).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(name, &format!("cannot serve on {}: {error}", asked.bind));
                ExitCode::FAILURE
            }
        },
    }
}

fn usage(name: &str, about: &str) -> String {
    format!(
        "\
{about}

Usage: {name} [--bind ADDR]

  --bind ADDR   listen on ADDR, such as 127.0.0.1:9000 or [::1]:8080; port 0 takes a free one;
                {ADDRESS} unless told otherwise
  --help        print this text"
    )
}

fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
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
    let bind = bind.unwrap_or_else(|| ADDRESS.into());
    Ok(Command::Serve(Asked { bind }))
}

/// An argument that is text, or what is wrong with it.
pub fn text(arg: OsString) -> Result<String, String> {
    arg.into_string()
        .map_err(|arg| format!("argument {arg:?} is not text"))
}

/// The URL to type for a server that listens on an address, or on all of them.
pub fn url(mut address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    format!("http://{address}")
}

/// An error with its causes. Some of them say what the one above has said already.
pub fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let error_text = error.to_string();
        if !text.ends_with(&error_text) {
            text = format!("{text}: {error_text}");
        }
        cause = error.source();
    }
    text
}

/// Prints a line. Unlike `println!` it does not panic, in a handler perhaps, when nobody reads.
pub fn say(line: &str) {
    _ = writeln!(io::stdout(), "{line}");
}

/// Prints what is wrong.
pub fn complain(name: &str, line: &str) {
    _ = writeln!(io::stderr(), "{name}: {line}");
}
