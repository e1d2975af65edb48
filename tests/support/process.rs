//! A program under test, as a process that no test leaves behind.

use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::watchdog::Watchdog;

/// A running process, killed when dropped, and by the watchdog if the test process is killed.
#[derive(Debug)]
pub struct Process {
    child: Child,
    watchdog: Arc<Watchdog>,
    frozen: bool,
}

impl Process {
    /// Starts a program that has no input.
    pub fn spawn(command: &mut Command, watchdog: Arc<Watchdog>) -> Self {
        let child = command
            .stdin(Stdio::null())
            .spawn()
            .expect("a program that can run");
        watchdog.watch(child.id());
        Self {
            child,
            watchdog,
            frozen: false,
        }
    }

    /// Its output, where the command has piped it.
    pub fn output(&mut self) -> ChildStdout {
        self.child.stdout.take().expect("a pipe")
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of ours")
    }

    pub fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// Stops it with its connections open, and returns once it stands still.
    pub fn freeze(&mut self) {
        self.signal(Signal::STOP);
        let stopped = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(Pid::from_child(&self.child)), stopped).expect("a child of ours");
        self.frozen = true;
    }

    /// Lets it go on.
    pub fn thaw(&mut self) {
        self.signal(Signal::CONT);
        self.frozen = false;
    }

    /// Kills it without a chance to do anything.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Asks it to end at once, as PostgreSQL understands it: as a crash does.
    pub fn quit(&self) {
        self.signal(Signal::QUIT);
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
