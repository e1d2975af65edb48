//! What a scenario came to: which keys are wrong, and whether anything is left behind.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use super::clients::Told;
use super::crew::Crew;
use super::place::Guard;
use crate::patience::until;

/// Clients that ask at once, which is more than a process has connections.
const CROWD: usize = 16;

/// What a scenario came to.
#[derive(Debug)]
pub struct Verdict {
    guard: Guard,
    faults: usize,
    /// Faults by which a run was undone that had written: they met a transaction in its midst.
    in_midst: usize,
    keys: usize,
    /// What is wrong when each key has got its answer.
    wrong: Vec<String>,
    /// What is wrong when each has been asked once more.
    wrong_again: Vec<String>,
    open_transactions: i64,
    /// Fresh keys that were not served in the end.
    refused: usize,
}

impl Verdict {
    /// Of what clients were told, and of what runs had written before each fault.
    pub(super) fn of(crew: &Crew<'_>, mut told: Vec<Told>, written: Vec<Vec<String>>) -> Self {
        let place = crew.place;
        let effects = place.effects();
        let committed: HashSet<_> = effects.values().flatten().collect();
        let met = |runs: &&Vec<String>| runs.iter().any(|run| !committed.contains(run));
        let in_midst = written.iter().filter(met).count();
        let wrong = wrong(&told, &effects);
        let size = told.len().div_ceil(CROWD).max(1);
        let again = crew.at_once(CROWD, |mut client, at| {
            let mine = told.chunks(size).nth(at).unwrap_or_default();
            let told = mine.iter().map(|told| client.insist(&told.key));
            told.collect::<Vec<_>>()
        });
        let again = again.into_iter().flatten();
        told = told.into_iter().zip(again).map(|(a, b)| a.and(b)).collect();
        let mut wrong_again = self::wrong(&told, &place.effects());
        let (_, records) = place.count();
        if place.guard() == Guard::Layer && records != told.len() as i64 {
            wrong_again.push(format!("{records} records"));
        }
        let is_closed = || (place.open_transactions() == 0).then_some(());
        _ = until(Duration::from_secs(10), is_closed);
        let open_transactions = place.open_transactions();
        let served = crew.at_once(2 * CROWD, |mut client, at| {
            let told = client.insist(&format!("last-{at}"));
            !told.answers.is_empty()
        });
        Self {
            guard: place.guard(),
            faults: written.len(),
            in_midst,
            keys: told.len(),
            wrong,
            wrong_again,
            open_transactions,
            refused: served.iter().filter(|is_served| !**is_served).count(),
        }
    }

    /// Whether it is as it should be: nothing wrong under the layer, and every key without it.
    pub fn is_as_it_should_be(&self) -> bool {
        let is_well = self.open_transactions == 0 && self.refused == 0;
        let is_found = match self.guard {
            Guard::Layer => self.wrong.is_empty() && self.wrong_again.is_empty() && is_well,
            Guard::Nothing => self.wrong_again.len() == self.keys,
        };
        is_found && self.faults > 0
    }

    /// Whether a fault was enough, and no question more, to get a key wrong.
    pub fn has_wrong(&self) -> bool {
        !self.wrong.is_empty()
    }

    /// Faults that met a transaction in its midst.
    pub fn in_midst(&self) -> usize {
        self.in_midst
    }

    /// Some of what is wrong.
    pub fn complaints(&self) -> impl Iterator<Item = &str> {
        let all = self.wrong.iter().chain(&self.wrong_again);
        all.map(|text| &**text).take(5)
    }
}

/// The cells of a table.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            faults,
            in_midst,
            keys,
            open_transactions,
            refused,
            ..
        } = self;
        let (wrong, again) = (self.wrong.len(), self.wrong_again.len());
        write!(
            f,
            "{faults} | {in_midst} | {keys} | {wrong} | {again} | {open_transactions} | {refused}"
        )
    }
}

/// The keys that have not one effect, and not its answer and no other.
fn wrong(told: &[Told], effects: &HashMap<String, Vec<String>>) -> Vec<String> {
    let complain = |told: &Told| {
        let effects = effects.get(&told.key).map_or(&[][..], |runs| runs);
        let is_right = !told.was_unknown
            && effects.len() == 1
            && !told.answers.is_empty()
            && told.answers.iter().all(|answer| *answer == effects[0]);
        (!is_right).then(|| format!("{told:?}, effects of {effects:?}"))
    };
    told.iter().filter_map(complain).collect()
}
