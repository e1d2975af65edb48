//! What is recorded of an answer that was not kept, such as one too large: status and location.

use std::fmt;

/// What is known of an answer that was not kept.
#[derive(Clone, PartialEq, Eq)]
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

/// Shows the status, and whether there is a `Location`, which may hold personal data.
impl fmt::Debug for NotKept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotKept")
            .field("status", &self.status)
            .field("has_location", &self.location.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_the_location() {
        let not_kept = NotKept::new(201, Some(b"/people/jane".to_vec()));
        let shown = format!("{not_kept:?}");
        assert_eq!(shown, "NotKept { status: 201, has_location: true }");
    }
}
