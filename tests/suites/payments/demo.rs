//! `payments --demo`, run as its readers run it.

use std::process::Command;

use tempfile::TempDir;

/// A row of the table that it prints.
struct Row {
    scene: String,
    attempt: usize,
    /// Its status, where it has one, and its outcome.
    outcome: String,
    charges: usize,
}

impl Row {
    /// Reads a line. A scene is named in its first one only.
    fn parse(line: &str, scene: &mut String) -> Self {
        let cells = line.split("  ").map(str::trim);
        let mut cells: Vec<_> = cells.filter(|cell| !cell.is_empty()).collect();
        if !line.starts_with(' ') {
            *scene = cells.remove(0).to_owned();
        }
        let [attempt, outcome @ .., charges] = &cells[..] else {
            panic!("{line:?}");
        };
        Self {
            scene: scene.clone(),
            attempt: attempt.parse().expect("a number"),
            outcome: outcome.join(" "),
            charges: charges.parse().expect("a number"),
        }
    }
}

fn play(args: &[&str]) -> Vec<Row> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_payments"));
    let output = command.arg("--demo").args(args).output();
    let output = output.expect("a program that can run");
    let printed = String::from_utf8(output.stdout).expect("text");
    println!("{printed}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success());
    assert!(printed.contains("POST /charges: 422 mismatch, "));
    assert!(!printed.contains("payment-"), "a key");
    let (_, table) = printed.split_once("charges so far\n").expect("a table");
    let mut scene = String::new();
    let lines = table.lines().take_while(|line| !line.is_empty());
    lines.map(|line| Row::parse(line, &mut scene)).collect()
}

/// The outcomes of a scene, and how often the card was charged at its end. How often a client is told to wait is no
/// part of that.
#[track_caller]
fn assert_scene(table: &[Row], scene: &str, outcomes: &[&str], charges: usize) {
    let rows: Vec<_> = table.iter().filter(|row| row.scene == scene).collect();
    assert!(rows.iter().map(|row| row.attempt).eq(1..=rows.len()));
    let came = rows.iter().map(|row| &*row.outcome);
    let came: Vec<_> = came.filter(|it| *it != IN_FLIGHT).collect();
    assert_eq!(came, outcomes, "{scene}");
    assert_eq!(rows.last().map(|row| row.charges), Some(charges), "{scene}");
}

const IN_FLIGHT: &str = "409 in flight";

#[track_caller]
fn assert_charged_once(table: &[Row]) {
    assert_scene(table, "press twice", &["201 first", "201 replayed"], 1);
    let lost = ["connection lost", "201 replayed"];
    assert_scene(table, "lose the connection", &lost, 1);
    let other = ["201 first", "422 mismatch", "201 replayed"];
    assert_scene(table, "other amount", &other, 1);
    let down = ["503 released", "503 released", "201 first"];
    assert_scene(table, "processor down", &down, 1);
    assert_scene(table, "two at once", &["201 first", "201 replayed"], 1);
    let mut at_once = table.iter().filter(|row| row.scene == "two at once");
    assert!(at_once.any(|row| row.outcome == IN_FLIGHT));
}

#[test]
fn in_memory_only_the_kill_charges_twice() {
    let table = play(&[]);
    assert_charged_once(&table);
    assert_scene(&table, "kill the process", &["no answer", "201 first"], 2);
}

#[test]
fn with_a_file_the_kill_ends_in_an_honest_answer_in_every_demo_of_it() {
    let folder = TempDir::with_prefix("payments-").expect("a folder");
    let db = folder.path().join("records.db").display().to_string();
    for _ in 0..2 {
        let table = play(&["--db", &db]);
        assert_charged_once(&table);
        let outcomes = ["no answer", "500 unknown"];
        assert_scene(&table, "kill the process", &outcomes, 1);
    }
}
