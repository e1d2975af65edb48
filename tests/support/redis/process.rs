use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::watchdog::Watchdog;

/// A running process, killed when dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    watchdog: Arc<Watchdog>,
    frozen: bool,
}

impl Process {
    /// Starts a program whose output goes to the log.
    pub(super) fn spawn(command: &mut Command, log: File, watchdog: Arc<Watchdog>) -> Self {
        let errors = log.try_clone().expect("an open file");
        let child = command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .expect("a program that can run");
        watchdog.watch(child.id());
        Self {
            child,
            watchdog,
            frozen: false,
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn has_exited(&mut self) -> bool {
        let status = self.child.try_wait().expect("a child of ours");
        status.is_some()
    }

    pub(super) fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// Stops it, and returns once it stands still.
    pub(super) fn freeze(&mut self) {
        self.signal(Signal::STOP);
        let stopped = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(Pid::from_child(&self.child)), stopped).expect("a child of ours");
        self.frozen = true;
    }

    pub(super) fn thaw(&mut self) {
        self.signal(Signal::CONT);
        self.frozen = false;
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("a child of ours");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        // Before the child is reaped: after that, its number may be somebody else's.
        self.watchdog.unwatch();
        let _ = self.child.wait();
    }
}
