//! Pools of connections to the servers, as a store takes them.

use idempotency_actix::deadpool_redis::{
    Config, Pool, PoolConfig, RedisConnectionInfo, Runtime, cluster, sentinel,
};
use idempotency_actix::store::RedisPool;

use super::cluster::RedisCluster;
use super::sentinel::SentinelGroup;
use super::server::RedisServer;

/// A pool for the server at that address.
pub fn pool(url: &str) -> Pool {
    sized(url, PoolConfig::default())
}

fn sized(url: &str, size: PoolConfig) -> Pool {
    let mut config = Config::from_url(url);
    config.pool = Some(size);
    config.create_pool(Some(Runtime::Tokio1)).expect("a pool")
}

impl RedisServer {
    /// A pool of the usual size.
    pub fn pool(&self) -> RedisPool {
        pool(&self.url()).into()
    }

    /// A pool of that many connections.
    pub fn pool_of(&self, connections: usize) -> RedisPool {
        sized(&self.url(), PoolConfig::new(connections)).into()
    }
}

impl RedisCluster {
    /// A pool of the usual size.
    pub fn pool(&self) -> RedisPool {
        self.sized(PoolConfig::default())
    }

    /// A pool of that many connections.
    pub fn pool_of(&self, connections: usize) -> RedisPool {
        self.sized(PoolConfig::new(connections))
    }

    fn sized(&self, size: PoolConfig) -> RedisPool {
        let mut config = cluster::Config::from_urls(self.urls());
        config.pool = Some(size);
        let pool = config.create_pool(Some(Runtime::Tokio1));
        pool.expect("a pool").into()
    }
}

impl SentinelGroup {
    /// A pool of the usual size, of connections to whoever is the primary.
    pub fn pool(&self) -> RedisPool {
        self.sized(PoolConfig::default(), None)
    }

    /// A pool of that many connections.
    pub fn pool_of(&self, connections: usize) -> RedisPool {
        self.sized(PoolConfig::new(connections), None)
    }

    /// The same for a user of the servers whose password is its name.
    pub fn pool_of_user(&self, connections: usize, user: &str) -> RedisPool {
        let login = RedisConnectionInfo {
            username: Some(user.to_owned()),
            password: Some(user.to_owned()),
            ..RedisConnectionInfo::default()
        };
        let user = sentinel::SentinelNodeConnectionInfo {
            redis_connection_info: Some(login),
            ..sentinel::SentinelNodeConnectionInfo::default()
        };
        self.sized(PoolConfig::new(connections), Some(user))
    }

    fn sized(
        &self,
        size: PoolConfig,
        user: Option<sentinel::SentinelNodeConnectionInfo>,
    ) -> RedisPool {
        let service = self.service().to_owned();
        let primary = sentinel::SentinelServerType::Master;
        let config = sentinel::Config::from_urls(self.urls(), service, primary);
        let mut config = config.with_node_connection_info(user);
        config.pool = Some(size);
        let pool = config.create_pool(Some(Runtime::Tokio1));
        pool.expect("a pool").into()
    }
}
