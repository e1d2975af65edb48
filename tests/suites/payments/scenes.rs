//! Each button of the page: how its tries end, and how often the card is charged.

use idempotency_actix_tests::browser::logged;
use tempfile::TempDir;

use crate::page::{Page, visit};

const ENTER: &str = "\u{e007}";

/// The latest payment has come to that.
async fn tallies(page: &Page<'_>, tally: &str) {
    let is_so = format!("document.querySelector('.tally').textContent === '{tally}'");
    page.shows(tally, &is_so).await;
}

/// The ledger has so many charges.
async fn ledger_has(page: &Page<'_>, count: u32) {
    let is_so = format!("document.getElementById('charges').rows.length === {count}");
    page.shows("charges in the ledger", &is_so).await;
}

/// Lost first, told to wait perhaps, and then this.
#[track_caller]
fn assert_retried(outcomes: &[String], lost: &str) {
    let [first, meanwhile @ .., _] = outcomes else {
        panic!("{outcomes:?}");
    };
    assert_eq!(first, lost);
    assert!(meanwhile.iter().all(|it| it == "in_flight"), "{outcomes:?}");
}

/// What has gone wrong in the console; that an answer is no success is how this page goes.
async fn assert_quiet(page: &Page<'_>) {
    let errors = logged(page.browser, "browser").await;
    let errors: Vec<_> = errors
        .iter()
        .filter_map(|line| line["message"].as_str())
        .filter(|line| !line.contains("Failed to load resource"))
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
}

/// Nothing was asked of anybody else.
async fn assert_alone(page: &Page<'_>) {
    let mut requests = 0;
    for line in logged(page.browser, "performance").await {
        let line = line["message"].as_str().expect("a line");
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let (method, params) = (&line["message"]["method"], &line["message"]["params"]);
        let is_of_page = params["documentURL"] == page.url;
        if method == "Network.requestWillBeSent" && is_of_page {
            let url = params["request"]["url"].as_str().expect("an address");
            assert!(url.starts_with(&page.url), "{url}");
            requests += 1;
        }
    }
    assert!(requests > 10, "{requests}");
}

#[test]
fn every_scene_ends_in_one_charge_but_for_a_store_that_dies() {
    visit(&[], async |page| {
        page.shoot("empty").await;
        // Two presses by keyboard: whichever comes first runs.
        page.keys("pay", &[ENTER, ENTER].concat()).await;
        ledger_has(page, 1).await;
        tallies(page, "2 tries, 1 charge").await;
        page.click("pay").await;
        let mut outcomes = page.outcomes("replayed").await;
        outcomes.sort();
        assert_eq!(outcomes, ["first", "in_flight", "replayed"]);
        tallies(page, "3 tries, 1 charge").await;
        let said = "document.getElementById('said').textContent.includes('try 3: 201 replayed')";
        page.shows("the live region", said).await;

        page.click("lose").await;
        assert_retried(&page.outcomes("replayed").await, "lost");
        page.shoot("lost").await;
        ledger_has(page, 2).await;

        page.click("new").await;
        assert_eq!(page.text("#hint").await, "with a new key");
        page.keys("other", ENTER).await;
        let outcomes = page.outcomes("replayed").await;
        assert_eq!(outcomes, ["first", "mismatch", "replayed"]);
        ledger_has(page, 3).await;

        page.keys("down", " ").await;
        let outcomes = page.outcomes("first").await;
        assert_eq!(outcomes, ["released", "released", "first"]);
        tallies(page, "3 tries, 1 charge").await;
        page.shoot("scenes").await;

        page.click("kill").await;
        let outcomes = page.outcomes("first").await;
        assert_eq!(outcomes, ["killed", "first"]);
        tallies(page, "2 tries, 2 charges").await;
        let why = page.text(".why").await;
        assert!(why.starts_with("Charged twice. The memory store"), "{why}");
        ledger_has(page, 6).await;
        assert_eq!(page.text(".again b").await, "again");
        page.shoot("killed").await;

        assert_quiet(page).await;
        assert_alone(page).await;
    });
}

#[test]
fn a_store_that_stays_knows_after_the_kill_that_nobody_knows() {
    let folder = TempDir::with_prefix("payments-").expect("a folder");
    let db = folder.path().join("records.db").display().to_string();
    visit(&["--db", &db], async |page| {
        assert!(page.text("#store").await.contains("SQLite"));
        page.keys("kill", ENTER).await;
        assert_retried(&page.outcomes("unknown").await, "killed");
        let tally = page.text(".tally").await;
        assert!(tally.ends_with(" tries, 1 charge"), "{tally}");
        ledger_has(page, 1).await;
        page.shoot("unknown").await;
        assert_quiet(page).await;
    });
}
