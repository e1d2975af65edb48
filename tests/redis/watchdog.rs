use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Its input ends when the process that holds the other end is gone, however it went.
const SCRIPT: &str = r#"trap '' HUP INT TERM; read -r _; kill -KILL "$1"; rm -rf "$2""#;

/// Ends a server and removes its folder if the test process is killed.
#[derive(Debug)]
pub(super) struct Watchdog(Child);

impl Watchdog {
    pub(super) fn watch(pid: u32, dir: &Path) -> Self {
        let child = Command::new("sh")
            .args(["-c", SCRIPT, "watchdog"])
            .arg(pid.to_string())
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        Self(child)
    }

    /// Calls it off.
    pub(super) fn dismiss(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
