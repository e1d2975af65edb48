//! The end of an operation: the handler's answer is captured, recorded and sent, or the claim released.

use actix_web::HttpResponse;

use super::context::Context;
use super::stream::tee;
use crate::answer::{
    Captured, NotExecuted, capture, drop_marks, mark_unstored, of_record, set_body,
};
use crate::claim::{HeldClaim, Recorded};
use crate::options::Options;
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

/// Gives the claim up, or binds the key to the handler's answer, before the client gets it.
///
/// An answer in one buffer is recorded here. A stream is sent as it is produced, and its end is held
/// until it is recorded. The answer changes in place: a future that owns it would hold it many times.
pub(crate) async fn finish(
    binding: Binding,
    held: HeldClaim,
    response: &mut HttpResponse,
    options: &Options,
    context: &Context,
) {
    drop_marks(response);
    if binding == Binding::Release {
        return Box::pin(release(held)).await;
    }
    let finished = match capture(response, options) {
        Captured::Whole(finished) => finished,
        Captured::Stream { head, body, length } => {
            outcome(Outcome::First);
            set_body(response, tee(held, head, body, length, options));
            return;
        }
    };
    match held.complete(&finished, options.ttl).await {
        Recorded::Stored => outcome(Outcome::First),
        Recorded::TooOld | Recorded::Failed => {
            mark_unstored(response);
            outcome(Outcome::First);
        }
        // Its own answer is not the answer of this operation, so the client must not get it.
        Recorded::Refused => {
            let state = Box::pin(held.found()).await;
            *response = of_record(state, context.accepted(), &options.problem_base);
        }
    }
}

/// Gives the claim up: the handler has not acted.
pub(crate) async fn release(held: HeldClaim) {
    held.release().await;
    outcome(Outcome::Released);
}
