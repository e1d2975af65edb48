//! What those who run an application see of its layer, and do to it.

mod drain;
mod outcomes;
