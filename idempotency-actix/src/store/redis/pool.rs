//! The application's pool, of whichever kind: connections borrowed, or taken for good. What is sent over them
//! is not known here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{ErrorKind, RedisError, RedisResult, cmd};
use deadpool_redis::{PoolError, cluster, sentinel};

use super::connection::{Borrowed, Connection, Multiplexed};

/// Where a [`RedisStore`](crate::RedisStore) gets its connections: a pool of `deadpool_redis`, made
/// and configured by the application. Each of the three kinds converts into it.
#[derive(Clone)]
pub struct RedisPool(Pool);

#[derive(Clone)]
enum Pool {
    Server(deadpool_redis::Pool),
    Sentinel(sentinel::Pool),
    Cluster(cluster::Pool),
}

impl RedisPool {
    /// Borrows a connection for one operation.
    pub(super) async fn borrow(&self, timeout: Duration) -> RedisResult<Connection> {
        Ok(Connection::Borrowed(Box::new(match &self.0 {
            Pool::Server(pool) => {
                let mut borrowed = pool.get().await.map_err(cause)?;
                borrowed.set_response_timeout(timeout);
                Borrowed::Server(borrowed)
            }
            Pool::Sentinel(pool) => {
                let mut borrowed = pool.get().await.map_err(cause)?;
                borrowed.set_response_timeout(timeout);
                Borrowed::Sentinel(borrowed)
            }
            Pool::Cluster(pool) => Borrowed::Cluster(pool.get().await.map_err(cause)?),
        })))
    }

    /// Borrows one that nobody had before, thus one that this runtime drives, to the primary of now.
    pub(super) async fn borrow_new(&self, timeout: Duration) -> RedisResult<Connection> {
        self.close_idle();
        self.borrow(timeout).await
    }

    /// Makes a connection of one's own. It goes through the pool, for its hooks, and leaves it for good.
    ///
    /// Idle connections are closed first: one that another worker's runtime made would be driven by
    /// that worker, and stall with it.
    pub(super) async fn connect(&self, timeout: Duration) -> RedisResult<Connected> {
        self.close_idle();
        match &self.0 {
            Pool::Server(pool) => {
                let taken = deadpool_redis::Connection::take(pool.get().await.map_err(cause)?);
                Ok(Connected::to(taken, timeout, None))
            }
            Pool::Sentinel(pool) => {
                let mut taken = sentinel::Connection::take(pool.get().await.map_err(cause)?);
                let primary = name_of_primary(&mut taken).await?;
                Ok(Connected::to(taken, timeout, Some(primary)))
            }
            Pool::Cluster(pool) => {
                let taken = cluster::Connection::take(pool.get().await.map_err(cause)?);
                Ok(Connected {
                    connection: Multiplexed::Cluster(taken),
                    primary: None,
                })
            }
        }
    }

    fn close_idle(&self) {
        match &self.0 {
            Pool::Server(pool) => drop(pool.retain(|_, _| false)),
            Pool::Sentinel(pool) => drop(pool.retain(|_, _| false)),
            Pool::Cluster(pool) => drop(pool.retain(|_, _| false)),
        }
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.0, Pool::Cluster(_))
    }

    /// Whether others decide which server is the primary, and may change their mind.
    pub(super) fn is_sentinel(&self) -> bool {
        matches!(self.0, Pool::Sentinel(_))
    }
}

/// A connection, and which server it goes to where the sentinels chose it.
#[derive(Clone)]
pub(super) struct Connected {
    pub(super) connection: Multiplexed,
    pub(super) primary: Option<Arc<str>>,
}

impl Connected {
    fn to(
        mut connection: MultiplexedConnection,
        timeout: Duration,
        primary: Option<Arc<str>>,
    ) -> Self {
        connection.set_response_timeout(timeout);
        let connection = Multiplexed::Server(connection);
        Self {
            connection,
            primary,
        }
    }
}

/// The server's own name for this run of it. Sentinels name the old primary for a while after a failover,
/// so what they named may be a replica by now.
async fn name_of_primary(connection: &mut MultiplexedConnection) -> RedisResult<Arc<str>> {
    let mut info = cmd("INFO");
    info.arg("server").arg("replication");
    let info: String = info.query_async(connection).await?;
    let field = |name| info.lines().find_map(|line| line.strip_prefix(name));
    match (field("role:"), field("run_id:")) {
        (Some("master"), Some(name)) => Ok(name.into()),
        _ => Err((
            ErrorKind::Io,
            "the sentinels named a server that is not a primary",
        )
            .into()),
    }
}

/// A pool's failure as the one of the client library's that it most resembles.
fn cause(error: PoolError) -> RedisError {
    match error {
        PoolError::Backend(error) => error,
        error => std::io::Error::other(error).into(),
    }
}

impl From<deadpool_redis::Pool> for RedisPool {
    fn from(pool: deadpool_redis::Pool) -> Self {
        Self(Pool::Server(pool))
    }
}

impl From<sentinel::Pool> for RedisPool {
    fn from(pool: sentinel::Pool) -> Self {
        Self(Pool::Sentinel(pool))
    }
}

impl From<cluster::Pool> for RedisPool {
    fn from(pool: cluster::Pool) -> Self {
        Self(Pool::Cluster(pool))
    }
}

impl fmt::Debug for RedisPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Pool::Server(_) => "RedisPool(server)",
            Pool::Sentinel(_) => "RedisPool(sentinel)",
            Pool::Cluster(_) => "RedisPool(cluster)",
        })
    }
}
