//! The processes under test, and what a test does to them.

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Lines};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use idempotency_actix_tests::redis::RedisServer;
use idempotency_actix_tests::{
    Client, HalfClosed, Process, Request, Response, Watchdog, eventually_within, until,
};
use tempfile::TempDir;

/// How long a test waits for what several processes must make happen.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What replicas share: a Redis server, and a folder that outlives each of them.
pub struct Site<'a> {
    redis: &'a RedisServer,
    folder: TempDir,
    prefix: String,
    lease: Duration,
    unknown: &'static str,
    /// What the replicas are told about it: `not`, `polling` or `told`.
    wait: &'static str,
    /// How they stop when they are asked to: `plain`, `drained` or `drained-cut`.
    stop: &'static str,
}

impl<'a> Site<'a> {
    /// With a lease that no test outlives.
    pub fn on(redis: &'a RedisServer) -> Self {
        Self {
            redis,
            folder: TempDir::with_prefix("replicas-").expect("a folder for temporary files"),
            prefix: format!("{:x}:", RandomState::new().hash_one(0)),
            lease: Duration::from_secs(300),
            unknown: "reject",
            wait: "not",
            stop: "plain",
        }
    }

    /// Whose retries wait and look whether the first request has ended.
    pub fn polling(self) -> Self {
        let wait = "polling";
        Self { wait, ..self }
    }

    /// Whose retries wait, and whose replicas tell each other of changes.
    pub fn told(self) -> Self {
        let wait = "told";
        Self { wait, ..self }
    }

    /// Whose replicas end what is in flight before they stop.
    pub fn drained(self, half_closed: HalfClosed) -> Self {
        let stop = match half_closed {
            HalfClosed::Served => "drained",
            HalfClosed::Gone => "drained-cut",
        };
        Self { stop, ..self }
    }

    /// With a lease that lapses within a test, and is not missed by a busy machine.
    pub fn with_short_lease(redis: &'a RedisServer) -> Self {
        let lease = Duration::from_secs(5);
        Self {
            lease,
            ..Self::on(redis)
        }
    }

    /// Whose replicas "rerun" or "recover" what nobody knows the outcome of.
    pub fn on_unknown(self, unknown: &'static str) -> Self {
        Self { unknown, ..self }
    }

    pub fn lease(&self) -> Duration {
        self.lease
    }

    /// Starts a replica.
    pub fn replica(&self) -> Replica {
        self.replica_with_prefix(&self.prefix)
    }

    /// Starts one that keeps its records elsewhere.
    pub fn replica_with_prefix(&self, prefix: &str) -> Replica {
        let mut command = Command::new(env!("CARGO_BIN_EXE_replica"));
        command
            .args([&self.redis.url(), prefix])
            .arg(self.lease.as_millis().to_string())
            .arg(self.folder.path())
            .arg(self.unknown)
            .args([self.wait, self.stop])
            .stdout(Stdio::piped());
        let watchdog = Arc::new(Watchdog::of(self.folder.path()));
        let mut process = Process::spawn(&mut command, watchdog);
        let mut output = BufReader::new(process.output()).lines();
        let addr = output.next().expect("a line").expect("an open pipe");
        Replica {
            addr: addr.parse().expect("an address"),
            output,
            process,
        }
    }

    /// Starts two replicas.
    pub fn pair(&self) -> [Replica; 2] {
        [self.replica(), self.replica()]
    }

    /// Lets through who waits at this gate, now and later.
    pub fn open(&self, gate: &str) {
        File::create(self.folder.path().join(gate)).expect("a writable folder");
    }

    /// The requests of which this was noted, by all replicas, oldest first.
    pub fn events(&self, event: &str) -> Vec<String> {
        let events = fs::read_to_string(self.events_file()).expect("a started replica");
        let lines = events.lines().filter_map(|line| line.split_once(' '));
        let names = lines.filter(|(noted, _)| *noted == event);
        names.map(|(_, name)| name.to_owned()).collect()
    }

    fn events_file(&self) -> PathBuf {
        self.folder.path().join("events")
    }

    /// How often a handler started for any request with this key.
    pub fn runs(&self, key: &str) -> usize {
        let starts = self.events("start");
        let keys = starts.iter().filter_map(|name| name.rsplit(' ').next());
        keys.filter(|of| *of == key).count()
    }

    /// Waits until that many of these were noted.
    pub fn wait_for(&self, event: &str, times: usize) {
        eventually(event, || self.events(event).len() >= times);
    }

    /// Sends a request to a handler that waits, and returns once it has started.
    pub fn start(&self, replica: &Replica, request: &Request) -> Client {
        let started = self.events("start").len();
        let client = replica.ask(request);
        self.wait_for("start", started + 1);
        client
    }

    /// How many replicas and workers of theirs hear of changes.
    pub fn subscribers(&self) -> i64 {
        let channel = format!("{}changed", self.prefix);
        let subscribers = self.redis.command(&["PUBSUB", "NUMSUB", &channel]);
        subscribers.items()[1].clone().int()
    }

