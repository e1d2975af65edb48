//! The crates that an application gets with the layer beside those of actix-web alone: asked of cargo, printed, and compared
//! with the table of `docs/dependencies.md`. It does not know what they are good for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// One whatever the host is, so that the table is.
const TARGET: &str = "x86_64-unknown-linux-gnu";

const BARE: &str = "actix-web = { version = \"4\", default-features = false }";

/// As the README takes it.
const WHOLE: &str = "actix-web = \"4\"";

const HEADING: &str = "## Over actix-web alone";

/// Each crate by name and version, with the names of those that ask for it.
type Tree = BTreeMap<(String, String), BTreeSet<String>>;

fn repository() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the workspace")
}

/// What a package of these dependencies is built from, with the versions of our own `Cargo.lock`.
fn tree(dependencies: &str) -> Tree {
    let folder = TempDir::with_prefix("tree-").expect("a folder for temporary files");
    let package = "[package]\nname = \"application\"\nedition = \"2024\"\n\n[lib]\npath = \"lib.rs\"\n\n[dependencies]\n";
    let write = |name, text: String| fs::write(folder.path().join(name), text).expect("a file");
    write("Cargo.toml", format!("{package}{dependencies}\n"));
    write("lib.rs", String::new());
    write("Cargo.lock", read("Cargo.lock"));
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "tree",
        "--offline",
        "--edges",
        "normal,build",
        "--target",
        TARGET,
    ]);
    cargo.args(["--prefix", "depth", "--format", "{p}"]);
    let output = cargo.current_dir(folder.path()).output().expect("cargo");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "crates are missing: `cargo fetch --locked`\n{said}"
    );
    parse(&String::from_utf8(output.stdout).expect("names and versions"))
}

/// Reads lines such as `2cc v1.2.3 (*)`, which stand below who asks for them.
fn parse(lines: &str) -> Tree {
    let mut above: Vec<String> = Vec::new();
    let mut tree = Tree::new();
    for line in lines.lines() {
        let name = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let depth: usize = line[..line.len() - name.len()].parse().expect("a depth");
        let mut words = name.split(' ').map(str::to_owned);
        let (name, version) = (words.next(), words.next());
        let name = name.expect("a name");
        above.truncate(depth);
        if let Some(parent) = above.last() {
            let key = (name.clone(), version.expect("a version"));
            tree.entry(key).or_default().insert(parent.clone());
        }
        above.push(name);
    }
    tree
}

/// Those that the layer adds to such an actix-web, each with who asks for it. Its own crates are not counted.
fn added(actix_web: &str) -> BTreeSet<(String, String)> {
    let alone = tree(actix_web);
    let path = repository().join("idempotency-actix");
    let layer = tree(&format!(
        "{actix_web}\nidempotency-actix = {{ path = {path:?} }}"
    ));
    let is_ours = |name: &str| name.starts_with("idempotency-actix");
    let added = layer
        .into_iter()
        .filter(|(key, _)| !is_ours(&key.0) && !alone.contains_key(key));
    added
        .map(|((name, _), askers)| (name, Vec::from_iter(askers).join(", ")))
        .collect()
}

/// The rows of the table, `| name | who asks for it | .. |`.
fn kept(section: &str) -> BTreeSet<(String, String)> {
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let mut cells = row.split('|').map(|cell| cell.trim().replace('`', ""));
        let (name, askers) = (cells.nth(1), cells.next());
        (name.expect("a crate"), askers.expect("who asks for it"))
    })
    .collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn crates_over_actix_web_alone_are_those_of_the_table() {
    let page = read("docs/dependencies.md");
    let (_, section) = page.split_once(HEADING).expect("the section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let (added, kept) = (added(BARE), kept(section));
    println!("{} crates over actix-web alone:", added.len());
    for (name, askers) in &added {
        println!("  {name}, for {askers}");
    }
    let new: Vec<_> = added.difference(&kept).collect();
    assert!(
        new.is_empty(),
        "without a row in docs/dependencies.md: {new:?}"
    );
    let gone: Vec<_> = kept.difference(&added).collect();
    assert!(
        gone.is_empty(),
        "to be struck from docs/dependencies.md: {gone:?}"
    );
    let fewer = self::added(WHOLE).len();
    println!("{fewer} over actix-web with its default features");
    for told in [
        format!("The {} crates", added.len()),
        format!("it is {fewer}."),
    ] {
        assert!(
            section.contains(&told),
            "docs/dependencies.md does not say {told:?}"
        );
    }
}

#[test]
fn who_stands_above_a_line_asks_for_its_crate() {
    let tree = parse("0a v0.0.0 (/a)\n1b v1.0.0\n2c v2.0.0\n1d v3.0.0\n2c v2.0.0 (*)\n");
    let of = |name: &str, version: &str| tree[&(name.to_owned(), version.to_owned())].clone();
    assert_eq!(tree.len(), 3);
    assert_eq!(of("c", "v2.0.0"), ["b".to_owned(), "d".to_owned()].into());
    assert_eq!(of("d", "v3.0.0"), ["a".to_owned()].into());
}
