//! The house rules of `idempotency-actix/src`, checked against its text: who stands where, and may use what.

mod arrows;
mod circles;
mod rules;
mod samples;
mod source;
mod tree;

use std::path::Path;
use std::sync::LazyLock;

use crate::rules::{House, Rules, room};

/// What this crate's source must hold. Each room, what it may use (and with it all that those may use), and
/// what it never names.
const RULES: Rules = Rules {
    rooms: &[
        room("layer", &["run"], &[]),
        room("run", &["answer", "claim"], &[]),
        room("answer", &["options"], &[]),
        room("options", &["store"], &[]),
        room("claim", &["store"], HTTP),
        room("store", &["request"], &["HttpRequest", "HttpResponse"]),
        room("request", &[], &["tokio"]),
    ],
    // Every room stands on the ground, and the ground on nothing but itself.
    ground: &["telemetry", "error"],
    // Re-exports, and what generated code calls: may use everything, and is used by nothing.
    root: "lib.rs",
};

/// A claim is the right to run, whatever asks for it and whatever is answered.
const HTTP: &[&str] = &[
    "HttpRequest",
    "HttpResponse",
    "HttpResponseBuilder",
    "ServiceRequest",
    "ServiceResponse",
    "HeaderMap",
    "HeaderName",
    "HeaderValue",
    "actix_web::http",
];

static HOUSE: LazyLock<House> = LazyLock::new(|| {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../idempotency-actix/src");
    House::read(RULES, Path::new(source))
});

/// Fails with the findings, and with what to do about them.
fn none(findings: Vec<String>, advice: &str) {
    assert!(
        findings.is_empty(),
        "{advice}:\n  {}\n",
        findings.join("\n  ")
    );
}

#[test]
fn every_file_and_every_path_in_it_can_be_read() {
    none(
        HOUSE.unread(),
        "teach the checker these, or spell them so that it reads them",
    );
}

#[test]
fn every_file_stands_in_a_room_or_is_ground() {
    none(
        HOUSE.without_room(),
        "move each of these files into the room that it belongs to",
    );
}

#[test]
fn every_arrow_runs_in_the_direction() {
    println!("{}", HOUSE.table());
    let advice = "these run against the direction; move the item down to a room that both may use, or the \
                  code that needs it up";
    none(HOUSE.against_the_direction(), advice);
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let advice = "cut one arrow of each circle: move what both sides need into a file of its own";
    none(HOUSE.in_circles(), advice);
}

#[test]
fn every_file_opens_with_what_it_holds() {
    let advice = "write a `//!` line first: what the file holds, and what it must not know";
    none(HOUSE.without_introduction(), advice);
}

#[test]
fn no_room_names_what_is_none_of_its_business() {
    let advice =
        "the table of this test tells what a room never names; move the code to a room above";
    none(HOUSE.out_of_place(), advice);
}
