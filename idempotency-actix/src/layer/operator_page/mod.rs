//! A page on which operators find unknown outcomes and decide about them: its paths, and who may come. What a decision does
//! to a record is not known here.

mod decision;
mod document;
mod origin;
mod search;
mod service;
mod views;

pub use self::service::OperatorPage;
