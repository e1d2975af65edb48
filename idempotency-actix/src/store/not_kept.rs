//! What is left of an answer that was not kept. It knows nothing of the answer itself, which is cut down
//! to it.

/// What is known of an answer that was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotKept {
    /// The status of the answer.
    pub status: u16,
    /// Its `Location`, where it had one.
    pub location: Option<Vec<u8>>,
}

impl NotKept {
    /// An answer of this status, with the octets of its `Location` if it had one.
    pub fn new(status: u16, location: Option<Vec<u8>>) -> Self {
        Self { status, location }
    }
}
