//! One operation's talk with the server: under one deadline, sent again once, over which connection. What is
//! said is not known here.

use std::time::Duration;

use deadpool_redis::redis::{
    Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, ServerErrorKind, Value,
    from_redis_value,
};
use tokio::time::{Instant, timeout_at};

use super::connection::Connection;
use super::failure::{Failure, TooFewReplicas};
use super::pool::RedisPool;
use super::shared_connections::{SharedConnection, SharedConnections};

/// From this many octets on, a value goes over a connection of its own. A server closes the connection of whoever
/// sends it more than `proto-max-bulk-len` or `client-query-buffer-limit`. Neither can be less than 1 MiB, and
/// what goes with the value counts too.
const LONG: usize = 1_000_000;

/// How to reach the server.
pub(super) struct Server {
    pub(super) pool: RedisPool,
    pub(super) shared: SharedConnections,
    pub(super) timeout: Duration,
    /// How many replicas a write waits for.
    pub(super) wait_replicas: usize,
}

/// One operation's talk with the server, under one deadline.
///
/// A command that met a dropped connection is sent once more over a new one: every step of ours can
/// be repeated by its token.
pub(super) struct Session<'a> {
    server: &'a Server,
    key: &'a [u8],
    deadline: Instant,
    taken: Option<Taken>,
    way: Way,
    has_resent: bool,
}

/// Which connection a session takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// That of all operations of this runtime.
    Shared,
    /// One of its own where there is one, since what is sent may cost it.
    Apart,
    /// One of its own, since `WAIT` blocks it.
    Own,
}

/// The connection that a session has taken.
enum Taken {
    Shared(SharedConnection),
    Own(Connection),
}

/// What is sent in one go.
#[derive(Clone, Copy)]
pub(super) enum Ask<'a> {
    Command(&'a Cmd),
    Pipeline(&'a Pipeline),
}

impl Server {
    /// A talk that only reads, or whose writes need no replica.
    pub(super) fn session<'a>(&'a self, key: &'a [u8]) -> Session<'a> {
        Session {
            server: self,
            key,
            deadline: Instant::now() + self.timeout,
            taken: None,
            way: Way::Shared,
            has_resent: false,
        }
    }

    /// Asks every server that takes claims; a reply may be an error.
    pub(super) async fn ask_primaries(&self, ask: &Cmd) -> Result<Vec<(String, Value)>, Failure> {
        let asked = async {
            let mut shared = self.shared.get().await?;
            shared.connection.ask_primaries(ask).await
        };
        let replies = tokio::time::timeout(self.timeout, asked).await;
        let replies = replies.unwrap_or_else(|late| Err(std::io::Error::from(late).into()));
        replies.map_err(Failure::Refused)
    }

    /// A talk whose writes are [confirmed](Session::confirm). `WAIT` blocks its connection, so where
    /// replicas are waited for, nobody else may be on it: on a shared one others were seen to wait 727 ms.
    pub(super) fn writing<'a>(&'a self, key: &'a [u8]) -> Session<'a> {
        let way = match self.wait_replicas {
            0 => Way::Shared,
            _ => Way::Own,
        };
        Session {
            way,
            ..self.session(key)
        }
    }
}

impl<'a> Session<'a> {
    pub(super) fn key(&self) -> &'a [u8] {
        self.key
    }

    pub(super) async fn send<T: FromRedisValue>(&mut self, ask: Ask<'_>) -> Result<T, Failure> {
        self.send_until(self.deadline, ask).await
    }

    /// Sends a write, so that there is time left to read. A cluster's client tries again by itself where
    /// the cluster is down, for as long as it may.
    pub(super) async fn try_write<T: FromRedisValue>(&mut self, write: &Cmd) -> Result<T, Failure> {
        let until = match self.server.pool.is_cluster() {
            true => self.deadline - self.deadline.saturating_duration_since(Instant::now()) / 2,
            false => self.deadline,
        };
        self.send_until(until, Ask::Command(write)).await
    }

    /// Keeps what follows apart from all others of this runtime if it is so many octets: where the server refuses it for
    /// its length, they are not cut off.
    pub(super) fn keep_apart(&mut self, octets: usize) {
        if octets >= LONG && self.way == Way::Shared {
            self.way = Way::Apart;
            self.taken = None;
        }
    }

    pub(super) fn has_time_left(&self) -> bool {
        Instant::now() < self.deadline
    }

    /// A reply that is of another type than asked for leaves the connection in doubt.
    async fn send_until<T: FromRedisValue>(
        &mut self,
        until: Instant,
        ask: Ask<'_>,
    ) -> Result<T, Failure> {
        let reply = self.reply_until(until, ask).await?;
        from_redis_value(reply).map_err(|error| {
            let error = RedisError::from(error);
            self.give_up(&error);
            Failure::Unclear(error.into())
        })
    }

    async fn reply_until(&mut self, until: Instant, ask: Ask<'_>) -> Result<Value, Failure> {
        loop {
            if self.taken.is_none() && !self.take_ready() {
                self.taken = Some(Box::pin(self.open()).await?);
            }
            let taken = self.taken.as_mut();
            let taken = taken.expect("a session that sends has a connection");
            let connection = taken.connection();
            let is_cluster = connection.is_cluster();
            let answer = timeout_at(until, ask.send(connection)).await;
            let error = match answer {
                Ok(Ok(reply)) => {
                    taken.answered();
                    return Ok(reply);
                }
                Ok(Err(error)) => error,
                Err(late) => {
                    let error = RedisError::from(std::io::Error::from(late));
                    if !self.has_time_left() {
                        self.give_up(&error);
                    }
                    return Err(Failure::Unclear(error.into()));
                }
            };
            if is_reply(&error) {
                // A client of a cluster sends again by itself, and tells of the last reply only.
                let is_clear = !self.has_resent && !is_cluster;
                let taken = self.taken.take();
                self.taken = taken.map(|taken| taken.after_reply(&error, is_cluster));
                return Err(match is_clear {
                    true => Failure::Refused(error),
                    false => Failure::Unclear(error.into()),
                });
            }
            let is_dropped = error.is_connection_dropped() || error.is_unrecoverable_error();
            self.give_up(&error);
            if self.has_resent || !is_dropped {
                return Err(Failure::Unclear(error.into()));
            }
            self.has_resent = true;
        }
    }

    /// Takes the connection of this runtime, if there is one and it will do.
    fn take_ready(&mut self) -> bool {
        if self.way == Way::Shared {
            self.taken = self.server.shared.ready().map(Taken::Shared);
        }
        self.taken.is_some()
    }

    fn give_up(&mut self, error: &RedisError) {
        if let Some(taken) = self.taken.take() {
            taken.give_up(error);
        }
    }

    /// Makes sure that as many replicas as were asked for have what was written.
    pub(super) async fn confirm(&mut self) -> Result<(), Failure> {
        match self.way {
            Way::Own => Box::pin(self.wait()).await,
            Way::Shared | Way::Apart => Ok(()),
        }
    }

    async fn wait(&mut self) -> Result<(), Failure> {
        let wanted = self.server.wait_replicas;
        let Some(mut taken) = self.taken.take() else {
            return Ok(());
        };
        let left = self.deadline.saturating_duration_since(Instant::now());
        // The reply has to be here before the deadline, or the connection is given up.
        let ms = left.as_millis().saturating_sub(10).max(1);
        let wait = taken.connection().wait(self.key, wanted, ms);
        let waited = timeout_at(self.deadline, wait).await;
        match waited {
            Ok(Ok(have)) if have >= wanted => {
                self.taken = Some(taken);
                Ok(())
            }
            Ok(Ok(have)) => {
                self.taken = Some(taken);
                Err(Failure::Unclear(TooFewReplicas { have, wanted }.into()))
            }
            Ok(Err(error)) => {
                taken.give_up(&error);
                Err(Failure::Unclear(error.into()))
            }
            Err(late) => {
                taken.give_up(&std::io::Error::from(late).into());
                let have = 0;
                Err(Failure::Unclear(TooFewReplicas { have, wanted }.into()))
            }
        }
    }

    /// What fails here was not sent, unless it was sent once before.
    async fn open(&self) -> Result<Taken, Failure> {
        let Server {
            pool,
            shared,
            timeout,
            ..
        } = self.server;
        let open = async {
            match self.way {
                Way::Own => return pool.borrow(*timeout).await.map(Taken::Own),
                Way::Apart => {
                    // That there is none must not be taken for a refusal of the value.
                    let left = self.deadline.saturating_duration_since(Instant::now());
                    let borrowed = tokio::time::timeout(left / 2, pool.borrow_new(*timeout)).await;
                    if let Ok(Ok(connection)) = borrowed {
                        return Ok(Taken::Own(connection));
                    }
                }
                Way::Shared => {}
            }
            shared.get().await.map(Taken::Shared)
        };
        let opened = timeout_at(self.deadline, open).await;
        let opened = opened.unwrap_or_else(|late| Err(std::io::Error::from(late).into()));
        opened.map_err(|error| match self.has_resent {
            true => Failure::Unclear(error.into()),
            false => Failure::Refused(error),
        })
    }
}

