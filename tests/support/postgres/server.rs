//! One server: its configuration, its life, and what it can be asked.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use idempotency_actix_sqlx::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use idempotency_actix_sqlx::sqlx::{
    self, AssertSqlSafe, ConnectOptions, PgConnection, PgPool, Row,
};
use tempfile::TempDir;

use super::binary::{command, give};
use crate::patience::until;
use crate::port::Port;
use crate::process::Process;
use crate::watchdog::Watchdog;

/// Quick: what a crash of the machine would lose is no test's business, unless it says so.
const CONFIG: &[(&str, &str)] = &[
    ("listen_addresses", "127.0.0.1"),
    ("unix_socket_directories", ""),
    ("fsync", "off"),
    ("max_connections", "200"),
    ("shared_buffers", "16MB"),
];

const LOG_FILE: &str = "log";
/// Of a standby, "read-only connections".
const READY: &str = "database system is ready to accept";
const TAKEN: &str = "could not bind";

/// A PostgreSQL server, ended when dropped.
#[derive(Debug)]
pub struct PgServer {
    process: Mutex<Option<Process>>,
    config: Vec<(String, String)>,
    port: Port,
    dir: TempDir,
    watchdog: Arc<Watchdog>,
}

impl PgServer {
    /// Starts one with these settings added, and waits until it takes connections.
    pub fn start(config: &[(&str, &str)]) -> Self {
        let config = [CONFIG, config].concat();
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        (0..10)
            .find_map(|_| {
                let dir = TempDir::with_prefix("postgres-").expect("a folder for temporary files");
                copy(&template(), &dir.path().join("data"));
                give(dir.path());
                Self::over(dir, config.iter().map(owned).collect())
            })
            .expect("a port that stays free until the server listens")
    }

    /// A hot standby that follows this server, until it is promoted.
    pub fn standby(&self) -> Self {
        let dir = TempDir::with_prefix("standby-").expect("a folder for temporary files");
        give(dir.path());
        let copied = command("pg_basebackup")
            .args([
                "-h",
                "127.0.0.1",
                "-U",
                "postgres",
                "-R",
                "-c",
                "fast",
                "--no-sync",
            ])
            .args(["-p", &self.port.number().to_string()])
            .arg("-D")
            .arg(dir.path().join("data"))
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .output()
            .expect("a program that can run");
        let errors = String::from_utf8_lossy(&copied.stderr);
        assert!(copied.status.success(), "pg_basebackup failed:\n{errors}");
        let standby = Self::over(dir, self.config.clone());
        standby.expect("a port that stays free until the server listens")
    }

    /// Starts a server over the data in a folder; `None` if its port is somebody else's.
    fn over(dir: TempDir, config: Vec<(String, String)>) -> Option<Self> {
        let server = Self {
            process: Mutex::new(None),
            config,
            port: Port::reserve(),
            watchdog: Arc::new(Watchdog::of(dir.path())),
            dir,
        };
        server.launch().then_some(server)
    }

    /// The server that all tests of this process share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<PgServer> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    /// A table's name that no other test of this process has.
    pub fn fresh_name(&self) -> String {
        static NAMES: AtomicUsize = AtomicUsize::new(0);
        format!("records_{}", NAMES.fetch_add(1, SeqCst))
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.port.addr()
    }

    /// How it is connected to.
    pub fn options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port.number())
            .username("postgres")
            .database("postgres")
    }

    /// A pool of up to so many connections, which it makes when they are needed.
    pub fn pool(&self, connections: u32) -> PgPool {
        self.pool_with(connections, self.options())
    }

    /// The same with other options.
    pub fn pool_with(&self, connections: u32, options: PgConnectOptions) -> PgPool {
        let pool = PgPoolOptions::new().max_connections(connections);
        pool.connect_lazy_with(options)
    }

    /// A connection of the test's own.
    pub async fn connection(&self) -> PgConnection {
        let connection = self.options().connect().await;
        connection.unwrap_or_else(|error| panic!("{error}\n{}", self.log_tail()))
    }

    /// Runs statements on a connection of their own.
    pub async fn execute(&self, sql: &str) {
        let mut connection = self.connection().await;
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection);
        done.await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// The one number that a query gives.
    pub async fn number(&self, sql: &str) -> i64 {
        let mut connection = self.connection().await;
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut connection);
        let row = row.await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        row.get(0)
    }

    /// Ends it as a crash does: nothing is finished, connections break off.
    pub fn crash(&self) {
        let mut process = self.process();
        if let Some(mut process) = process.take() {
            process.quit();
            let ended = until(Duration::from_secs(20), || process.status());
            assert!(ended.is_some(), "no end within 20 s:\n{}", self.log_tail());
        }
    }

    /// Ends it as a crash does, and starts it again: same port, same data.
    pub fn restart(&self) {
        self.crash();
        assert!(self.launch(), "port taken meanwhile:\n{}", self.log_tail());
    }

    /// Starts it again after a crash.
    pub fn start_again(&self) {
        assert!(self.launch(), "port taken meanwhile:\n{}", self.log_tail());
    }

    /// All of its log.
    pub fn log(&self) -> String {
        let log = fs::read(self.dir.path().join(LOG_FILE)).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Starts the process and waits until it takes connections; false if the port is somebody else's.
    fn launch(&self) -> bool {
        let dir = self.dir.path();
        let log = File::options()
            .create(true)
            .append(true)
            .open(dir.join(LOG_FILE))
            .expect("a writable folder");
        let errors = log.try_clone().expect("an open file");
        let said = self.log().len();
        let mut command = command("postgres");
        command.arg("-D").arg(dir.join("data")).current_dir(dir);
        command
            .arg("-c")
            .arg(format!("port={}", self.port.number()));
        for (name, value) in &self.config {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command.stdout(Stdio::from(log)).stderr(Stdio::from(errors));
        let mut process = Process::spawn(&mut command, Arc::clone(&self.watchdog));
        let up = until(Duration::from_secs(60), || {
            let log = self.log();
            if log[said..].contains(READY) {
                return Some(true);
            }
            process.status()?;
            assert!(log[said..].contains(TAKEN), "no start:\n{log}");
            Some(false)
        });
        *self.process() = Some(process);
        up.unwrap_or_else(|| panic!("not ready within 60 s:\n{}", self.log_tail()))
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().expect("no panic while held")
    }
}

impl Drop for PgServer {
    fn drop(&mut self) {
        if let Some(process) = &mut *self.process() {
            // Killed outright, its own processes would go on for a moment, in a folder that is gone.
            process.quit();
            _ = until(Duration::from_secs(5), || process.status());
        }
    }
}

/// A data folder as `initdb` makes it, which takes a second: made once, and copied for each server.
fn template() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/postgres");
    let template = folder.join("template");
    if template.is_dir() {
        return template;
    }
    fs::create_dir_all(&folder).expect("a writable target folder");
    let dir = TempDir::with_prefix("initdb-").expect("a folder for temporary files");
    give(dir.path());
    let data = dir.path().join("data");
    let made = command("initdb")
        .arg("-D")
        .arg(&data)
        .args([
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ])
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .output()
        .expect("a program that can run");
    let errors = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "initdb failed:\n{errors}");
    // Whoever is first gives it its name; the others take that one.
    let own = TempDir::with_prefix_in("made-", &folder).expect("a writable target folder");
    copy(&data, &own.path().join("template"));
    _ = fs::rename(own.path().join("template"), &template);
    template
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(
        copied.expect("`cp` can run").success(),
        "no copy of {from:?}"
    );
}
