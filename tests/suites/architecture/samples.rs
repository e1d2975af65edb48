//! The checker on small source trees of its own: each rule is seen to fail, and a clean tree to pass.

use std::fs;

use crate::rules::{House, Rules, room};

const RULES: Rules = Rules {
    rooms: &[
        room("top", &["middle"], &[]),
        room("middle", &["bottom"], &[]),
        room("bottom", &[], &["tokio", "http::header"]),
    ],
    ground: &["error"],
    root: "lib.rs",
};

/// A clean crate: every file has its `//!` line, and every `mod` its file.
const CLEAN: &[(&str, &str)] = &[
    (
        "lib.rs",
        "mod bottom; mod error; mod middle; mod top; pub use self::top::Top;",
    ),
    ("error.rs", "pub struct Error;"),
    (
        "top/mod.rs",
        "use crate::bottom::Bottom; pub struct Top(Bottom, crate::error::Error);",
    ),
    (
        "middle/mod.rs",
        "mod cup; mod plate; pub use self::cup::Cup; pub use self::plate::*;",
    ),
    ("middle/cup.rs", "use super::Plate; pub struct Cup(Plate);"),
    ("middle/plate.rs", "pub struct Plate; pub fn wash() {}"),
    ("bottom/mod.rs", "pub struct Bottom;"),
];

/// The clean crate with other text in some of its files, or more files.
fn house(changes: &[(&str, &str)]) -> House {
    let folder = tempfile::tempdir().expect("a folder can be made");
    for (file, text) in CLEAN.iter().chain(changes) {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().expect("it stands in the folder"))
            .expect("it can be made");
        fs::write(path, format!("//! A file.\n{text}")).expect("it can be written");
    }
    House::read(RULES, folder.path())
}

/// What is found in the clean crate after one change, by every rule.
fn findings(file: &str, text: &str) -> Vec<String> {
    let house = house(&[(file, text)]);
    [
        house.unread(),
        house.without_room(),
        house.without_introduction(),
        house.against_the_direction(),
        house.in_circles(),
        house.out_of_place(),
    ]
    .concat()
}

#[test]
fn a_clean_tree_passes() {
    assert_eq!(findings("error.rs", "pub struct Error;"), [""; 0]);
}

#[test]
fn an_arrow_against_the_direction_is_found() {
    let found = findings("bottom/mod.rs", "pub struct Bottom; use crate::top::Top;");
    assert_eq!(found[0], "bottom/mod.rs -> top/mod.rs (Top)");
}

#[test]
fn an_arrow_from_the_ground_to_a_room_is_found() {
    let found = findings("error.rs", "pub struct Error(crate::bottom::Bottom);");
    assert_eq!(found, ["error.rs -> bottom/mod.rs (Bottom)"]);
}

#[test]
fn an_arrow_to_an_item_of_the_crate_root_is_found() {
    let lib = "mod bottom; mod error; mod middle; mod top; pub(crate) const LIMIT: u8 = 1;";
    let house = house(&[
        ("lib.rs", lib),
        ("error.rs", "pub struct Error([u8; crate::LIMIT]);"),
    ]);
    assert_eq!(
        house.against_the_direction(),
        ["error.rs -> lib.rs (LIMIT)"]
    );
}

#[test]
fn a_reexport_is_followed_to_the_file_that_defines_the_item() {
    let found = findings(
        "bottom/mod.rs",
        "pub struct Bottom; fn f() { crate::middle::wash() }",
    );
    assert_eq!(found, ["bottom/mod.rs -> middle/plate.rs (wash)"]);
}

#[test]
fn a_reexport_alone_is_no_arrow() {
    let text = "pub struct Bottom; pub(crate) use crate::top::Top;";
    assert_eq!(findings("bottom/mod.rs", text), [""; 0]);
}

#[test]
fn a_path_through_an_imported_module_is_followed() {
    let text = "pub struct Bottom; use crate::{middle as m}; fn f() { m::wash() }";
    assert_eq!(
        findings("bottom/mod.rs", text),
        ["bottom/mod.rs -> middle/plate.rs (wash)"]
    );
}

#[test]
fn a_path_in_the_arguments_of_a_macro_is_found() {
    let text = "pub struct Bottom; fn f() { vec![(1, super::middle::wash())]; }";
    let found = ["bottom/mod.rs -> middle/plate.rs (wash)"];
    assert_eq!(findings("bottom/mod.rs", text), found);
}

