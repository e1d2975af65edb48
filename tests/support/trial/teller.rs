//! A process that serves.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tempfile::TempDir;

use crate::client::Client;
use crate::patience::eventually;
use crate::process::Process;
use crate::request::Request;
use crate::watchdog::Watchdog;

/// A process that serves a bank, killed when dropped.
#[derive(Debug)]
pub struct Teller {
    /// The process itself, to do to it what a scenario wants.
    pub process: Process,
    /// Where it listens.
    pub addr: SocketAddr,
    written: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
    folder: TempDir,
}

impl Teller {
    pub(super) fn start(program: &Path, arguments: [&str; 3]) -> Self {
        let folder = TempDir::with_prefix("teller-").expect("a folder for temporary files");
        let mut command = Command::new(program);
        let errors = File::create(folder.path().join("errors")).expect("a writable folder");
        command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(errors);
        let mut process = Process::spawn(&mut command, Arc::new(Watchdog::of(folder.path())));
        let mut lines = BufReader::new(process.output());
        let mut addr = String::new();
        lines.read_line(&mut addr).expect("an open pipe");
        let addr = addr.trim().parse().expect("an address");
        let written = Arc::<Mutex<Vec<String>>>::default();
        let kept = Arc::clone(&written);
        let reader = std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        Self {
            process,
            addr,
            written,
            reader: Some(reader),
            folder,
        }
    }

    /// Sends a request over a connection of its own.
    pub fn ask(&self, request: &Request) -> Client {
        let mut client = Client::connect(self.addr);
        client.send(request);
        client
    }

    /// What it wrote to its standard error.
    pub fn errors(&self) -> String {
        fs::read_to_string(self.folder.path().join("errors")).expect("what was written")
    }

    /// Returns once so many runs have written their effect.
    pub fn wait_for_writes(&self, count: usize) {
        eventually("effects", || self.written.lock().unwrap().len() >= count);
    }

    /// The runs that have written their effect since this was asked last, committed or not.
    pub(super) fn take_written(&self) -> Vec<String> {
        std::mem::take(&mut *self.written.lock().unwrap())
    }

    /// Kills it, and tells the rest of them.
    pub(super) fn kill(mut self) -> Vec<String> {
        self.process.kill();
        if let Some(reader) = self.reader.take() {
            reader.join().expect("a pipe that ends with its process");
        }
        self.take_written()
    }
}
