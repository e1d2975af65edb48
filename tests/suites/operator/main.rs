//! What operators are told of operations, and how they find those whose outcome nobody knows.

mod browser;
mod descriptions;
mod desk;
mod page;
