//! Which answer a client gets in place of a run, for what stands in the record: a replay, 409, 410, 422 or 500, each
//! counted by its outcome. What a problem looks like is not known here.

use actix_web::HttpResponse;

use super::coding::Accepted;
use super::problem::Problem;
use super::replay::replay;
use crate::store::{Finished, State};
use crate::telemetry::{Outcome, outcome};

/// The answer that a record holds for a retry that accepts these content codings.
pub(crate) fn of_record(state: State, accepted: &Accepted, problem_base: &str) -> HttpResponse {
    let (label, problem) = match state {
        State::InFlight => (Outcome::InFlight, Problem::InFlight),
        State::Unknown { .. } => (Outcome::Unknown, Problem::OutcomeUnknown),
        State::Finished(Finished::NotKept(kept)) => {
            (Outcome::NotKept, Problem::ResponseNotKept(kept))
        }
        State::Finished(Finished::Completed(stored)) if !accepted.can_read(&stored) => {
            (Outcome::NotKept, Problem::OtherCoding(stored.not_kept()))
        }
        State::Finished(Finished::Completed(stored)) => {
            outcome(Outcome::Replayed);
            return replay(&stored);
        }
    };
    outcome(label);
    problem.response(problem_base)
}

/// The answer to a request that differs from the first one under its key.
pub(crate) fn mismatch(problem_base: &str) -> HttpResponse {
    outcome(Outcome::Mismatch);
    Problem::KeyReused.response(problem_base)
}

/// The answer to a request that comes to no look at its record, or to none that tells.
pub(crate) fn reject(problem: Problem, problem_base: &str) -> HttpResponse {
    outcome(Outcome::Rejected);
    problem.response(problem_base)
}
