//! One server: its configuration, its life, and what it can be asked.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use tempfile::TempDir;

use super::binary::Product;
use super::connection::Connection;
use super::reply::Reply;
use crate::patience::until;
use crate::port::Port;
use crate::process::Process;
use crate::watchdog::Watchdog;

/// Not kept on disk, open to `DEBUG`, and without the pauses that gather many replicas.
const CONFIG: &[(&str, &str)] = &[
    ("bind", "127.0.0.1"),
    ("save", "\"\""),
    ("enable-debug-command", "yes"),
    ("repl-diskless-sync-delay", "0"),
];

const CONFIG_FILE: &str = "server.conf";
const LOG_FILE: &str = "log";

/// A Redis or Valkey server, ended when dropped.
#[derive(Debug)]
pub struct RedisServer {
    process: Mutex<Option<Process>>,
    binary: PathBuf,
    sentinel: bool,
    password: Option<String>,
    port: Port,
    dir: TempDir,
    watchdog: Arc<Watchdog>,
}

impl RedisServer {
    /// Starts Redis with these lines of `redis.conf` added, and waits until it answers.
    pub fn start(config: &[(&str, &str)]) -> Self {
        Self::start_product(Product::Redis, config)
    }

    /// Starts Valkey with these lines of `valkey.conf` added, and waits until it answers.
    pub fn start_valkey(config: &[(&str, &str)]) -> Self {
        Self::start_product(Product::Valkey, config)
    }

    /// The Redis server that all tests of this process share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<RedisServer> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    /// The Valkey server that all tests of this process share.
    pub fn shared_valkey() -> &'static Self {
        static SHARED: OnceLock<RedisServer> = OnceLock::new();
        SHARED.get_or_init(|| Self::start_valkey(&[]))
    }

    pub(super) fn start_product(product: Product, config: &[(&str, &str)]) -> Self {
        Self::start_at_free_port(product, false, &[CONFIG, config].concat())
    }

    pub(super) fn start_sentinel(config: &[(&str, &str)]) -> Self {
        let config = [&[("bind", "127.0.0.1")], config].concat();
        Self::start_at_free_port(Product::Redis, true, &config)
    }

    fn start_at_free_port(product: Product, sentinel: bool, config: &[(&str, &str)]) -> Self {
        let password = config.iter().find(|(name, _)| *name == "requirepass");
        (0..10)
            .find_map(|_| {
                let dir = TempDir::with_prefix("redis-").expect("a folder for temporary files");
                let server = Self {
                    process: Mutex::new(None),
                    binary: product.binary(),
                    sentinel,
                    password: password.map(|(_, value)| (*value).to_owned()),
                    port: Port::reserve(),
                    watchdog: Arc::new(Watchdog::of(dir.path())),
                    dir,
                };
                let mut lines = format!("port {}\n", server.port());
                for (name, value) in config {
                    lines.push_str(&format!("{name} {value}\n"));
                }
                fs::write(server.dir.path().join(CONFIG_FILE), lines).expect("a writable folder");
                server.launch().then_some(server)
            })
            .expect("a port that stays free until the server listens")
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.port.addr()
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Where it listens, as clients want it.
    pub fn url(&self) -> String {
        format!("redis://{}", self.addr())
    }

    /// The server's process number.
    ///
    /// # Panics
    ///
    /// If it is killed.
    pub fn pid(&self) -> u32 {
        let process = self.process();
        process.as_ref().expect("a running server").pid()
    }

    /// Whether it is neither killed nor frozen.
    pub fn is_up(&self) -> bool {
        let process = self.process();
        process.as_ref().is_some_and(|process| !process.is_frozen())
    }

    /// Ends it by `SIGKILL`.
    pub fn kill(&self) {
        *self.process() = None;
    }

    /// Ends it by `SIGKILL` and starts it again: same port, same folder, same configuration.
    pub fn restart(&self) {
        self.kill();
        assert!(self.launch(), "port taken meanwhile:\n{}", self.log_tail());
    }

    /// Stops it with its connections open, as a machine that hangs.
    pub fn freeze(&self) {
        self.process().as_mut().expect("a running server").freeze();
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.process().as_mut().expect("a running server").thaw();
    }

    /// Runs a command on a connection of its own.
    ///
    /// # Panics
    ///
    /// If there is no reply within 5 s.
    pub fn command(&self, args: &[&str]) -> Reply {
        self.try_command(args)
            .unwrap_or_else(|error| panic!("{args:?}: {error}\n{}", self.log_tail()))
    }

    /// Runs a command, or fails where there is no reply.
    pub fn try_command(&self, args: &[&str]) -> io::Result<Reply> {
        let mut connection = Connection::open(self.addr())?;
        if let Some(password) = &self.password {
            connection.command(&["AUTH", password])?;
        }
        connection.command(args)
    }

    /// A field of `INFO everything`.
    pub fn info(&self, field: &str) -> Option<String> {
        let info = self.try_command(&["INFO", "everything"]).ok()?.text();
        let mut fields = info.lines().filter_map(|line| line.split_once(':'));
        fields.find_map(|(name, value)| (name == field).then(|| value.to_owned()))
    }

    /// How often each command was called on it, by clients and scripts.
    pub fn calls(&self) -> HashMap<String, u64> {
        let stats = self.command(&["INFO", "commandstats"]).text();
        let stats = stats.lines().filter_map(|line| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            Some((name.to_owned(), rest.split(',').next()?.parse().ok()?))
        });
        stats.collect()
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        let log = fs::read(self.dir.path().join(LOG_FILE)).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Starts the process and waits until it answers; false if the port is somebody else's.
    fn launch(&self) -> bool {
        let dir = self.dir.path();
        let log = File::options()
            .create(true)
            .append(true)
            .open(dir.join(LOG_FILE))
            .expect("a writable folder");
        let errors = log.try_clone().expect("an open file");
        let mut command = Command::new(&self.binary);
        command.arg(CONFIG_FILE).current_dir(dir);
        command.stdout(Stdio::from(log)).stderr(Stdio::from(errors));
        if self.sentinel {
            command.arg("--sentinel");
        }
        let mut process = Process::spawn(&mut command, Arc::clone(&self.watchdog));
        let pid = process.pid().to_string();
        let up = until(Duration::from_secs(30), || {
            if process.status().is_some() {
                let log = self.log_tail();
                assert!(log.contains("Address already in use"), "no start:\n{log}");
                return Some(false);
            }
            let pong = Reply::Simple("PONG".to_owned());
            let answers = self.try_command(&["PING"]).is_ok_and(|reply| reply == pong);
            (answers && self.info("process_id")? == pid).then_some(true)
        });
        *self.process() = Some(process);
        up.unwrap_or_else(|| panic!("no answer within 30 s:\n{}", self.log_tail()))
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().expect("no panic while held")
    }
}
