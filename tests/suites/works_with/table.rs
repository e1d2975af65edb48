//! The table of the guide, made of the rows that the tests carry: `IDEMPOTENCY_WRITE_TABLE=1` writes it anew.

use std::fs;
use std::path::{Path, PathBuf};

/// What is said of one crate. Its tests see to it that it is so.
pub(crate) struct Row {
    /// What an application wraps or takes.
    pub(crate) name: &'static str,
    /// Whose version was tried.
    pub(crate) package: &'static str,
    /// Where it belongs, where handlers are marked.
    pub(crate) marked: &'static str,
    /// Where it belongs, where all routes are covered.
    pub(crate) all_routes: &'static str,
    pub(crate) holds: &'static str,
    /// Under `tests/suites`.
    pub(crate) tests: &'static [&'static str],
}

const ROWS: &[Row] = &[
    crate::httpauth::ROW,
    crate::sessions::ROW,
    crate::identity::ROW,
    crate::cors::ROW,
    crate::governor::ROW,
    COMPRESS,
    crate::normalize_path::ROW,
    crate::error_handlers::ROW,
    crate::logger::ROW,
    TRACING,
    crate::multipart::ROW,
    crate::validation::ROW,
    crate::graphql::ROW,
    crate::event_streams::ROW,
    crate::web_sockets::ROW,
    crate::files::ROW,
];

const COMPRESS: Row = Row {
    name: "`Compress`, of actix-web",
    package: "actix-web",
    marked: "either",
    all_routes: "around: inside, a retry that does not accept the first client's coding gets 410",
    holds: "Around the layer each client gets the coding that it accepts, of replays too.",
    tests: &["http/codings.rs", "http/not_kept.rs", "http/wrapped.rs"],
};

const TRACING: Row = Row {
    name: "`tracing-actix-web`",
    package: "tracing-actix-web",
    marked: "around",
    all_routes: "around",
    holds: "The root span tells outcome, problem, route and record, also of a request whose client has left.",
    tests: &["span_fields.rs"],
};

const HEAD: &str = "| | version tried | with marked handlers | with all routes | what holds | tests |\n|---|---|---|---|---|---|\n";

fn of_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The version that this build has of a package.
fn version<'a>(lock: &'a str, package: &str) -> &'a str {
    let start = format!("name = \"{package}\"\nversion = \"");
    let (_, rest) = lock.split_once(&start).expect("a package of this build");
    rest.split('"').next().expect("a version")
}

fn table() -> String {
    let lock = read(&of_repository("Cargo.lock"));
    let rows = ROWS.iter().map(|row| {
        let version = version(&lock, row.package);
        let tests: Vec<_> = row.tests.iter().map(|test| format!("`{test}`")).collect();
        let Row {
            name,
            marked,
            all_routes,
            holds,
            ..
        } = row;
        let tests = tests.join(", ");
        format!("| {name} | {version} | {marked} | {all_routes} | {holds} | {tests} |\n")
    });
    HEAD.chars()
        .chain(rows.collect::<String>().chars())
        .collect()
}

#[test]
fn the_guide_has_the_table_that_the_tests_make() {
    let path = of_repository("idempotency-actix/guide/works_with.md");
    let guide = read(&path);
    let is_row = |line: &&str| line.starts_with('|');
    let written: String = guide.split_inclusive('\n').filter(is_row).collect();
    let table = table();
    if std::env::var_os("IDEMPOTENCY_WRITE_TABLE").is_some() {
        fs::write(&path, guide.replace(&written, &table)).expect("a guide to write");
        return;
    }
    assert_eq!(
        written, table,
        "write it anew: IDEMPOTENCY_WRITE_TABLE=1 cargo test -p idempotency-actix-works-with table"
    );
}

#[test]
fn every_row_has_its_tests_and_every_file_of_tests_its_row() {
    let suites = of_repository("tests/suites");
    for test in ROWS.iter().flat_map(|row| row.tests) {
        assert!(suites.join(test).is_file(), "{test}");
    }
    let own = ["main.rs", "modes.rs", "table.rs"];
    for file in fs::read_dir(suites.join("works_with")).expect("a folder") {
        let file = file
            .expect("a file")
            .file_name()
            .into_string()
            .expect("text");
        let path = format!("works_with/{file}");
        let has_row = ROWS.iter().any(|row| row.tests.contains(&&*path));
        assert!(has_row || own.contains(&&*file), "{path} has no row");
    }
}
