//! The two processes that serve one place, each replaced when it has died.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard};
use std::thread;

use super::clients::{Client, Told};
use super::place::Place;
use super::teller::Teller;

pub(super) struct Crew<'a> {
    pub(super) place: &'a Place<'a>,
    tellers: [Mutex<Teller>; 2],
}

impl<'a> Crew<'a> {
    pub(super) fn of(place: &'a Place<'a>) -> Self {
        let tellers = [place.teller(), place.teller()].map(Mutex::new);
        Self { place, tellers }
    }

    /// One of both, by turns.
    pub(super) fn teller(&self, turn: usize) -> MutexGuard<'_, Teller> {
        self.tellers[turn % 2].lock().unwrap()
    }

    pub(super) fn addr(&self, turn: usize) -> SocketAddr {
        self.teller(turn).addr
    }

    /// Kills one and puts another one in its place; gives the runs that had written.
    pub(super) fn kill(&self, turn: usize) -> Vec<String> {
        let fresh = self.place.teller();
        let dead = std::mem::replace(&mut *self.teller(turn), fresh);
        dead.kill()
    }

    /// Somebody who asks them.
    pub(super) fn client(&self, turn: usize) -> Client<'_> {
        Client::new(self, turn)
    }

    /// Does something while so many clients ask for charges under fresh keys, and tells what they were told.
    pub(super) fn under_load<T>(&self, clients: usize, act: impl FnOnce() -> T) -> (Vec<Told>, T) {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let clients: Vec<_> = (0..clients)
                .map(|at| {
                    let is_over = &is_over;
                    scope.spawn(move || {
                        let mut client = self.client(at);
                        (0..)
                            .take_while(|_| !is_over.load(SeqCst))
                            .map(|key| client.insist(&format!("{at}-{key}")))
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            let done = act();
            is_over.store(true, SeqCst);
            let told = clients
                .into_iter()
                .flat_map(|it| it.join().expect("a client"));
            (told.collect(), done)
        })
    }

    /// All of them at once, each by a client of its own.
    pub(super) fn at_once<T: Send>(
        &self,
        clients: usize,
        ask: impl Fn(Client<'_>, usize) -> T + Sync,
    ) -> Vec<T> {
        thread::scope(|scope| {
            let ask = &ask;
            let clients: Vec<_> = (0..clients)
                .map(|at| scope.spawn(move || ask(self.client(at), at)))
                .collect();
            let told = clients.into_iter().map(|it| it.join().expect("a client"));
            told.collect()
        })
    }
}
