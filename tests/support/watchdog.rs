//! Ends what a killed test process leaves behind.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Its input ends when the process that holds the other end is gone, however it went.
const SCRIPT: &str = r#"
    trap '' HUP INT TERM
    pid=
    while read -r line; do pid=$line; done
    [ -z "$pid" ] || kill -KILL "$pid"
    rm -rf "$1"
"#;

/// Ends a process and removes its folder if the test process is killed; called off when dropped.
#[derive(Debug)]
pub struct Watchdog(Child);

impl Watchdog {
    pub fn of(dir: &Path) -> Self {
        let child = Command::new("sh")
            .args(["-c", SCRIPT, "watchdog"])
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        Self(child)
    }

    /// Names the process to end.
    pub fn watch(&self, pid: u32) {
        self.tell(&pid.to_string()).expect("a running watchdog");
    }

    /// Leaves no process to end.
    pub fn unwatch(&self) {
        let _ = self.tell("");
    }

    fn tell(&self, line: &str) -> io::Result<()> {
        let mut input = self.0.stdin.as_ref().expect("piped");
        input.write_all(format!("{line}\n").as_bytes())
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
