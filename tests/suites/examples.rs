//! The examples that end by themselves, run as their readers run them: what they print, and how they end.

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use actix_web::rt::System;
use idempotency_actix_tests::postgres::PgServer;
use idempotency_actix_tests::{Process, Watchdog};
use tempfile::TempDir;

fn run(program: &str, args: &[&str]) -> (Option<i32>, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(program)
        .args(args)
        .output()
        .expect("a program that can run");
    let printed = String::from_utf8(stdout).expect("text");
    println!("{printed}{}", String::from_utf8_lossy(&stderr));
    (status.code(), printed)
}

fn ledger(args: &[&str]) -> (Option<i32>, String) {
    run(
        env!("CARGO_BIN_EXE_ledger"),
        &[&["--kills", "10"], args].concat(),
    )
}

/// The number at the end of the line that begins so.
#[track_caller]
fn number(printed: &str, line: &str) -> i64 {
    let mut lines = printed.lines();
    let found = lines.find_map(|it| it.trim().strip_prefix(line));
    let number = found.and_then(|rest| rest.trim().parse().ok());
    number.unwrap_or_else(|| panic!("no {line:?} in\n{printed}"))
}

/// The URL of a database of its own.
fn postgres() -> String {
    let server = PgServer::shared();
    let name = server.fresh_name();
    let create = format!("CREATE DATABASE {name}");
    System::new().block_on(server.execute(&create));
    format!("postgres://postgres@{}/{name}", server.addr())
}

/// Of the transfers that the ledger's clients asked for.
#[track_caller]
fn assert_each_once((ended, printed): (Option<i32>, String)) {
    assert_eq!(ended, Some(0));
    let of = |line| number(&printed, line);
    assert_eq!(of("kills"), 10);
    assert!(of("tries") > of("transfers asked"));
    assert!(of("replays") > 0);
    let right = of("told 201, booked once") + of("told 402, not booked");
    assert_eq!(right, of("transfers asked"));
    assert_eq!(of("sum over all accounts"), 0);
}

#[track_caller]
fn assert_some_twice((ended, printed): (Option<i32>, String)) {
    assert_eq!(ended, Some(1));
    assert!(number(&printed, "told 201, booked more often") > 0);
    assert_eq!(number(&printed, "replays"), 0);
}

#[test]
fn the_ledger_books_each_transfer_once_on_sqlite() {
    assert_each_once(ledger(&[]));
}

#[test]
fn the_ledger_books_each_transfer_once_on_postgres() {
    assert_each_once(ledger(&["--url", &postgres()]));
}

#[test]
fn without_keys_the_ledger_books_transfers_twice_and_says_so() {
    assert_some_twice(ledger(&["--without-keys"]));
    assert_some_twice(ledger(&["--without-keys", "--url", &postgres()]));
}

#[test]
fn the_outbox_charges_each_order_once_though_its_worker_dies() {
    let (ended, printed) = run(env!("CARGO_BIN_EXE_outbox"), &[]);
    assert_eq!(ended, Some(0));
    let count = |what| printed.lines().filter(|line| line.contains(what)).count();
    assert_eq!(count("worker     sends"), 6);
    assert_eq!(count("worker     dies"), 3);
    assert_eq!(count("processor  charges"), 3);
    assert!(printed.ends_with("\n3 orders, 3 charges\n"), "{printed}");
}

fn client(args: &[&str]) -> (Option<i32>, String) {
    run(env!("CARGO_BIN_EXE_client"), args)
}

/// How many tries ended so.
fn tries(printed: &str, outcome: &str) -> usize {
    let lines = printed.lines();
    lines.filter(|line| line.ends_with(outcome)).count()
}

const EACH_ONCE: &str = "\n6 operations, each in the books once\n";

#[test]
fn the_client_is_charged_once_for_each_order_though_requests_and_answers_are_lost() {
    let (ended, printed) = client(&[]);
    assert_eq!(ended, Some(0));
    for outcome in ["connection lost", "no answer in time", "201, replayed"] {
        assert!(tries(&printed, outcome) > 0, "{outcome}");
    }
    assert!(printed.ends_with(EACH_ONCE), "{printed}");
}

#[test]
fn the_client_goes_on_with_its_keys_after_a_restart_and_stops_before_its_window_ends() {
    let folder = TempDir::with_prefix("client-").expect("a folder for temporary files");
    let mut command = Command::new(env!("CARGO_BIN_EXE_payments"));
    command.args(["--bind", "127.0.0.1:0"]);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut payments = Process::spawn(&mut command, Arc::new(Watchdog::of(folder.path())));
    let mut output = BufReader::new(payments.output());
    let mut line = String::new();
    output.read_line(&mut line).expect("an open pipe");
    let (_, line) = line.split_once("http://").expect("a URL");
    let (address, _) = line.split_once('/').expect("an address");
    let journal = |name| folder.path().join(name).display().to_string();
    let key = |printed: &str| {
        let row = printed.lines().nth(1).expect("a row");
        row.split_whitespace().nth(1).expect("a key").to_owned()
    };

    // The second try reached the server, and its answer was lost.
    let kept = journal("kept.json");
    let kept = ["--server", address, "--journal", &kept];
    let (ended, before) = client(&[&kept[..], &["--stop-after", "2"]].concat());
    assert_eq!(ended, Some(3));
    let (ended, after) = client(&kept);
    assert_eq!(ended, Some(0));
    assert_eq!(key(&before), key(&after));
    assert!(after.ends_with(EACH_ONCE), "{after}");

    let short = journal("short.json");
    let short = ["--server", address, "--journal", &short, "--window", "2"];
    let (ended, printed) = client(&short);
    assert_eq!(ended, Some(1));
    assert!(!printed.contains(EACH_ONCE), "{printed}");
}
