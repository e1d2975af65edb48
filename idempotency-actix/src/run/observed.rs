//! How a request was answered, told to whoever wants to know. It decides nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};

use actix_web::{HttpMessage, HttpRequest, HttpResponse};

use super::context::Context;
use crate::answer::of_record;
use crate::options::Options;
use crate::store::{Finished, State};
use crate::telemetry::{Outcome, OutcomeEvent, Told, is_heard, method_name, tell};

/// How a first answer ends that is recorded as that.
pub(super) fn first(finished: &Finished) -> Outcome {
    match finished {
        Finished::Completed(_) => Outcome::First,
        Finished::NotKept(_) => Outcome::FirstNotKept,
    }
}

/// Has an answer tell of that outcome, once it is known whose it is.
pub(crate) fn mark(answer: &mut HttpResponse, outcome: Outcome) {
    answer.extensions_mut().insert(Told::new(outcome));
}

/// Tells of an answer in place of the handler's, and leaves its outcome for middleware around the layer. An answer of the
/// application's own is no outcome.
pub(crate) fn told(request: &HttpRequest, answer: &mut HttpResponse, options: &Options) {
    let is_replay = is_replay(answer);
    // What a handler's run came to was told when it was recorded.
    if !is_replay && !answer.extensions().contains::<Told>() {
        return;
    }
    let context = Context::of(&request.extensions()).cloned();
    match context {
        Some(context) if is_replay => context.tell_of_replay(options),
        Some(context) => context.tell_of(options, answer),
        // It was refused before it had a good key.
        None => {
            if let Some(told) = take(answer) {
                let route = request.match_pattern();
                let event = told.event(method_name(request.method()), route.as_deref());
                publish(options, &event);
            }
        }
    }
}

fn take(answer: &mut HttpResponse) -> Option<Told> {
    let mut extensions = answer.extensions_mut();
    let told = extensions.remove::<Told>()?;
    extensions.insert(told.outcome);
    Some(told)
}

fn is_replay(answer: &HttpResponse) -> bool {
    answer.extensions().get() == Some(&Outcome::Replayed)
}

impl Context {
    /// The answer that a record holds for the request.
    pub(super) fn of_record(&self, state: State, options: &Options) -> HttpResponse {
        if let State::Finished(Finished::Completed(stored)) = &state
            && let Some(at) = stored.answered_at()
        {
            self.note_age(at.elapsed().unwrap_or_default());
        }
        of_record(state, self.accepted(), options)
    }

    /// Tells of the outcome of the request.
    pub(crate) fn tell(&self, options: &Options, told: Told) {
        if options.on_outcome.is_none() && !is_heard(told.outcome) {
            return;
        }
        let description = self.description();
        let mut event = told.event(method_name(description.method()), description.route());
        event.record = self.record().map(|id| id.hash());
        event.age = self.age();
        event.waited = self.waited();
        if let Some(run) = self.run() {
            event.generation = Some(run.generation);
            event.ran = Some(run.since.elapsed());
        }
        publish(options, &event);
    }

    /// Tells of an answer that a client gets in place of a run or of its own, once.
    pub(super) fn tell_of(&self, options: &Options, answer: &mut HttpResponse) {
        if is_replay(answer) {
            self.tell_of_replay(options);
        } else if let Some(told) = take(answer) {
            self.tell(options, told);
        }
    }

    fn tell_of_replay(&self, options: &Options) {
        if self.take_replay() {
            self.tell(options, Told::new(Outcome::Replayed));
        }
    }
}

fn publish(options: &Options, event: &OutcomeEvent<'_>) {
    tell(event);
    if let Some(observer) = &options.on_outcome
        && catch_unwind(AssertUnwindSafe(|| observer.observe(event))).is_err()
    {
        tracing::error!("the function that is told of outcomes panicked");
    }
}
