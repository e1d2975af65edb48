//! A program that says on its output what a test waits for.

use std::io::{BufRead, BufReader};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::Arc;

use tempfile::TempDir;

use crate::process::Process;
use crate::watchdog::Watchdog;

/// A running program, and the lines that it prints.
#[derive(Debug)]
pub struct Program {
    pub process: Process,
    lines: BufReader<ChildStdout>,
    _folder: TempDir,
}

impl Program {
    pub fn start(command: &mut Command) -> Self {
        let folder = TempDir::with_prefix("program-").expect("a folder for temporary files");
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = Process::spawn(command, Arc::new(Watchdog::of(folder.path())));
        let lines = BufReader::new(process.output());
        Self {
            process,
            lines,
            _folder: folder,
        }
    }

    /// Waits for its next line.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("an open pipe");
        assert!(!line.is_empty(), "the program has ended");
        line.trim().to_owned()
    }

    /// Waits for a line with that in it, and gives what stands behind it.
    pub fn line_with(&mut self, part: &str) -> String {
        loop {
            if let Some((_, rest)) = self.line().split_once(part) {
                return rest.to_owned();
            }
        }
    }
}
