//! The store passes the public suite, drops what is over, and loses nothing that it acknowledged to a process that is
//! killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use idempotency_actix::Clock;
use idempotency_actix::store::conformance::Harness;
use idempotency_actix::store::*;
use tempfile::TempDir;

use crate::store::RedbStore;

/// The path of the file, for the process that is killed.
const FILE: &str = "CUSTOM_STORE_FILE";

const DAY: Duration = Duration::from_secs(86_400);

/// All cases share one file by handles of their own, as the workers of a server do.
struct OnRedb;

impl Harness for OnRedb {
    type Store = RedbStore;

    async fn store(&self) -> RedbStore {
        static STORE: OnceLock<(TempDir, RedbStore)> = OnceLock::new();
        let open = || {
            let folder = folder();
            let store = open(&folder.path().join("records.redb"));
            (folder, store)
        };
        STORE.get_or_init(open).1.clone()
    }

    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn unit(&self) -> Duration {
        Duration::from_millis(500)
    }

    fn rounds(&self) -> usize {
        10
    }
}

idempotency_actix::conformance_tests!(
    #[actix_web::test]
    OnRedb
);

fn folder() -> TempDir {
    TempDir::new().expect("a folder for temporary files")
}

fn open(path: &Path) -> RedbStore {
    RedbStore::open(path, Clock::monotonic()).expect("a store")
}

fn id(n: u64) -> RecordId {
    let mut octets = [0; 32];
    octets[..8].copy_from_slice(&n.to_be_bytes());
    RecordId::from_bytes(octets)
}

fn claim() -> Claim {
    let fingerprint = Fingerprint::new(Fingerprint::BYTES, [7; 32]);
    Claim::new(Token::random(), fingerprint, DAY, DAY)
}

fn answer() -> Finished {
    Finished::NotKept(NotKept::new(204, None))
}

#[actix_web::test]
async fn what_is_over_is_dropped_by_later_steps() {
    let (folder, clock) = (folder(), Clock::manual());
    let path = folder.path().join("swept.redb");
    let store = RedbStore::open(&path, clock.clone()).expect("a store");
    for n in 0..10 {
        let ttl = if n < 5 { DAY } else { 2 * DAY };
        let completion = store.complete(&id(n), &claim(), &answer(), ttl).await;
        assert_eq!(completion.expect("a record"), Completion::RecordedAbsent);
    }
    clock.advance(DAY + Duration::from_secs(60));
    for n in 100..102 {
        store.begin(&id(n), &claim()).await.expect("a claim");
    }
    let is_kept = |n: &u64| store.read(&id(*n)).expect("a row").is_some();
    let kept: Vec<_> = (0..200).filter(is_kept).collect();
    assert_eq!(kept, [5, 6, 7, 8, 9, 100, 101]);
}

/// Every other operation is left in flight. What was acknowledged is printed.
async fn operate_until_killed(path: &Path) {
    let store = open(path);
    for n in 0.. {
        let claim = claim();
        if let Begun::Found(_) = store.begin(&id(n), &claim).await.expect("a claim") {
            continue;
        }
        if n % 2 == 0 {
            let completion = store.complete(&id(n), &claim, &answer(), DAY).await;
            assert_eq!(completion.expect("a record"), Completion::Recorded);
        }
        println!("\nacknowledged {n}");
    }
}

/// Starts itself as the process that it kills.
#[actix_web::test]
async fn what_was_acknowledged_is_there_after_kill_9() {
    if let Ok(path) = std::env::var(FILE) {
        return operate_until_killed(Path::new(&path)).await;
    }
    let folder = folder();
    let path = folder.path().join("killed.redb");
    for lines in [1, 20, 50] {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["what_was_acknowledged_is_there_after_kill_9", "--nocapture"])
            .env(FILE, &path)
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let printed = BufReader::new(child.stdout.take().expect("its output")).lines();
        let printed = printed.map(|line| line.expect("text"));
        let numbers = printed.filter_map(|line| line.strip_prefix("acknowledged ")?.parse().ok());
        let numbers: Vec<u64> = numbers.take(lines).collect();
        child.kill().expect("a process that runs");
        child.wait().expect("its end");

        assert_eq!(numbers.len(), lines);
        let store = open(&path);
        for n in numbers {
            let record = store.inspect(&id(n)).await.expect("an answer");
            match record.map(|record| record.state) {
                Some(State::Finished(kept)) if n % 2 == 0 => assert_eq!(kept, answer()),
                Some(State::InFlight) if n % 2 == 1 => {}
                state => panic!("operation {n} is {state:?}"),
            }
        }
    }
}
