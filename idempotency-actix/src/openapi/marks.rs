//! The headers by which answers tell a client what they are.

use std::mem::replace;

use actix_web::http::header::{HeaderName, LOCATION, RETRY_AFTER};
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::response::Response;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use crate::answer::{IDEMPOTENCY_STATUS, IDEMPOTENT_REPLAYED};

/// Marks a response of the handler as one that may be a replay, and for how long.
pub(super) fn mark(response: &mut Response, window: Option<&HeaderName>) {
    add(
        response,
        &IDEMPOTENT_REPLAYED,
        header(
            text().enum_values(Some(["true"])),
            "The answer comes from the record of the first request. Nothing ran again.",
        ),
    );
    add(
        response,
        &IDEMPOTENCY_STATUS,
        header(
            text().enum_values(Some(["unstored"])),
            "The answer is true and not recorded yet. A retry may be told otherwise until it is.",
        ),
    );
    if let Some(name) = window {
        let told = "For how many seconds retries with this key get this answer.";
        add(response, name, header(seconds(), told));
    }
}

/// Describes a header that a problem is answered with, if clients act by it.
pub(super) fn tell(response: &mut Response, name: &HeaderName) {
    let described = match *name {
        RETRY_AFTER => header(
            seconds(),
            "After how many seconds to retry, with the same key.",
        ),
        LOCATION => header(
            text(),
            "The `Location` of the first answer, where it had one.",
        ),
        _ => return,
    };
    add(response, name, described);
}

fn add(response: &mut Response, name: &HeaderName, described: Header) {
    let is_there = |other: &String| other.eq_ignore_ascii_case(name.as_str());
    if !response.headers.keys().any(is_there) {
        response.headers.insert(written(name), described);
    }
}

/// The name as people write it.
fn written(name: &HeaderName) -> String {
    let mut starts = true;
    let letter = |it: char| match replace(&mut starts, it == '-') {
        true => it.to_ascii_uppercase(),
        false => it,
    };
    name.as_str().chars().map(letter).collect()
}

fn header(schema: ObjectBuilder, description: &str) -> Header {
    HeaderBuilder::new()
        .schema(schema)
        .description(Some(description))
        .build()
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn seconds() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0))
}
