//! A program that runs, in a folder and on a port of its own, beside servers of the tests. Knows nothing of what it answers.

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use idempotency_actix_tests::redis::RedisServer;
use idempotency_actix_tests::{PATIENCE, Port, Process, Watchdog, until};
use tempfile::TempDir;

use crate::page::Program;
use crate::workspace::ADDRESSES;

pub struct Running {
    port: Port,
    _process: Process,
    _folder: TempDir,
}

impl Running {
    /// Starts it, and waits until somebody answers at its port.
    pub fn start(binary: &Path, program: &Program) -> Self {
        let folder = TempDir::with_prefix("program-").expect("a folder for temporary files");
        let port = Port::reserve();
        let mut command = Command::new(binary);
        command.current_dir(folder.path());
        for (address, variable) in ADDRESSES.iter().filter(|(it, _)| program.code.contains(it)) {
            command.env(variable, at_hand(address, &port));
        }
        let watchdog = Arc::new(Watchdog::of(folder.path()));
        let mut process = Process::spawn(&mut command, watchdog);
        let up = until(PATIENCE, || {
            let ended = process.status();
            assert!(ended.is_none(), "{program} ended: {ended:?}");
            TcpStream::connect(port.addr()).ok()
        });
        assert!(up.is_some(), "{program} does not listen");
        Self {
            port,
            _process: process,
            _folder: folder,
        }
    }

    /// What the command of a page prints.
    pub fn ask(&self, command: &str) -> String {
        let (documented, _) = ADDRESSES[0];
        let command = command.replace(documented, &self.port.addr().to_string());
        let mut shell = Command::new("bash");
        let output = shell.args(["-c", &command]).output().expect("a shell");
        String::from_utf8(output.stdout).expect("text")
    }
}

/// What a test has in place of an address of the text.
fn at_hand(address: &str, port: &Port) -> String {
    match address.split_once("://") {
        None => port.addr().to_string(),
        Some(("redis", _)) => RedisServer::shared().url(),
        Some((scheme, _)) => panic!("no server for {scheme}"),
    }
}
