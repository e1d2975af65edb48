//! Which commands are hurt, and how.

use std::fmt;
use std::time::Duration;

/// What happens to a command or its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// Resets both connections once the commands before it are answered: it never arrives.
    CutBefore,
    /// Drops its reply and closes both connections: it was applied.
    CutAfter,
    /// Closes both connections after the first half of its reply: it was applied.
    CutMidReply,
    /// Lets it arrive that much later, and all that follows on the connection.
    DelayCommand(Duration),
    /// Lets its reply arrive that much later, and all that follows on the connection.
    DelayReply(Duration),
    /// Swallows its reply and every later one on the connection, which stays open: it was applied.
    Blackhole,
}

type Predicate = Box<dyn FnMut(&[Vec<u8>]) -> bool + Send>;

/// Which commands to hurt, and how.
pub struct Rule {
    matches: Predicate,
    harm: Harm,
    once: bool,
}

impl Rule {
    /// Hurts the commands whose arguments, the name first, satisfy the predicate.
    pub fn when(matches: impl FnMut(&[Vec<u8>]) -> bool + Send + 'static, harm: Harm) -> Self {
        Self {
            matches: Box::new(matches),
            harm,
            once: false,
        }
    }

    /// Hurts the commands of that name.
    pub fn named(name: &'static str, harm: Harm) -> Self {
        let named = |command: &[Vec<u8>]| command[0].eq_ignore_ascii_case(name.as_bytes());
        Self::when(named, harm)
    }

    /// Hurts the n-th command from now, on whatever connection; the first is 1.
    pub fn nth(n: usize, harm: Harm) -> Self {
        let mut seen = 0;
        let nth = move |_: &[Vec<u8>]| {
            seen += 1;
            seen == n
        };
        Self::when(nth, harm)
    }

    /// Hurts the first such command only.
    pub fn once(mut self) -> Self {
        self.once = true;
        self
    }

    pub(super) fn harm(&mut self, command: &[Vec<u8>]) -> Option<Harm> {
        (self.matches)(command).then_some(self.harm)
    }

    pub(super) fn is_once(&self) -> bool {
        self.once
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rule = f.debug_struct("Rule");
        rule.field("harm", &self.harm).field("once", &self.once);
        rule.finish_non_exhaustive()
    }
}