    /// How often the server was asked for a claim, by all its clients.
    pub fn claims_asked(&self) -> u64 {
        self.redis.calls().get("set").copied().unwrap_or_default()
    }

    /// The only record.
    pub fn record(&self) -> Option<String> {
        let keys = self.redis.command(&["KEYS", &format!("{}*", self.prefix)]);
        let mut keys = keys.items().into_iter();
        let record = keys.next().map(|key| key.text());
        assert!(keys.next().is_none(), "more than one record");
        record
    }

    /// How long the only record is kept from now on, in milliseconds.
    pub fn time_to_live(&self) -> i64 {
        let record = self.record().expect("a record");
        self.redis.command(&["PTTL", &record]).int()
    }
}

/// A running process, killed when dropped.
pub struct Replica {
    process: Process,
    output: Lines<BufReader<ChildStdout>>,
    addr: SocketAddr,
}

impl Replica {
    /// Sends a request on a connection of its own.
    pub fn send(&self, request: &Request) -> Response {
        self.ask(request).receive()
    }

    /// Sends a request and leaves the answer for later.
    pub fn ask(&self, request: &Request) -> Client {
        let mut client = self.connect();
        client.send(request);
        client
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.addr)
    }

    /// Retries until the operation has ended and the store can tell.
    pub fn settle(&self, request: &Request) -> Response {
        let answer = until(PATIENCE, || {
            let answer = self.send(request);
            (answer.status != 409 && answer.status != 503).then_some(answer)
        });
        answer.expect("an end of the operation")
    }

    /// Kills it without a chance to do anything.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Stops it with its connections open, and returns once it stands still.
    pub fn pause(&mut self) {
        self.process.freeze();
    }

    /// Lets it go on.
    pub fn resume(&mut self) {
        self.process.thaw();
    }

    /// Asks it to end, and returns once it takes no connections any more.
    pub fn stop(&self) {
        self.process.terminate();
        let addr = self.addr;
        eventually("a closed port", || TcpStream::connect(addr).is_err());
    }

    /// Asks it to end, and returns once it takes no new keys any more.
    pub fn drain(&self) {
        self.process.terminate();
        let new = request("new");
        eventually("a replica that drains", || {
            let answer = self.send(&new);
            answer.status == 503 && answer.text().contains("draining")
        });
    }

    /// The next line of its output.
    pub fn line(&mut self) -> String {
        let line = self.output.next().expect("a line");
        line.expect("an open pipe")
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.process.status().is_none()
    }

    /// Waits until it has ended in peace.
    pub fn wait(&mut self) {
        let status = until(PATIENCE, || self.process.status());
        let status = status.expect("a process that ends");
        assert!(status.success(), "{status}");
    }
}

/// Polls until it is so.
#[track_caller]
pub fn eventually(what: &str, is_so: impl FnMut() -> bool) {
    eventually_within(PATIENCE, what, is_so);
}

/// The request that most tests send and repeat.
pub fn request(key: &str) -> Request {
    at("/charges/1", key)
}

/// The same at another path.
pub fn at(path: &str, key: &str) -> Request {
    Request::post(path)
        .header("X-Caller", "alice")
        .key(key)
        .body("100 EUR")
}

/// The same, whose handler waits until the test opens `gate`.
pub fn gated(key: &str) -> Request {
    gated_by("gate", key)
}

/// The same with a gate of choice.
pub fn gated_by(gate: &str, key: &str) -> Request {
    request(key).header("X-Gate", gate)
}

/// An answer of the handler, with a success.
pub fn assert_first(response: &Response) {
    assert!(matches!(response.status, 200..300), "{response:?}");
    assert!(!response.is_replay(), "{response:?}");
}

/// The first answer again: its status, header lines and octets.
pub fn assert_replay(replay: &Response, first: &Response) {
    assert!(replay.is_replay(), "{replay:?}");
    assert_eq!(essence(replay), essence(first));
}

/// Without what an answer says about itself and its connection, in an order that can be compared.
pub fn essence(response: &Response) -> Response {
    const OWN: [&str; 6] = [
        "date",
        "idempotent-replayed",
        "idempotency-status",
        "connection",
        "content-length",
        "transfer-encoding",
    ];
    let mut essence = response.clone();
    essence.headers.retain(|(name, _)| !OWN.contains(&&**name));
    // actix-web writes the names in no order; of one name the lines keep theirs.
    essence.headers.sort_by(|(a, _), (b, _)| a.cmp(b));
    essence
}

/// Every replica gives the first answer again, and the handler ran once.
pub fn assert_replayed(site: &Site, replicas: &[Replica], request: &Request, first: &Response) {
    for replica in replicas {
        assert_replay(&replica.settle(request), first);
    }
    let runs = site.events("start");
    assert_eq!(runs.len(), 1, "{runs:?}");
}
