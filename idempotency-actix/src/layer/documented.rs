//! What a document of a layer's API has to know of it.

use super::idempotency::Idempotency;
use crate::options::Options;

impl Idempotency {
    pub(crate) fn options(&self) -> &Options {
        &self.0.options
    }

    /// Whether the application gives problems a form of its own.
    pub(crate) fn forms_problems(&self) -> bool {
        self.0.problem_response.is_some()
    }
}
