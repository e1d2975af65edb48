//! The servers and the proxy do what the tests of a Redis store ask of them.

use std::time::{Duration, Instant};

use idempotency_actix_tests::redis::{
    Connection, Harm, Proxy, RedisCluster, RedisServer, Reply, Rule, SentinelGroup,
};
use idempotency_actix_tests::until;

/// How long a silence is told from a late reply.
const SILENCE: Duration = Duration::from_millis(500);

fn ok() -> Reply {
    Reply::Simple("OK".to_owned())
}

mod one_server {
    use super::*;

    #[test]
    fn answers_on_its_own_port() {
        let server = RedisServer::start(&[("maxmemory", "3mb")]);
        assert_eq!(server.info("process_id"), Some(server.pid().to_string()));
        assert_eq!(server.info("maxmemory"), Some("3145728".to_owned()));
        assert_eq!(server.url(), format!("redis://127.0.0.1:{}", server.port()));
    }

    #[test]
    fn killed_one_refuses_connects() {
        let server = RedisServer::start(&[]);
        server.kill();
        assert!(Connection::open(server.addr()).is_err());
        assert!(!server.is_up());
    }

    #[test]
    fn restart_with_a_log_keeps_what_was_written() {
        let server = RedisServer::start(&[("appendonly", "yes")]);
        let pid = server.pid();
        assert_eq!(server.command(&["SET", "key", "value"]), ok());
        server.restart();
        assert_ne!(server.pid(), pid);
        assert_eq!(server.command(&["GET", "key"]).text(), "value");
    }

    #[test]
    fn restart_without_a_log_forgets() {
        let server = RedisServer::start(&[]);
        assert_eq!(server.command(&["SET", "key", "value"]), ok());
        server.restart();
        assert_eq!(server.command(&["GET", "key"]), Reply::Nil);
    }

    #[test]
    fn frozen_one_answers_once_thawed() {
        let server = RedisServer::start(&[]);
        let connection = Connection::open(server.addr()).expect("a server");
        let mut connection = connection.limit(SILENCE).expect("an open connection");
        server.freeze();
        connection.send(&[&["PING"]]).expect("an open connection");
        let silent = connection.receive().expect_err("silence");
        assert_eq!(silent.kind(), std::io::ErrorKind::WouldBlock);
        server.thaw();
        let limit = Duration::from_secs(5);
        let mut connection = connection.limit(limit).expect("an open connection");
        let pong = connection.receive().expect("a reply");
        assert_eq!(pong.text(), "PONG");
    }

    #[test]
    fn frozen_one_can_be_killed_and_restarted() {
        let server = RedisServer::start(&[]);
        server.freeze();
        server.restart();
        assert_eq!(server.command(&["PING"]).text(), "PONG");
    }

    #[test]
    fn password_is_given_by_commands() {
        let server = RedisServer::start(&[("requirepass", "secret")]);
        assert_eq!(server.command(&["PING"]).text(), "PONG");
        let mut stranger = Connection::open(server.addr()).expect("a server");
        let reply = stranger.command(&["PING"]).expect("a reply");
        assert!(matches!(reply, Reply::Error(text) if text.starts_with("NOAUTH")));
    }

    #[test]
    fn many_starts_at_once_all_get_a_port() {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| RedisServer::start(&[]));
            }
        });
    }

    #[test]
    fn shared_one_is_the_same_for_all() {
        let pid = RedisServer::shared().pid();
        assert_eq!(RedisServer::shared().pid(), pid);
    }

    #[test]
    #[should_panic(expected = "no start")]
    fn wrong_configuration_fails_with_the_log() {
        RedisServer::start(&[("no-such-directive", "yes")]);
    }

    #[test]
    fn valkey_is_8_1_or_later() {
        let server = RedisServer::shared_valkey();
        let version = server.info("valkey_version").expect("a Valkey server");
        let mut numbers = version
            .split('.')
            .map(|n| n.parse::<u32>().expect("a number"));
        assert!(
            (numbers.next(), numbers.next()) >= (Some(8), Some(1)),
            "{version}"
        );
    }
}

mod many_servers {
    use super::*;

    fn fails_over(cluster: &RedisCluster) {
        let old = cluster.primary_of("key");
        assert_eq!(old.command(&["SET", "key", "value"]), ok());
        assert_eq!(old.command(&["WAIT", "1", "5000"]).int(), 1);
        let old = cluster.kill_primary_of("key");
        let new = cluster.wait_for_promotion("key", old);
        assert_eq!(new.command(&["GET", "key"]).text(), "value");
        old.restart();
        cluster.wait_until_whole();
    }

