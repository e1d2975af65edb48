//! Clients that ask again until they are told a success, by one process or the other.

use std::net::SocketAddr;
use std::time::Duration;

use super::crew::Crew;
use crate::client::Client as Wire;
use crate::patience::until;
use crate::request::Request;
use crate::response::Response;

/// How long a client goes on. Longer than any scenario has a database away.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Client<'a> {
    crew: &'a Crew<'a>,
    turn: usize,
    open: Option<(SocketAddr, Wire)>,
}

/// What was said of one key.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) key: String,
    /// The successes.
    pub(super) answers: Vec<String>,
    /// Whether one said that the outcome is unknown, which it never is.
    pub(super) was_unknown: bool,
}

impl Told {
    pub(super) fn hear(&mut self, answer: &Response) {
        self.was_unknown |= answer.problem().as_deref() == Some("outcome-unknown");
        if answer.status == 201 {
            self.answers.push(answer.text());
        }
    }

    /// Of the same key.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.answers.extend(other.answers);
        self.was_unknown |= other.was_unknown;
        self
    }
}

impl<'a> Client<'a> {
    pub(super) fn new(crew: &'a Crew<'a>, turn: usize) -> Self {
        Self {
            crew,
            turn,
            open: None,
        }
    }

    pub(super) fn insist(&mut self, key: &str) -> Told {
        let request = self.crew.place.request(key);
        let mut told = Told {
            key: key.to_owned(),
            answers: Vec::new(),
            was_unknown: false,
        };
        _ = until(PATIENCE, || {
            let answer = self.ask(&request).ok()?;
            told.hear(&answer);
            (answer.status == 201).then_some(())
        });
        told
    }

    /// Asks once; whoever does not answer is not asked next.
    pub(super) fn ask(&mut self, request: &Request) -> std::io::Result<Response> {
        let answer = self.try_ask(request);
        if answer.is_err() {
            self.open = None;
            self.turn += 1;
        }
        answer
    }

    fn try_ask(&mut self, request: &Request) -> std::io::Result<Response> {
        let addr = self.crew.addr(self.turn);
        if self.open.as_ref().is_none_or(|(open, _)| *open != addr) {
            self.open = Some((addr, Wire::try_connect(addr)?));
        }
        let (_, wire) = self.open.as_mut().expect("an open connection");
        wire.try_send(request)?;
        wire.try_receive()
    }
}
