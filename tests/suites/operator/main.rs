//! What operators are told of operations, and how they find those whose outcome nobody knows.

mod descriptions;
