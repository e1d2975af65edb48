//! The end of an operation: by status and mark the answer is recorded or the claim released; a panic is an answer too.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::context::Context;
use super::observed::first;
use super::stream::{Streamed, tee};
use crate::answer::{
    Captured, NotExecuted, capture, drop_marks, mark_unstored, mark_window, set_body,
};
use crate::claim::{HeldClaim, Recorded};
use crate::options::Options;
use crate::store::Finished;
use crate::telemetry::{Outcome, Told};

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
    AsItIs(Outcome),
    /// It is true, and not yet kept.
    Unstored(Outcome),
    /// Its own answer is not the answer of this operation, so the client must not get it.
    Instead(Box<HttpResponse>),
}

impl Passed {
    /// Makes of the answer that was taken what the client gets. `options` are those of its record, if it has one.
    pub(crate) fn change(self, response: &mut HttpResponse, options: Option<&Options>) {
        if let Some(instead) = self.mark(response, options) {
            *response = instead;
        }
    }

    /// The same of an answer that has come by what stands between.
    pub(crate) fn mark_passed<B>(
        self,
        response: &mut HttpResponse<B>,
        options: Option<&Options>,
    ) -> Option<HttpResponse> {
        drop_marks(response.headers_mut());
        self.mark(response, options)
    }

    /// Marks the answer, or tells what the client gets instead.
    fn mark<B>(
        self,
        response: &mut HttpResponse<B>,
        options: Option<&Options>,
    ) -> Option<HttpResponse> {
        let headers = response.headers_mut();
        let outcome = match self {
            Self::AsItIs(outcome) => outcome,
            Self::Unstored(outcome) => {
                mark_unstored(headers);
                outcome
            }
            Self::Instead(answer) => return Some(*answer),
        };
        if let (Some(options), Outcome::First | Outcome::FirstNotKept) = (options, outcome) {
            mark_window(headers, options);
        }
        response.extensions_mut().insert(outcome);
        None
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
                    let (streamed, body) = tee(held, head, body, length, options, &context);
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

    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    /// Records the answer, or gives the claim up, before the client gets it. It stays where it is: what a future
    /// takes in by value it may hold twice, and every first run has room for it.
    pub(crate) async fn pass(&mut self) -> Passed {
        if let Given::Stream(streamed) = &self.answer
            && let Some((held, finished)) = streamed.pass()
        {
            self.answer = Given::Whole(held, finished);
        }
        let (held, finished) = match &mut self.answer {
            Given::Whole(held, finished) => (held, finished),
            Given::Released(held) => {
                if let Some(held) = held.take() {
                    Box::pin(held.release()).await;
                    self.tell(Outcome::Released);
                }
                return Passed::AsItIs(Outcome::Released);
            }
            // It is told of at the end of the stream.
            Given::Stream(_) => return Passed::AsItIs(Outcome::First),
        };
        let outcome = first(finished);
        match held.complete(finished, self.options.kept_for()).await {
            Recorded::Stored => {
                self.tell(outcome);
                Passed::AsItIs(outcome)
            }
            Recorded::TooOld | Recorded::Failed => {
                self.tell(outcome);
                Passed::Unstored(outcome)
            }
            Recorded::Refused => {
                let state = Box::pin(held.found()).await;
                let mut answer = self.context.of_record(state, &self.options);
                self.context.tell_of(&self.options, &mut answer);
                Passed::Instead(Box::new(answer))
            }
        }
    }

    fn tell(&self, outcome: Outcome) {
        self.context.tell(&self.options, Told::new(outcome));
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
            let passed = finishing.pass().await;
            passed.change(response, Some(&finishing.options));
        }
    }
}
