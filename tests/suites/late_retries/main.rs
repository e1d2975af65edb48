//! What a key may be and how old, where it is, and what a late retry gets.

mod headers;
mod key_age;
mod key_format;
mod key_in_body;
mod keys;
mod on_replay;
#[path = "../http/places.rs"]
mod places;
mod problem_response;
mod record;
mod window;