    #[test]
    fn cluster_fails_over_and_heals() {
        fails_over(&RedisCluster::start(&[]));
    }

    #[test]
    fn valkey_cluster_fails_over_and_heals() {
        fails_over(&RedisCluster::start_valkey(&[]));
    }

    #[test]
    fn cluster_spreads_keys() {
        let cluster = RedisCluster::shared();
        let ports = ["a", "b", "c"].map(|key| cluster.primary_of(key).port());
        assert_ne!(ports[0], ports[1]);
        assert_ne!(ports[1], ports[2]);
        assert_eq!(cluster.urls().len(), 6);
    }

    #[test]
    fn sentinels_fail_over() {
        let group = SentinelGroup::start(&[]);
        // Under load there may be a failover that nobody asked for, in which the write is lost or refused.
        let write = || {
            let primary = group.primary();
            // `WAIT` speaks of the writes of its own connection.
            let mut connection = Connection::open(primary.addr()).ok()?;
            let set = connection.command(&["SET", "key", "value"]).ok()?;
            let kept = connection.command(&["WAIT", "2", "5000"]).ok()?;
            (set == ok() && kept == Reply::Int(2)).then_some(primary)
        };
        let old = until(Duration::from_secs(60), write).expect("a write that both replicas have");
        old.kill();
        let new = group.wait_for_failover(old);
        assert_eq!(new.command(&["GET", "key"]).text(), "value");
        assert_eq!(new.command(&["SET", "key", "later"]), ok());
    }
}

mod proxy {
    use super::*;

    /// A counter of its own behind a proxy of its own.
    struct Rig {
        proxy: Proxy,
        counter: &'static str,
    }

    impl Rig {
        fn new(counter: &'static str) -> Self {
            let proxy = Proxy::to(RedisServer::shared().addr());
            Self { proxy, counter }
        }

        fn connect(&self) -> Connection {
            Connection::open(self.proxy.addr()).expect("a proxy")
        }

        fn count(&self) -> Reply {
            RedisServer::shared().command(&["GET", self.counter])
        }

        fn hurt(&self, harm: Harm) -> (Connection, std::io::Result<Reply>) {
            self.proxy.arm(Rule::named("INCR", harm).once());
            let mut client = self.connect();
            let reply = client.command(&["INCR", self.counter]);
            (client, reply)
        }
    }

    fn one() -> Reply {
        Reply::Bulk(b"1".to_vec())
    }

    #[test]
    fn cut_before_is_not_applied() {
        let rig = Rig::new("before");
        let (_, reply) = rig.hurt(Harm::CutBefore);
        let error = reply.expect_err("a cut connection");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        assert_eq!(rig.count(), Reply::Nil);
        assert_eq!(rig.proxy.harmed(), 1);
    }

    #[test]
    fn cut_after_is_applied() {
        let rig = Rig::new("after");
        let (client, reply) = rig.hurt(Harm::CutAfter);
        assert!(reply.is_err());
        assert_eq!(client.buffered(), b"");
        assert_eq!(rig.count(), one());
    }

    #[test]
    fn cut_mid_reply_is_applied() {
        let rig = Rig::new("mid");
        let (client, reply) = rig.hurt(Harm::CutMidReply);
        assert!(reply.is_err());
        assert_eq!(client.buffered(), b":1");
        assert_eq!(rig.count(), one());
    }

    #[test]
    fn blackhole_swallows_all_that_follows() {
        let rig = Rig::new("hole");
        rig.proxy.arm(Rule::named("INCR", Harm::Blackhole));
        let mut client = rig.connect();
        client.send(&[&["INCR", rig.counter]]).expect("a proxy");
        rig.proxy.wait_until_harmed(1);
        assert_eq!(rig.count(), one());
        client = client.limit(SILENCE).expect("an open connection");
        let silent = client.command(&["PING"]).expect_err("silence");
        assert_eq!(silent.kind(), std::io::ErrorKind::WouldBlock);
        assert_eq!(rig.proxy.traffic()[0].replies, 0);
    }

    #[test]
    fn delayed_reply_comes_after_the_effect() {
        let rig = Rig::new("late-reply");
        let delay = Duration::from_millis(400);
        rig.proxy.arm(Rule::named("INCR", Harm::DelayReply(delay)));
        let mut client = rig.connect();
        let start = Instant::now();
        client.send(&[&["INCR", rig.counter]]).expect("a proxy");
        rig.proxy.wait_until_harmed(1);
        assert_eq!(rig.count(), one());
        assert_eq!(client.receive().expect("a reply").int(), 1);
        assert!(start.elapsed() >= delay);
    }

