//! What a key may be and how old, where it is, and what a late retry gets.

mod key_format;
#[path = "../http/places.rs"]
mod places;
