//! One replica: a server, a store and a pool that no other replica has.

use std::error::Error;
use std::fmt;
use std::io;

use actix_web::dev::ServerHandle;
use actix_web::rt::task::JoinHandle;
use actix_web::{App, HttpServer, rt, web};
use idempotency_actix::deadpool_redis::redis::IntoConnectionInfo;
use idempotency_actix::deadpool_redis::{Config, Runtime};
use idempotency_actix::store::StoreError;
use idempotency_actix::{Idempotency, KeyScope, RedisStore};

use crate::charges::{self, Runs};
use crate::cli;

pub(crate) struct Replica {
    pub(crate) name: &'static str,
    url: String,
    handle: ServerHandle,
    server: JoinHandle<io::Result<()>>,
}

impl Replica {
    /// Starts a server on a port of this machine, 0 for a free one, once Redis takes records.
    pub(crate) async fn start(
        name: &'static str,
        redis: &str,
        port: u16,
    ) -> Result<Self, Box<dyn Error>> {
        let idempotency = layer(redis).await?;
        let runs = web::Data::new(Runs::new(name));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(runs.clone())
                .wrap(idempotency.clone())
                .service(charges::create)
                .service(charges::show_runs)
        })
        .workers(1)
        // A client that closes its side has left. By default actix-web takes that for half a goodbye.
        .h1_allow_half_closed(false)
        .bind(("127.0.0.1", port))
        .map_err(|error| format!("cannot listen on 127.0.0.1:{port}: {error}"))?;
        let address = server.addrs()[0];
        let server = server.run();
        Ok(Self {
            name,
            url: format!("http://{address}"),
            handle: server.handle(),
            server: rt::spawn(server),
        })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Serves until the process is told to stop.
    pub(crate) async fn run(self) -> io::Result<()> {
        self.server.await?
    }

    pub(crate) async fn stop(self) -> io::Result<()> {
        self.handle.stop(true).await;
        self.server.await?
    }
}

async fn layer(redis: &str) -> Result<Idempotency, Box<dyn Error>> {
    let server = redis
        .into_connection_info()
        .map_err(|error| format!("--redis is no URL of a Redis server: {error}"))?;
    let pool = Config::from_url(redis).create_pool(Some(Runtime::Tokio1))?;
    // Each application on a server has a prefix of its own.
    let store = RedisStore::builder(pool)
        .prefix("redis_replicas:")
        .build()?;
    // One client owns all keys here. A service with accounts scopes by account: see `payments`.
    let idempotency = Idempotency::new(store, KeyScope::everyone());
    // The store connects when it is first used. To ask now finds a mistake before a request does.
    match idempotency.health().await {
        Ok(()) => Ok(idempotency),
        Err(cause) => Err(NoRedis {
            // Without the password that the URL may have.
            address: server.addr().to_string(),
            cause,
        }
        .into()),
    }
}

#[derive(Debug)]
struct NoRedis {
    address: String,
    cause: StoreError,
}

impl fmt::Display for NoRedis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no Redis that keeps records at {}

  {}

Start one, and leave it running in another terminal:

  redis-server --appendonly yes --maxmemory-policy noeviction

Or name another one: --redis redis://HOST:PORT/",
            self.address,
            cli::causes(&self.cause)
        )
    }
}

impl Error for NoRedis {}