    #[test]
    fn delayed_command_is_applied_late() {
        let rig = Rig::new("late-command");
        let delay = Duration::from_millis(400);
        rig.proxy
            .arm(Rule::named("incr", Harm::DelayCommand(delay)));
        let mut client = rig.connect();
        let start = Instant::now();
        client.send(&[&["INCR", rig.counter]]).expect("a proxy");
        rig.proxy.wait_until_harmed(1);
        assert!(rig.count() == Reply::Nil || start.elapsed() >= delay);
        assert_eq!(client.receive().expect("a reply").int(), 1);
        assert!(start.elapsed() >= delay);
    }

    #[test]
    fn pipeline_is_split_by_command() {
        let rig = Rig::new("pipeline");
        rig.proxy.arm(Rule::nth(3, Harm::CutBefore));
        let mut client = rig.connect();
        let incr: &[&str] = &["INCR", rig.counter];
        client.send(&[incr, incr, incr, incr]).expect("a proxy");
        assert_eq!(client.receive().expect("a reply").int(), 1);
        assert_eq!(client.receive().expect("a reply").int(), 2);
        assert!(client.receive().is_err());
        assert_eq!(rig.count(), Reply::Bulk(b"2".to_vec()));
        assert_eq!(rig.proxy.traffic()[0].replies, 2);
    }

    #[test]
    fn rule_sees_all_arguments() {
        let rig = Rig::new("arguments");
        let second = |command: &[Vec<u8>]| command[1] == b"arguments";
        rig.proxy.arm(Rule::when(second, Harm::CutAfter));
        let mut client = rig.connect();
        assert!(client.command(&["GET", "another"]).is_ok());
        assert!(client.command(&["GET", "arguments"]).is_err());
        rig.proxy.disarm();
        assert!(rig.connect().command(&["GET", "arguments"]).is_ok());
        assert_eq!(rig.proxy.commands("get"), 3);
        assert_eq!(rig.proxy.connections(), 2);
    }

    #[test]
    fn once_hurts_one_command() {
        let rig = Rig::new("once");
        assert!(rig.hurt(Harm::CutAfter).1.is_err());
        assert_eq!(
            rig.connect()
                .command(&["INCR", "once"])
                .expect("a reply")
                .int(),
            2
        );
        assert_eq!(rig.proxy.harmed(), 1);
    }

    #[test]
    fn resp3_passes_through() {
        let rig = Rig::new("resp3");
        let mut client = rig.connect();
        let hello = client.command(&["HELLO", "3"]).expect("a reply").items();
        assert_eq!(hello[0], Reply::Bulk(b"server".to_vec()));
        assert_eq!(
            client.command(&["GET", "nobody"]).expect("a reply"),
            Reply::Nil
        );
        assert_eq!(rig.proxy.traffic()[0].replies, 2);
    }

    #[test]
    fn large_value_passes_through() {
        let rig = Rig::new("large");
        let value = "x".repeat(2_000_000);
        let mut client = rig.connect();
        assert_eq!(
            client.command(&["SET", "large", &value]).expect("a reply"),
            ok()
        );
        assert_eq!(
            client.command(&["GET", "large"]).expect("a reply").text(),
            value
        );
    }

    #[test]
    fn refused_connects_leave_open_ones() {
        let rig = Rig::new("refused");
        let mut client = rig.connect();
        assert!(client.command(&["PING"]).is_ok());
        rig.proxy.refuse_connections();
        let refused = Connection::open(rig.proxy.addr()).expect_err("a closed port");
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        assert!(client.command(&["PING"]).is_ok());
        rig.proxy.accept();
        assert!(rig.connect().command(&["PING"]).is_ok());
        assert_eq!(rig.proxy.connections(), 2);
    }

    #[test]
    fn accepted_and_closed_connects_are_counted() {
        let rig = Rig::new("closed");
        rig.proxy.accept_and_close();
        for _ in 0..3 {
            let client = Connection::open(rig.proxy.addr());
            assert!(
                client
                    .and_then(|mut client| client.command(&["PING"]))
                    .is_err()
            );
        }
        let counted = || (rig.proxy.connections() == 3).then_some(());
        assert!(until(Duration::from_secs(5), counted).is_some());
        rig.proxy.accept();
        assert!(rig.connect().command(&["PING"]).is_ok());
    }

    #[test]
    fn severed_connections_end() {
        let rig = Rig::new("severed");
        let mut client = rig.connect();
        assert!(client.command(&["PING"]).is_ok());
        rig.proxy.sever();
        assert!(client.command(&["PING"]).is_err());
        assert!(rig.connect().command(&["PING"]).is_ok());
    }
}
