//! What is printed: what was asked, what stands in the books, and whether that is right.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;

use crate::transfer::Books;

/// What became of a transfer, as its client was told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Booked,
    Refused,
}

/// What clients counted.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) asked: u64,
    pub(crate) tries: u64,
    pub(crate) cut_off: u64,
    pub(crate) lost: u64,
    pub(crate) told_to_wait: u64,
    pub(crate) replays: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.asked += other.asked;
        self.tries += other.tries;
        self.cut_off += other.cut_off;
        self.lost += other.lost;
        self.told_to_wait += other.told_to_wait;
        self.replays += other.replays;
    }
}

pub(crate) struct Report {
    pub(crate) kills: u32,
    pub(crate) tally: Tally,
    /// By reference.
    pub(crate) told: BTreeMap<String, Told>,
    pub(crate) books: Books,
}

impl Report {
    /// How many transfers of those that were told so are in the books so often.
    fn count(&self, told: Told, is_right: impl Fn(i64) -> bool) -> usize {
        let found = self.told.iter().filter(|(reference, it)| {
            let booked = self.books.booked.get(*reference).copied().unwrap_or(0);
            **it == told && is_right(booked)
        });
        found.count()
    }

    pub(crate) fn is_right(&self) -> bool {
        let right = self.count(Told::Booked, |times| times == 1)
            + self.count(Told::Refused, |times| times == 0);
        right == self.told.len() && self.books.sum_cents == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tally = &self.tally;
        let counts = [
            ("transfers asked", tally.asked),
            ("tries", tally.tries),
            ("  cut off by a kill", tally.cut_off),
            ("  told to come again", tally.told_to_wait),
            ("  answered, and the answer lost", tally.lost),
            ("kills", self.kills.into()),
            ("replays", tally.replays),
        ];
        for (what, count) in counts {
            writeln!(f, "{what:32}{count:>8}")?;
        }
        let rows = [
            (
                "told 201, booked once",
                self.count(Told::Booked, |times| times == 1),
            ),
            (
                "told 201, booked more often",
                self.count(Told::Booked, |times| times > 1),
            ),
            (
                "told 201, and not booked",
                self.count(Told::Booked, |times| times == 0),
            ),
            (
                "told 402, not booked",
                self.count(Told::Refused, |times| times == 0),
            ),
            (
                "told 402, and booked",
                self.count(Told::Refused, |times| times > 0),
            ),
        ];
        writeln!(f)?;
        for (what, count) in rows {
            writeln!(f, "{what:32}{count:>8}")?;
        }
        write!(
            f,
            "{:32}{:>8}",
            "sum over all accounts", self.books.sum_cents
        )
    }
}
