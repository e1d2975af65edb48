//! The server as a process of its own: how it is started, tells where it is, and is killed.

use std::env;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{self, Child, Command, Stdio};
use std::thread;

use crate::cli::{Database, Keys, say};

/// A server that runs, killed when dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts this program once more, as a server; returns when it listens.
    pub(crate) fn start(database: &Database, keys: Keys) -> io::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args(["--serve", "--url", database.url()]);
        if keys == Keys::Left {
            command.arg("--without-keys");
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let mut line = String::new();
        if let Some(output) = process.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        match line.trim().parse() {
            Ok(address) => Ok(Self { process, address }),
            Err(_) => Err(io::Error::other("the server has not started")),
        }
    }

    /// As `kill -9` does: whatever it was about is cut off.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.kill();
    }
}

/// Tells the starter where this server listens. Once the starter is gone, its end of the input is closed, and so ends
/// the server.
pub(crate) fn announce(addresses: &[SocketAddr]) {
    if let Some(address) = addresses.first() {
        say(&address.to_string());
    }
    thread::spawn(|| {
        _ = io::copy(&mut io::stdin(), &mut io::sink());
        process::exit(0);
    });
}
