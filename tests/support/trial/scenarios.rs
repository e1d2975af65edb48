//! The scenarios, each with one kind of fault.

use std::hash::{BuildHasher, RandomState};
use std::thread::{scope, sleep};
use std::time::Duration;

use super::clients::Told;
use super::crew::Crew;
use super::place::{Guard, Place};
use super::verdict::Verdict;
use crate::client::Client;
use crate::postgres::{COMMIT, Cut, Wire};

/// Clients that ask at once.
const CLIENTS: usize = 8;

/// The lease where owners are stopped, and how long they are.
pub const SHORT: Duration = Duration::from_secs(6);
const STOP: Duration = Duration::from_millis(6_500);

/// A message of a first run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The look for what is recorded.
    Look,
    /// The begin of the transaction.
    Begin,
    /// The handler's own statement.
    Effect,
    /// The record with the commit.
    Commit,
}

impl At {
    /// The messages that a guard sends.
    pub fn of(guard: Guard) -> &'static [Self] {
        let all = &[Self::Look, Self::Begin, Self::Effect, Self::Commit];
        match guard {
            Guard::Layer => all,
            Guard::Nothing => &all[1..],
        }
    }

    /// What stands in it, and in no other.
    fn sql(self) -> &'static str {
        match self {
            Self::Look => "::bigint, kind",
            Self::Begin => "BEGIN",
            Self::Effect => "_charges",
            Self::Commit => COMMIT,
        }
    }
}

/// Kills one process after the other, wherever it is: the first for certain in mid-run, under the first key of a client.
pub fn kills(place: &Place<'_>, faults: usize) -> Verdict {
    let crew = Crew::of(place);
    let owned = place.request("0-0").header("x-pause-ms", "600000");
    let _owner = crew.teller(0).ask(&owned);
    crew.teller(0).wait_for_writes(1);
    let (told, written) = crew.under_load(CLIENTS, || {
        let kill = |fault| {
            pause(20..120);
            crew.kill(fault)
        };
        (0..faults).map(kill).collect()
    });
    Verdict::of(&crew, told, written)
}

/// Ends the server as a crash does, and starts it again.
///
/// # Panics
///
/// If the place is a file.
pub fn crashes(place: &Place<'_>, faults: usize) -> Verdict {
    let server = place.server().expect("a server to crash");
    let crew = Crew::of(place);
    let (told, written) = crew.under_load(CLIENTS, || {
        let crash = |_| {
            pause(100..400);
            server.restart();
            [0, 1].map(|at| crew.teller(at).take_written()).concat()
        };
        (0..faults).map(crash).collect()
    });
    Verdict::of(&crew, told, written)
}

/// Cuts a connection at one message of each operation.
pub fn cuts(place: &Place<'_>, wire: &Wire, at: At, cut: Cut, faults: usize) -> Verdict {
    let crew = Crew::of(place);
    let mut written = Vec::new();
    let told = (0..faults).map(|fault| {
        wire.cut_at(at.sql(), cut);
        let told = crew.client(fault).insist(&format!("{fault}"));
        if !wire.disarm() {
            written.push([0, 1].map(|at| crew.teller(at).take_written()).concat());
        }
        told
    });
    let told = told.collect();
    Verdict::of(&crew, told, written)
}

/// Sends so many copies of each request at once.
pub fn duplicates(place: &Place<'_>, keys: usize, copies: usize) -> Verdict {
    let crew = Crew::of(place);
    let told = (0..keys).map(|key| {
        let copies = crew.at_once(copies, |mut client, _| client.insist(&format!("{key}")));
        copies.into_iter().reduce(Told::and).expect("a copy")
    });
    let told = told.collect();
    let written = vec![[0, 1].map(|at| crew.teller(at).take_written()).concat(); keys];
    Verdict::of(&crew, told, written)
}

/// Stops an owner in mid-run for longer than [its lease](SHORT), while its clients ask the other one, and lets it go on.
pub fn stops(place: &Place<'_>, faults: usize) -> Verdict {
    let crew = Crew::of(place);
    let mut written = Vec::new();
    let mut all = Vec::new();
    // A file has one writer.
    let owned = if place.server().is_some() { 4 } else { 1 };
    for fault in 0..faults {
        let keys: Vec<_> = (0..owned).map(|key| format!("{fault}-{key}")).collect();
        let ask = |key: &String| {
            let request = place.request(key).header("x-pause-ms", "300");
            crew.teller(fault).ask(&request)
        };
        let mut owners: Vec<Client> = keys.iter().map(ask).collect();
        crew.teller(fault).wait_for_writes(owned);
        crew.teller(fault).process.freeze();
        let told: Vec<Told> = scope(|scope| {
            let crew = &crew;
            let mut others = Vec::new();
            for key in &keys {
                others.push(scope.spawn(move || crew.client(fault + 1).insist(key)));
            }
            sleep(STOP);
            crew.teller(fault).process.thaw();
            let told = others.into_iter().map(|it| it.join().expect("a client"));
            told.collect()
        });
        for (mut told, owner) in told.into_iter().zip(&mut owners) {
            if let Ok(answer) = owner.try_receive() {
                told.hear(&answer);
            }
            all.push(told);
        }
        written.push([0, 1].map(|at| crew.teller(at).take_written()).concat());
    }
    Verdict::of(&crew, all, written)
}

/// For some milliseconds, by chance.
fn pause(range: std::ops::Range<u64>) {
    let random = RandomState::new().hash_one(());
    sleep(Duration::from_millis(
        range.start + random % (range.end - range.start),
    ));
}
