//! Owners that die, stand still or end in mid-run: processes of their own, on one database.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use idempotency_actix_sqlx::sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use idempotency_actix_sqlx::sqlx::{AssertSqlSafe, Row, raw_sql};
use idempotency_actix_sqlx::{PgStore, SqliteStore};
use idempotency_actix_tests::postgres::PgServer;
use idempotency_actix_tests::{
    Client, Process, Request, Watchdog, assert_replay, eventually, until,
};
use tempfile::TempDir;

use crate::http::now;

/// A process that serves.
struct Teller {
    process: Process,
    addr: SocketAddr,
    lines: BufReader<ChildStdout>,
    folder: TempDir,
}

impl Teller {
    fn start(database: &str, table: &str) -> Self {
        let folder = TempDir::with_prefix("teller-").expect("a folder for temporary files");
        let mut command = Command::new(env!("CARGO_BIN_EXE_teller"));
        let errors = File::create(folder.path().join("errors")).expect("a writable folder");
        command
            .args([database, table])
            .stdout(Stdio::piped())
            .stderr(errors);
        let mut process = Process::spawn(&mut command, Arc::new(Watchdog::of(folder.path())));
        let mut lines = BufReader::new(process.output());
        let mut addr = String::new();
        lines.read_line(&mut addr).expect("an open pipe");
        let addr = addr.trim().parse().expect("an address");
        Self {
            process,
            addr,
            lines,
            folder,
        }
    }

    fn ask(&self, request: &Request) -> Client {
        let mut client = Client::connect(self.addr);
        client.send(request);
        client
    }

    fn errors(&self) -> String {
        fs::read_to_string(self.folder.path().join("errors")).expect("what was written")
    }

    /// Returns once a handler has written.
    fn wait_for_write(&mut self) {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("an open pipe");
        assert!(line.starts_with("written"), "{line:?}");
    }
}

/// A database that outlives its processes.
enum Place {
    Server(&'static PgServer, String),
    File(TempDir),
}

impl Place {
    fn server() -> Self {
        let server = PgServer::shared();
        let table = server.fresh_name();
        now(async {
            let store = PgStore::builder(server.pool(2)).table(&table).build();
            store
                .expect("options that hold")
                .migrate()
                .await
                .expect("a table");
            let charges = format!("CREATE TABLE {table}_charges (id bigserial, note text)");
            server.execute(&charges).await;
        });
        Self::Server(server, table)
    }

    fn file() -> Self {
        let place = Self::File(TempDir::with_prefix("sqlite-").expect("a folder"));
        now(async {
            let options = place.options().create_if_missing(true);
            let pool = SqlitePoolOptions::new().connect_lazy_with(options);
            let store = SqliteStore::builder(pool.clone()).table("records").build();
            store
                .expect("options that hold")
                .migrate()
                .await
                .expect("a table");
            let charges = "CREATE TABLE records_charges (id INTEGER PRIMARY KEY, note TEXT)";
            raw_sql(charges).execute(&pool).await.expect("a table");
        });
        place
    }

    fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new().filename(self.name())
    }

    fn name(&self) -> String {
        match self {
            Self::Server(server, _) => server.addr().port().to_string(),
            Self::File(folder) => folder.path().join("bank.db").display().to_string(),
        }
    }

    fn teller(&self) -> Teller {
        match self {
            Self::Server(_, table) => Teller::start(&self.name(), table),
            Self::File(_) => Teller::start(&self.name(), "records"),
        }
    }

    fn request(&self, key: &str) -> Request {
        match self {
            Self::Server(..) => Request::post("/postgres").key(key),
            Self::File(_) => Request::post("/sqlite").key(key),
        }
    }

    fn count(&self, of: &str) -> i64 {
        match self {
            Self::Server(server, table) => {
                now(server.number(&format!("SELECT count(*) FROM {table}{of}")))
            }
            Self::File(_) => now(async {
                let pool = SqlitePoolOptions::new().connect_lazy_with(self.options());
                let sql = format!("SELECT count(*) FROM records{of}");
                let row = raw_sql(AssertSqlSafe(sql)).fetch_one(&pool).await;
                row.expect("a number").get(0)
            }),
        }
    }
}

/// Killed in mid-run: nothing is left, nothing is unknown, and the retry runs without waiting for any lease.
fn a_process_that_is_killed_leaves_nothing(place: &Place) {
    let paused = place.request("k").header("x-pause-ms", "600000");
    let (mut owner, other) = (place.teller(), place.teller());
    let mut client = owner.ask(&paused);
    owner.wait_for_write();
    owner.process.kill();
    assert!(client.try_receive().is_err(), "no answer");
    assert_eq!((place.count("_charges"), place.count("")), (0, 0));
    let killed = Instant::now();
    let mut answer = other.ask(&place.request("k")).receive();
    eventually("a run of the retry", || {
        if answer.status == 409 {
            answer = other.ask(&place.request("k")).receive();
        }
        answer.status != 409
    });
    assert_eq!(
        (answer.status, answer.is_replay()),
        (201, false),
        "{answer:?}"
    );
    assert!(
        killed.elapsed() < Duration::from_secs(2),
        "{:?}",
        killed.elapsed()
    );
    assert_eq!((place.count("_charges"), place.count("")), (1, 1));
    let retry = other.ask(&place.request("k")).receive();
    assert_replay(&retry, 201, &answer.text());
}

