//! Which answer a client gets in place of a run, for what stands in the record: a replay, 409, 410, 422 or 500, each
//! with what is told of it. Of a replay that is its outcome alone: it is the most frequent, and needs no more. What a problem
//! looks like is not known here.

use actix_web::HttpResponse;

use super::coding::Accepted;
use super::problem::Problem;
use super::replay::replay;
use crate::options::Options;
use crate::store::{Finished, State};
use crate::telemetry::{Outcome, Told};

/// The answer that a record holds for a retry that accepts these content codings.
pub(crate) fn of_record(state: State, accepted: &Accepted, options: &Options) -> HttpResponse {
    let (outcome, problem) = match state {
        State::InFlight => (Outcome::InFlight, Problem::InFlight),
        State::Unknown { .. } => (Outcome::Unknown, Problem::OutcomeUnknown),
        State::Finished(Finished::NotKept(kept)) => {
            (Outcome::NotKept, Problem::ResponseNotKept(kept))
        }
        State::Finished(Finished::Completed(stored)) if !accepted.can_read(&stored) => {
            (Outcome::NotKept, Problem::OtherCoding(stored.not_kept()))
        }
        State::Finished(Finished::Completed(stored)) => {
            let mut response = replay(&stored, options);
            response.extensions_mut().insert(Outcome::Replayed);
            return response;
        }
    };
    refused(outcome, problem, &options.problem_base)
}

/// The answer to a request that differs from the first one under its key.
pub(crate) fn mismatch(problem_base: &str) -> HttpResponse {
    refused(Outcome::Mismatch, Problem::KeyReused, problem_base)
}

/// The answer to a request that comes to no look at its record, or to none that tells.
pub(crate) fn reject(problem: Problem, problem_base: &str) -> HttpResponse {
    refused(Outcome::Rejected, problem, problem_base)
}

fn refused(outcome: Outcome, problem: Problem, problem_base: &str) -> HttpResponse {
    let mut told = Told::new(outcome);
    told.problem = Some(problem.name());
    let mut response = problem.response(problem_base);
    response.extensions_mut().insert(told);
    response
}
