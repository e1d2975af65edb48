//! HTTP answers of ours, and the handler's as records keep them. It does not know when which is given.

mod capture;
mod coding;
mod edited;
#[cfg(feature = "utoipa")]
mod every_problem;
mod failure;
mod in_transaction;
mod not_executed;
mod problem;
mod problem_response;
mod reason;
mod refusal;
mod replay;
mod reply;

pub(crate) use self::capture::{Captured, CapturedHead, capture, capture_whole, set_body};
pub(crate) use self::coding::Accepted;
pub(crate) use self::edited::edited;
#[cfg(feature = "utoipa")]
pub(crate) use self::every_problem::every_problem;
pub(crate) use self::failure::{AsError, answer_of, caught, misconfigured, panicked, rendered};
pub use self::in_transaction::{Commit, RunAgain};
pub use self::not_executed::NotExecuted;
pub(crate) use self::problem::Problem;
pub use self::problem_response::{Problem as ToldProblem, ProblemKind};
pub(crate) use self::problem_response::{ProblemFn, formed};
pub(crate) use self::refusal::refuse;
pub use self::replay::{IDEMPOTENCY_STATUS, IDEMPOTENT_REPLAYED};
pub(crate) use self::replay::{drop_marks, mark_unstored, mark_window};
pub(crate) use self::reply::{mismatch, of_record, reject};