#[test]
fn an_item_that_a_macro_defines_is_known() {
    let text = "wrap! { #[derive(Debug)] pub struct Plate { f: u8 } } pub fn wash() {}";
    assert_eq!(findings("middle/plate.rs", text), [""; 0]);
}

#[test]
fn a_circle_of_two_files_is_found() {
    let text = "pub struct Plate(super::Cup); pub fn wash() {}";
    let found = findings("middle/plate.rs", text);
    let circle = "middle/cup.rs, middle/plate.rs
    middle/cup.rs -> middle/plate.rs (Plate)
    middle/plate.rs -> middle/cup.rs (Cup)";
    assert_eq!(found, [circle]);
}

#[test]
fn a_circle_of_three_files_is_found() {
    let house = house(&[
        (
            "middle/mod.rs",
            "mod cup; mod plate; pub struct Table(cup::Cup); pub use plate::Plate;",
        ),
        ("middle/plate.rs", "pub struct Plate(super::Table);"),
    ]);
    let found = house.in_circles().concat();
    assert!(
        found.starts_with("middle/cup.rs, middle/mod.rs, middle/plate.rs"),
        "{found}"
    );
}

#[test]
fn a_name_that_a_file_reexports_counts_where_it_is_used() {
    let house = house(&[
        (
            "middle/mod.rs",
            "mod cup; mod plate; pub use self::cup::Cup; pub struct Table(Cup);",
        ),
        ("middle/cup.rs", "pub struct Cup(super::Table);"),
    ]);
    assert_eq!(house.in_circles().len(), 1);
}

#[test]
fn what_only_tests_use_is_not_counted() {
    for text in [
        "#[cfg(test)] use crate::top::Top;",
        "#[cfg(all(test, unix))] mod tests { use crate::top::Top; }",
        "struct A; impl A { #[cfg(test)] fn f() -> crate::top::Top {} }",
    ] {
        let text = format!("pub struct Bottom; {text}");
        assert_eq!(findings("bottom/mod.rs", &text), [""; 0]);
    }
}

#[test]
fn a_file_of_tests_is_not_counted() {
    let house = house(&[
        (
            "bottom/mod.rs",
            "pub struct Bottom; #[cfg(test)] mod tests;",
        ),
        ("bottom/tests.rs", "mod more; use crate::top::Top;"),
        ("bottom/tests/more.rs", "use crate::top::Top;"),
    ]);
    assert_eq!(
        [house.unread(), house.against_the_direction()].concat(),
        [""; 0]
    );
}

#[test]
fn what_is_left_out_of_tests_is_counted() {
    let text = "pub struct Bottom; #[cfg(not(test))] use crate::top::Top;";
    assert_eq!(findings("bottom/mod.rs", text).len(), 2);
}

#[test]
fn a_path_that_leads_nowhere_is_told_with_its_file() {
    let found = findings(
        "bottom/mod.rs",
        "pub struct Bottom; use crate::middle::Fork;",
    );
    assert_eq!(
        found,
        ["bottom/mod.rs: `crate::middle::Fork` leads nowhere"]
    );
}

#[test]
fn a_file_that_no_module_holds_is_told() {
    let found = findings("middle/spoon.rs", "");
    assert_eq!(found, ["middle/spoon.rs: no `mod` leads to it"]);
}

#[test]
fn a_file_that_is_no_rust_is_told() {
    let house = house(&[("bottom/mod.rs", "pub struct Bottom; fn")]);
    assert!(
        house.unread()[0].starts_with("bottom/mod.rs: "),
        "{:?}",
        house.unread()
    );
}

#[test]
fn a_file_without_a_room_is_found() {
    let lib = "mod bottom; mod error; mod middle; mod top; mod hall;";
    let house = house(&[("lib.rs", lib), ("hall.rs", "")]);
    assert_eq!(house.without_room(), ["hall.rs"]);
}

#[test]
fn a_file_that_does_not_say_what_it_holds_is_found() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    fs::write(folder.path().join("lib.rs"), "pub struct Silent;").expect("it can be written");
    let house = House::read(RULES, folder.path());
    assert_eq!(house.without_introduction(), ["lib.rs"]);
}

#[test]
fn a_name_out_of_place_is_found() {
    let text = "pub struct Bottom; use actix_web::http::header::{self, HeaderMap}; fn f(_: tokio::Runtime) {}";
    let found = [
        "bottom/mod.rs names actix_web::http::header",
        "bottom/mod.rs names actix_web::http::header::HeaderMap",
        "bottom/mod.rs names tokio::Runtime",
    ];
    assert_eq!(findings("bottom/mod.rs", text), found);
}
