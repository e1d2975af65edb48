//! The house rules of the crates' sources, checked against their text: who stands where, and may use what.

mod arrows;
mod circles;
mod rules;
mod samples;
mod source;
mod tree;

use std::path::Path;
use std::sync::LazyLock;

use crate::rules::{House, Rules, room};

/// What the source of `idempotency-actix` must hold. Each room, what it may use (and with it all that those may use), and
/// what it never names.
const RULES: Rules = Rules {
    rooms: &[
        // For the tests of applications: above everything, and used by nothing.
        room("testing", &["layer"], &[]),
        // What documents say of a layer, and nothing of a request.
        room("openapi", &["layer"], &["HttpRequest"]),
        room("layer", &["run"], &[]),
        room("run", &["answer", "claim"], &[]),
        room("answer", &["options"], &[]),
        room("options", &["store"], &[]),
        room("claim", &["store"], HTTP),
        room("store", &["request"], &["HttpRequest", "HttpResponse"]),
        room("request", &[], &["tokio"]),
        // Pages of documentation, and no code.
        room("guide", &[], &[]),
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

/// The same of `idempotency-actix-sqlx`: two databases that do not know each other, on what both do.
const SQL_RULES: Rules = Rules {
    rooms: &[
        room("postgres", &[], &["sqlx::sqlite", "Sqlite"]),
        room("sqlite", &[], &["sqlx::postgres", "Postgres"]),
    ],
    ground: &[
        "background",
        "conditions",
        "connections",
        "error",
        "failure",
        "name",
        "nesting",
        "new_row",
        "options",
        "records",
        "report",
        "row",
        "sql_error",
        "steps",
        "sweep",
        "values",
        "verdict",
    ],
    root: "lib.rs",
};

static HOUSES: LazyLock<[House; 2]> = LazyLock::new(|| {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let house = |rules, name: &str| House::read(rules, &workspace.join(name).join("src"));
    [
        house(RULES, "idempotency-actix"),
        house(SQL_RULES, "idempotency-actix-sqlx"),
    ]
});

fn in_all(findings: impl Fn(&House) -> Vec<String>) -> Vec<String> {
    HOUSES.iter().flat_map(findings).collect()
}

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
        in_all(House::unread),
        "teach the checker these, or spell them so that it reads them",
    );
}

#[test]
fn every_file_stands_in_a_room_or_is_ground() {
    none(
        in_all(House::without_room),
        "move each of these files into the room that it belongs to",
    );
}

#[test]
fn every_arrow_runs_in_the_direction() {
    for house in &*HOUSES {
        println!("{}", house.table());
    }
    let advice = "these run against the direction; move the item down to a room that both may use, or the \
                  code that needs it up";
    none(in_all(House::against_the_direction), advice);
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let advice = "cut one arrow of each circle: move what both sides need into a file of its own";
    none(in_all(House::in_circles), advice);
}

#[test]
fn every_file_opens_with_what_it_holds() {
    let advice = "write a `//!` line first: what the file holds, and what it must not know";
    none(in_all(House::without_introduction), advice);
}

#[test]
fn no_room_names_what_is_none_of_its_business() {
    let advice =
        "the table of this test tells what a room never names; move the code to a room above";
    none(in_all(House::out_of_place), advice);
}
