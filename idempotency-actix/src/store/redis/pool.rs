use std::fmt;
use std::time::Duration;

use deadpool_redis::redis::{self, ErrorKind, RedisError, RedisResult};
use deadpool_redis::{PoolError, cluster, sentinel};

use super::connection::{Borrowed, Connection, Inner};

/// Where a [`RedisStore`](super::RedisStore) gets its connections: a pool of `deadpool_redis`, made
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
    pub(super) async fn borrow(&self) -> RedisResult<Connection> {
        Ok(Connection::Borrowed(match &self.0 {
            Pool::Server(pool) => Borrowed::Server(pool.get().await.map_err(cause)?),
            Pool::Sentinel(pool) => Borrowed::Sentinel(pool.get().await.map_err(cause)?),
            Pool::Cluster(pool) => Borrowed::Cluster(pool.get().await.map_err(cause)?),
        }))
    }

    /// Makes a connection of one's own. It goes through the pool, for its hooks, and leaves it for good.
    ///
    /// Idle connections are closed first: one that another worker's runtime made would be driven by
    /// that worker, and stall with it.
    pub(super) async fn connect(&self, timeout: Duration) -> RedisResult<Inner> {
        match &self.0 {
            Pool::Server(pool) => {
                pool.retain(|_, _| false);
                let taken = deadpool_redis::Connection::take(pool.get().await.map_err(cause)?);
                Ok(responding(taken, timeout))
            }
            Pool::Sentinel(pool) => {
                pool.retain(|_, _| false);
                let taken = sentinel::Connection::take(pool.get().await.map_err(cause)?);
                let mut inner = responding(taken, timeout);
                if let Inner::Server(connection) = &mut inner {
                    refuse_replica(connection).await?;
                }
                Ok(inner)
            }
            Pool::Cluster(pool) => {
                pool.retain(|_, _| false);
                let taken = cluster::Connection::take(pool.get().await.map_err(cause)?);
                Ok(Inner::Cluster(taken))
            }
        }
    }
}

fn responding(mut connection: redis::aio::MultiplexedConnection, timeout: Duration) -> Inner {
    connection.set_response_timeout(timeout);
    Inner::Server(connection)
}

/// Sentinels name the old primary for a while after a failover.
async fn refuse_replica(connection: &mut redis::aio::MultiplexedConnection) -> RedisResult<()> {
    let role: Vec<redis::Value> = redis::cmd("ROLE").query_async(connection).await?;
    let role: Option<String> = role
        .into_iter()
        .next()
        .map(redis::from_redis_value)
        .transpose()?;
    match role.as_deref() {
        Some("master") => Ok(()),
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
