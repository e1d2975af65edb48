//! What went through, by connection.

use std::sync::{Mutex, MutexGuard};

use super::rule::{Harm, Rule};

/// What went over one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// The names of the commands that came from the client, in upper case and in order.
    pub commands: Vec<String>,
    /// How many whole replies were sent to the client.
    pub replies: usize,
}

/// The rule, and what happened so far.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    rule: Option<Rule>,
    traffic: Vec<Traffic>,
    harmed: usize,
}

impl Ledger {
    pub(super) fn set_rule(&self, rule: Option<Rule>) {
        self.entries().rule = rule;
    }

    pub(super) fn traffic(&self) -> Vec<Traffic> {
        self.entries().traffic.clone()
    }

    pub(super) fn commands(&self, name: &str) -> usize {
        let entries = self.entries();
        let commands = entries.traffic.iter().flat_map(|one| &one.commands);
        commands
            .filter(|command| command.eq_ignore_ascii_case(name))
            .count()
    }

    pub(super) fn harmed(&self) -> usize {
        self.entries().harmed
    }

    /// Counts a connection and returns its number.
    pub(super) fn accepted(&self) -> usize {
        let mut entries = self.entries();
        entries.traffic.push(Traffic::default());
        entries.traffic.len() - 1
    }

    /// Counts a command and says what is to happen to it.
    pub(super) fn command(&self, connection: usize, command: &[Vec<u8>]) -> Option<Harm> {
        let mut entries = self.entries();
        let name = String::from_utf8_lossy(&command[0]).to_ascii_uppercase();
        entries.traffic[connection].commands.push(name);
        let rule = entries.rule.as_mut()?;
        let harm = rule.harm(command)?;
        if rule.is_once() {
            entries.rule = None;
        }
        Some(harm)
    }

    pub(super) fn reply(&self, connection: usize) {
        self.entries().traffic[connection].replies += 1;
    }

    /// Counts a harm that was done.
    pub(super) fn harm(&self) {
        self.entries().harmed += 1;
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().expect("no panic while held")
    }
}
