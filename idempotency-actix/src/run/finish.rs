//! The end of an operation: by status and mark the answer is recorded or the claim released; a panic is an answer too.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::context::Context;
use super::stream::{Streamed, tee};
use crate::answer::{
    Captured, NotExecuted, capture, drop_marks, mark_unstored, of_record, set_body,
};
use crate::claim::{HeldClaim, Recorded};
use crate::options::Options;
use crate::store::Finished;
use crate::telemetry::{Outcome, outcome};

/// What becomes of a key when its handler has answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binding {
    /// The answer is for this client only.
    Release,
    /// The answer is every retry's.
    Bind,
}

impl Binding {
    /// What the handler's answer asks for.
    pub(crate) fn of(response: &HttpResponse, options: &Options) -> Self {
        let releases =
            NotExecuted::is_marked(response) || options.release_on.contains(response.status());
        match releases {
            true => Self::Release,
            false => Self::Bind,
        }
    }
}

/// A handler's answer as it was given, until it is known that it is what the client gets.
pub(crate) struct Finishing {
    status: StatusCode,
    options: Rc<Options>,
    context: Arc<Context>,
    answer: Given,
}

enum Given {
    /// `None` once it is given up.
    Released(Option<HeldClaim>),
    Whole(HeldClaim, Finished),
    Stream(Streamed),
}

/// What becomes of an answer that passes the layer.
pub(crate) enum Passed {
    AsItIs,
    /// It is true, and not yet kept.
    Unstored,
    /// Its own answer is not the answer of this operation, so the client must not get it.
    Instead(Box<HttpResponse>),
}

impl Passed {
    /// Makes of the answer what the client gets.
    pub(crate) fn change(self, response: &mut HttpResponse) {
        match self {
            Self::AsItIs => {}
            Self::Unstored => mark_unstored(response.headers_mut()),
            Self::Instead(answer) => *response = *answer,
        }
    }
}

impl Finishing {
    /// Takes what is kept of an answer. A stream is read from here on, and its end is held until it is
    /// recorded. The answer changes in place: a future that owns it would hold it many times.
    pub(crate) fn of(
        binding: Binding,
        held: HeldClaim,
        response: &mut HttpResponse,
        options: &Rc<Options>,
        context: Arc<Context>,
    ) -> Self {
        drop_marks(response.headers_mut());
        let status = response.status();
        let answer = match binding {
            Binding::Release => Given::Released(Some(held)),
            Binding::Bind => match capture(response, options) {
                Captured::Whole(finished) => Given::Whole(held, finished),
                Captured::Stream { head, body, length } => {
                    let (streamed, body) = tee(held, head, body, length, options);
                    set_body(response, body);
                    Given::Stream(streamed)
                }
            },
        };
        let options = Rc::clone(options);
        Self {
            status,
            options,
            context,
            answer,
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// Records the answer, or gives the claim up, before the client gets it. It stays where it is: what a future
    /// takes in by value it may hold twice, and every first run has room for it.
    pub(crate) async fn pass(&mut self) -> Passed {
        if let Given::Stream(streamed) = &self.answer {
            match streamed.pass() {
                Some((held, finished)) => self.answer = Given::Whole(held, finished),
                None => outcome(Outcome::First),
            }
        }
        let (held, finished) = match &mut self.answer {
            Given::Whole(held, finished) => (held, finished),
            Given::Released(held) => {
                if let Some(held) = held.take() {
                    Box::pin(release(held)).await;
                }
                return Passed::AsItIs;
            }
            Given::Stream(_) => return Passed::AsItIs,
        };
        match held.complete(finished, self.options.ttl).await {
            Recorded::Stored => {
                outcome(Outcome::First);
                Passed::AsItIs
            }
            Recorded::TooOld | Recorded::Failed => {
                outcome(Outcome::First);
                Passed::Unstored
            }
            Recorded::Refused => {
                let state = Box::pin(held.found()).await;
                let accepted = self.context.accepted();
                let answer = of_record(state, accepted, &self.options.problem_base);
                Passed::Instead(Box::new(answer))
            }
        }
    }

    /// The same for another answer that came out instead, by the rules for any.
    pub(crate) async fn replace(self, response: &mut HttpResponse) {
        let held = match self.answer {
            Given::Whole(held, _) => Some(held),
            Given::Released(held) => held,
            Given::Stream(streamed) => streamed.withdraw(),
        };
        if let Some(held) = held {
            let binding = Binding::of(response, &self.options);
            let mut finishing = Self::of(binding, held, response, &self.options, self.context);
            finishing.pass().await.change(response);
        }
    }
}

/// Gives the claim up: the handler has not acted.
pub(crate) async fn release(held: HeldClaim) {
    held.release().await;
    outcome(Outcome::Released);
}
