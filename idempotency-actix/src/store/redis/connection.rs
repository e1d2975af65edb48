//! A connection to one server or to a cluster, used alike. What the commands are for is not known here.

use deadpool_redis::redis::aio::{ConnectionLike, MultiplexedConnection};
use deadpool_redis::redis::cluster_async::ClusterConnection;
use deadpool_redis::redis::cluster_routing::{
    MultipleNodeRoutingInfo, ResponsePolicy, Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr,
};
use deadpool_redis::redis::{
    Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, RedisResult, Value, cmd, from_redis_value,
};
use deadpool_redis::{cluster, sentinel};

/// A connection to one server or to a cluster: shared by all operations of a worker, or borrowed
/// from the pool for one.
pub(super) enum Connection {
    Shared(Multiplexed),
    Borrowed(Box<Borrowed>),
}

#[derive(Clone)]
pub(super) enum Multiplexed {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

pub(super) enum Borrowed {
    Server(deadpool_redis::Connection),
    Sentinel(sentinel::Connection),
    Cluster(cluster::Connection),
}

/// The two kinds that there are below the pools' wrappers.
enum Kind<'a> {
    Server(&'a mut MultiplexedConnection),
    Cluster(&'a mut ClusterConnection),
}

impl Connection {
    /// What the server replies, if that is no error.
    pub(super) async fn send(&mut self, command: &Cmd) -> RedisResult<Value> {
        let reply = match self.kind() {
            Kind::Server(connection) => connection.send_packed_command(command).await,
            Kind::Cluster(connection) => connection.req_packed_command(command).await,
        };
        reply?.extract_error()
    }

    /// Waits until this many replicas have what was written over this connection; returns how many
    /// have. In a cluster only the primary that has the key is asked.
    pub(super) async fn wait(
        &mut self,
        key: &[u8],
        replicas: usize,
        ms: u128,
    ) -> RedisResult<usize> {
        let mut wait = cmd("WAIT");
        wait.arg(replicas).arg(ms.to_string());
        match self.kind() {
            Kind::Server(connection) => wait.query_async(connection).await,
            Kind::Cluster(connection) => {
                // By itself the client sends it to all primaries, which have nothing to wait for.
                let route = Route::with_key(key, SlotAddr::Master);
                let route = RoutingInfo::SingleNode(SingleNodeRoutingInfo::SpecificNode(route));
                let reply = connection.route_command(wait, route).await?;
                Ok(from_redis_value(reply.extract_error()?)?)
            }
        }
    }

    /// What every server that takes claims replies, by its address.
    pub(super) async fn ask_primaries(&mut self, ask: &Cmd) -> RedisResult<Vec<(String, Value)>> {
        match self.kind() {
            Kind::Server(connection) => {
                let reply = connection.req_packed_command(ask).await?;
                Ok(vec![(address(connection).await, reply)])
            }
            Kind::Cluster(connection) => {
                let primaries = MultipleNodeRoutingInfo::AllMasters;
                let route = RoutingInfo::MultiNode((primaries, Some(ResponsePolicy::Special)));
                let replies = connection.route_command(ask.clone(), route).await?;
                let replies = replies.into_map_iter().map_err(|_| {
                    RedisError::from((ErrorKind::UnexpectedReturnType, "not a reply of each node"))
                })?;
                let named = |(address, reply)| Ok((from_redis_value(address)?, reply));
                replies.map(named).collect()
            }
        }
    }

    pub(super) fn is_cluster(&mut self) -> bool {
        matches!(self.kind(), Kind::Cluster(_))
    }

    /// Takes a borrowed connection from its pool for good, so that nobody else gets it.
    pub(super) fn take(self) -> Self {
        let borrowed = match self {
            Self::Shared(_) => return self,
            Self::Borrowed(borrowed) => *borrowed,
        };
        Self::Shared(match borrowed {
            Borrowed::Server(it) => Multiplexed::Server(deadpool_redis::Connection::take(it)),
            Borrowed::Sentinel(it) => Multiplexed::Server(sentinel::Connection::take(it)),
            Borrowed::Cluster(it) => Multiplexed::Cluster(cluster::Connection::take(it)),
        })
    }

    fn kind(&mut self) -> Kind<'_> {
        match self {
            Self::Shared(Multiplexed::Server(it)) => Kind::Server(it),
            Self::Shared(Multiplexed::Cluster(it)) => Kind::Cluster(it),
            Self::Borrowed(borrowed) => match &mut **borrowed {
                Borrowed::Server(it) => Kind::Server(it),
                Borrowed::Sentinel(it) => Kind::Server(it),
                Borrowed::Cluster(it) => Kind::Cluster(it),
            },
        }
    }
}

/// What the server calls its own end of the connection; it need not tell.
async fn address(connection: &mut MultiplexedConnection) -> String {
    let info = cmd("CLIENT").arg("INFO").query_async(connection).await;
    let info: String = info.unwrap_or_default();
    let mut fields = info.split_whitespace();
    let address = fields.find_map(|field| field.strip_prefix("laddr="));
    address.unwrap_or("server").to_owned()
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self.kind() {
            Kind::Server(it) => it.req_packed_command(cmd),
            Kind::Cluster(it) => it.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        cmd: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self.kind() {
            Kind::Server(it) => it.req_packed_commands(cmd, offset, count),
            Kind::Cluster(it) => it.req_packed_commands(cmd, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        0
    }
}