impl Taken {
    fn connection(&mut self) -> &mut Connection {
        match self {
            Self::Shared(shared) => &mut shared.connection,
            Self::Own(connection) => connection,
        }
    }

    fn answered(&self) {
        if let Self::Shared(shared) = self {
            shared.answered();
        }
    }

    /// A server that turned into a replica may still be read from, but another may be the primary.
    fn after_reply(self, error: &RedisError, is_cluster: bool) -> Self {
        let is_demoted = matches!(error.kind(), ErrorKind::Server(ServerErrorKind::ReadOnly));
        match self {
            taken if !is_demoted || is_cluster => taken,
            Self::Own(connection) => Self::Own(connection.take()),
            Self::Shared(shared) => {
                shared.retire();
                Self::Shared(shared)
            }
        }
    }

    fn give_up(self, error: &RedisError) {
        match self {
            Self::Shared(shared) => shared.give_up(error),
            Self::Own(connection) => drop(connection.take()),
        }
    }
}

impl Ask<'_> {
    async fn send(self, connection: &mut Connection) -> RedisResult<Value> {
        match self {
            Self::Command(command) => connection.send(command).await,
            Self::Pipeline(pipeline) => {
                let answer = pipeline.query_async(connection).await;
                answer.map_err(first_reply)
            }
        }
    }
}

/// The first error that the server replied in a pipeline, which as a whole has no code.
fn first_reply(error: RedisError) -> RedisError {
    let replies = error.clone().into_server_errors();
    let first = replies.and_then(|replies| replies.first().map(|(_, reply)| reply.clone()));
    first.map_or(error, RedisError::from)
}

/// Whether the server said so itself, over a connection that goes on.
fn is_reply(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Server(_) => true,
        ErrorKind::Extension => error.code().is_some(),
        _ => false,
    }
}
