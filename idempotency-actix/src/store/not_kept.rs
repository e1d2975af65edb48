//! What is left of an answer that was not kept. It knows nothing of the answer itself, which is cut down
//! to it.

/// What is known of an answer that was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotKept {
    /// The status of the answer.
    pub status: u16,
    /// Its `Location`, where it had one.
    pub location: Option<Vec<u8>>,
}