#[test]
fn a_process_that_is_killed_leaves_nothing_on_postgres() {
    a_process_that_is_killed_leaves_nothing(&Place::server());
}

#[test]
fn a_process_that_is_killed_leaves_nothing_in_a_file() {
    a_process_that_is_killed_leaves_nothing(&Place::file());
}

/// Killed wherever it is: every key that was answered 201 has one effect, and no retry makes a second.
fn kills_at_any_time_leave_one_effect_a_key(place: &Place) {
    let mut answered = Vec::new();
    for round in 0..10_u64 {
        let teller = place.teller();
        let addr = teller.addr;
        let clients: Vec<_> = (0..4)
            .map(|client| {
                let requests: Vec<_> = (0..200)
                    .map(|at| format!("{round}-{client}-{at}"))
                    .map(|key| (place.request(&key), key))
                    .collect();
                // Before it is killed.
                let mut client = Client::connect(addr);
                std::thread::spawn(move || {
                    let mut got = Vec::new();
                    for (request, key) in requests {
                        if client.stream().write_all(&request.bytes()).is_err() {
                            break;
                        }
                        match client.try_receive() {
                            Ok(answer) => got.push((key, Some((answer.status, answer.text())))),
                            Err(_) => {
                                got.push((key, None));
                                break;
                            }
                        }
                    }
                    got
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(20 + 13 * round));
        teller.process.kill();
        for client in clients {
            answered.extend(client.join().expect("what was answered"));
        }
    }
    let teller = place.teller();
    for (key, first) in &answered {
        let mut answer = teller.ask(&place.request(key)).receive();
        eventually("an end of the first attempt", || {
            if answer.status == 409 {
                answer = teller.ask(&place.request(key)).receive();
            }
            answer.status != 409
        });
        assert_eq!(answer.status, 201, "{key}: {answer:?}");
        if let Some((201, text)) = first {
            assert_eq!((&answer.text(), answer.is_replay()), (text, true), "{key}");
        }
    }
    let keys = i64::try_from(answered.len()).expect("a count");
    assert!(
        answered.iter().any(|(_, first)| first.is_none()),
        "no kill landed"
    );
    assert_eq!((place.count("_charges"), place.count("")), (keys, keys));
}

#[test]
fn kills_at_any_time_leave_one_effect_a_key_on_postgres() {
    kills_at_any_time_leave_one_effect_a_key(&Place::server());
}

#[test]
fn kills_at_any_time_leave_one_effect_a_key_in_a_file() {
    kills_at_any_time_leave_one_effect_a_key(&Place::file());
}

#[test]
fn a_process_that_stood_still_past_its_idle_limit_tells_the_other_attempts_answer() {
    let place = Place::server();
    let (mut owner, other) = (place.teller(), place.teller());
    let mut first = owner.ask(&place.request("k").header("x-pause-ms", "200"));
    owner.wait_for_write();
    owner.process.freeze();
    let mut answer = other.ask(&place.request("k")).receive();
    assert_eq!(answer.status, 409, "{answer:?}");
    eventually("a run of the retry", || {
        answer = other.ask(&place.request("k")).receive();
        answer.status != 409
    });
    assert_eq!(
        (answer.status, answer.is_replay()),
        (201, false),
        "{answer:?}"
    );
    owner.process.thaw();
    assert_replay(&first.receive(), 201, &answer.text());
    assert_eq!((place.count("_charges"), place.count("")), (1, 1));
}

/// The runtime ends under an open transaction: it is rolled back, and nothing panics.
fn a_server_that_stops_in_mid_run_rolls_back_in_peace(place: &Place) {
    let mut owner = place.teller();
    let mut client = owner.ask(&place.request("k").header("x-pause-ms", "600000"));
    owner.wait_for_write();
    owner.process.quit();
    let ended = until(Duration::from_secs(20), || owner.process.status());
    assert!(ended.expect("an end").success(), "{ended:?}");
    assert!(!owner.errors().contains("panicked"), "{}", owner.errors());
    assert!(client.try_receive().is_err(), "no answer");
    assert_eq!((place.count("_charges"), place.count("")), (0, 0));
    let answer = place.teller().ask(&place.request("k")).receive();
    assert_eq!(
        (answer.status, answer.is_replay()),
        (201, false),
        "{answer:?}"
    );
}

#[test]
fn a_server_that_stops_in_mid_run_rolls_back_in_peace_on_postgres() {
    a_server_that_stops_in_mid_run_rolls_back_in_peace(&Place::server());
}

#[test]
fn a_server_that_stops_in_mid_run_rolls_back_in_peace_in_a_file() {
    a_server_that_stops_in_mid_run_rolls_back_in_peace(&Place::file());
}
