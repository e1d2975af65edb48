//! A program that runs, in a folder and on a port of its own, beside servers of the tests. Knows nothing of what it answers.

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use actix_web::rt::System;
use idempotency_actix_tests::postgres::PgServer;
use idempotency_actix_tests::redis::RedisServer;
use idempotency_actix_tests::{PATIENCE, Port, Process, Watchdog, until};
use tempfile::TempDir;

use crate::page::Program;
use crate::workspace::ADDRESSES;

pub struct Running {
    port: Port,
    _process: Process,
    _redis: Option<RedisServer>,
    _folder: TempDir,
}

impl Running {
    /// Starts it, and waits until somebody answers at its port.
    pub fn start(binary: &Path, program: &Program) -> Self {
        let folder = TempDir::with_prefix("program-").expect("a folder for temporary files");
        let port = Port::reserve();
        let mut command = Command::new(binary);
        command.current_dir(folder.path());
        let mut redis = None;
        for (address, variable) in ADDRESSES.iter().filter(|(it, _)| program.code.contains(it)) {
            command.env(
                variable,
                match address.split_once("://") {
                    None => port.addr().to_string(),
                    Some(("redis", _)) => redis.insert(RedisServer::start(&[])).url(),
                    Some(_) => database(),
                },
            );
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
            _redis: redis,
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

/// The URL of a database of its own.
fn database() -> String {
    let server = PgServer::shared();
    let name = server.fresh_name();
    let create = format!("CREATE DATABASE {name}");
    System::new().block_on(server.execute(&create));
    format!("postgres://postgres@{}/{name}", server.addr())
}
