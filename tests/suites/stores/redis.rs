//! The store on Redis, on everything that speaks its protocol.

use std::time::Duration;

use idempotency_actix::RedisStore;
use idempotency_actix::store::conformance::Harness;
use idempotency_actix::store::{Keyring, RedisPool};
use idempotency_actix_tests::redis::{RedisCluster, RedisServer, SentinelGroup};

/// A store over some kind of pool.
struct OnRedis<F> {
    pool: F,
    keyring: Option<Keyring>,
}

fn on<F: Fn() -> RedisPool + Sync>(pool: F) -> OnRedis<F> {
    let keyring = None;
    OnRedis { pool, keyring }
}

impl<F: Fn() -> RedisPool + Sync> Harness for OnRedis<F> {
    type Store = RedisStore;

    async fn store(&self) -> RedisStore {
        let builder = RedisStore::builder((self.pool)()).timeout(Duration::from_secs(10));
        let builder = match &self.keyring {
            Some(keyring) => builder.encryption(keyring.clone()),
            None => builder,
        };
        builder.build().expect("a store")
    }

    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn unit(&self) -> Duration {
        Duration::from_millis(300)
    }

    fn rounds(&self) -> usize {
        50
    }
}

fn redis() -> RedisPool {
    RedisServer::shared().pool()
}

fn valkey() -> RedisPool {
    RedisServer::shared_valkey().pool()
}

fn redis_cluster() -> RedisPool {
    RedisCluster::shared().pool()
}

fn redis_by_sentinel() -> RedisPool {
    SentinelGroup::shared().pool()
}

mod on_one_server {
    idempotency_actix::conformance_tests!(
        #[actix_web::test]
        super::on(super::redis)
    );
}

mod sealed {
    use super::{Keyring, OnRedis, redis};

    idempotency_actix::conformance_tests!(
        #[actix_web::test]
        OnRedis {
            pool: redis,
            keyring: Some(Keyring::new(1, [7; 32])),
        }
    );
}

mod on_valkey {
    idempotency_actix::conformance_tests!(
        #[actix_web::test]
        super::on(super::valkey)
    );
}

mod on_a_cluster {
    idempotency_actix::conformance_tests!(
        #[actix_web::test]
        super::on(super::redis_cluster)
    );
}

mod by_sentinel {
    idempotency_actix::conformance_tests!(
        #[actix_web::test]
        super::on(super::redis_by_sentinel)
    );
}
