//! The example as a running program.

use std::net::SocketAddr;
use std::process::Command;

use idempotency_actix_tests::{Client, Program, Request, Response};
use tempfile::TempDir;

pub struct Service {
    pub program: Program,
    pub addr: SocketAddr,
    _folder: TempDir,
}

impl Service {
    /// Starts it with these arguments, on a free port.
    pub fn start(args: &[&str]) -> Self {
        let folder = TempDir::with_prefix("payments-").expect("a folder for temporary files");
        let mut command = Command::new(env!("CARGO_BIN_EXE_payments"));
        command.args(["--bind", "127.0.0.1:0"]).args(args);
        // A test kills it, and then it removes nothing.
        command.env("TMPDIR", folder.path());
        let mut program = Program::start(&mut command);
        let rest = program.line_with("Open http://");
        let (addr, _) = rest.split_once('/').expect("an address");
        Self {
            program,
            addr: addr.parse().expect("an address"),
            _folder: folder,
        }
    }

    pub fn ask(&self, request: Request) -> Client {
        let mut client = Client::connect(self.addr);
        client.send(&request);
        client
    }

    pub fn send(&self, request: Request) -> Response {
        self.ask(request).receive()
    }
}
