//! Every command of a request, hurt in every way: never two runs, and never a claim that stays.

use idempotency_actix_tests::app::Mode;
use idempotency_actix_tests::redis::{Harm, RedisServer, Rule};
use idempotency_actix_tests::{Request, Response, eventually};

use crate::site::{Setup, Site, assert_refused, assert_true};

const CUTS: [Harm; 3] = [Harm::CutBefore, Harm::CutAfter, Harm::CutMidReply];
const MODES: [Mode; 2] = [Mode::Marked, Mode::AllRoutes];

/// What the handler answers.
#[derive(Clone, Copy, Debug)]
enum Answer {
    /// Fits through a script.
    Small,
    /// Is written beside the record and moved.
    Large,
    /// Says that it did not act, so that the claim is released.
    Refusal,
}

impl Answer {
    fn body(self) -> String {
        let octets = match self {
            Self::Small | Self::Refusal => 10,
            Self::Large => 20_000,
        };
        "x".repeat(octets)
    }

    fn retry(self, site: &Site) -> Request {
        site.request("k").body(self.body())
    }

    fn request(self, site: &Site) -> Request {
        match self {
            Self::Refusal => self.retry(site).header("x-status", "429"),
            Self::Small | Self::Large => self.retry(site),
        }
    }
}

fn setup(mode: Mode, harm: Harm) -> Setup {
    match harm {
        Harm::Blackhole => Setup::impatient().mode(mode),
        _ => Setup::new().mode(mode),
    }
}

/// The commands that went over all connections; tests of this use a single one.
fn commands(site: &Site) -> Vec<String> {
    let traffic = site.proxy.traffic().into_iter();
    traffic.flat_map(|connection| connection.commands).collect()
}

/// The commands of a first run over a new connection to a server that knows the scripts.
fn commands_of(server: &'static RedisServer, mode: Mode, answer: Answer) -> Vec<String> {
    let sites = [(); 2].map(|()| {
        let site = Setup::new().mode(mode).on(server);
        site.send_request(&answer.request(&site));
        site
    });
    commands(&sites[1])
}

/// Whatever the client got is true, and from then on there is one run and one answer.
fn assert_sound(site: &Site, answer: Answer, first: &Response) {
    let is_refused = first.status == 503;
    let mut run = 1;
    let mut runs_again = true;
    if is_refused {
        assert_refused(first);
        assert_eq!(site.runs.count(), 0);
        site.wait_for_keys(0);
    } else {
        assert_eq!(site.runs.count(), 1);
        assert_eq!(first.text(), format!("run 1: {}", answer.body()));
        assert!(!first.is_replay());
        match answer {
            Answer::Refusal => {
                assert_eq!(first.status, 429);
                run = 2;
            }
            Answer::Small | Answer::Large => {
                assert_eq!(first.status, 201);
                runs_again = false;
            }
        }
    }
    let retry = site.settle(&answer.retry(site));
    assert_true(&retry, run, &answer.body());
    assert_eq!(retry.is_replay(), !runs_again, "{retry:?}");
    let last = site.settle(&answer.retry(site));
    assert_true(&last, run, &answer.body());
    assert!(last.is_replay(), "{last:?}");
    assert_eq!(site.runs.count(), run);
    assert_eq!(site.keys().len(), 1);
}

fn hurt_each_command(server: &'static RedisServer, mode: Mode, harm: Harm, answer: Answer) {
    let commands = commands_of(server, mode, answer);
    for (n, command) in (1..).zip(&commands) {
        eprintln!("{harm:?} at {n} of {commands:?}");
        let site = setup(mode, harm).on(server);
        site.proxy.arm(Rule::nth(n, harm));
        let first = site.send_request(&answer.request(&site));
        site.proxy.wait_until_harmed(1);
        site.proxy.disarm();
        // What was cut is sent once more. A connection that does not even come to be is not.
        if harm != Harm::Blackhole && command != "CLIENT" {
            assert_ne!(first.status, 503, "{first:?}");
            assert_eq!(first.header("idempotency-status"), None);
        }
        assert_sound(&site, answer, &first);
    }
}

fn cut_each_command(server: &'static RedisServer, answer: Answer) {
    for mode in MODES {
        for harm in CUTS {
            hurt_each_command(server, mode, harm, answer);
        }
    }
}

#[test]
fn a_cut_at_any_command_of_a_first_run_is_not_noticed() {
    cut_each_command(RedisServer::shared(), Answer::Small);
}

#[test]
fn a_cut_at_any_command_of_a_first_run_with_a_large_answer_is_not_noticed() {
    cut_each_command(RedisServer::shared(), Answer::Large);
}

#[test]
fn a_cut_at_any_command_of_a_released_run_is_not_noticed() {
    cut_each_command(RedisServer::shared(), Answer::Refusal);
}

#[test]
fn a_cut_at_any_command_is_not_noticed_where_the_server_compares_and_sets() {
    let server = RedisServer::shared_valkey();
    cut_each_command(server, Answer::Small);
    cut_each_command(server, Answer::Large);
}

#[test]
fn a_lost_reply_to_any_command_leaves_one_run_and_no_claim() {
    for mode in MODES {
        hurt_each_command(RedisServer::shared(), mode, Harm::Blackhole, Answer::Small);
    }
}

#[test]
fn a_lost_reply_about_a_large_answer_leaves_one_run_and_no_claim() {
    for mode in MODES {
        hurt_each_command(RedisServer::shared(), mode, Harm::Blackhole, Answer::Large);
    }
}

#[test]
fn a_lost_reply_to_any_command_of_a_released_run_leaves_no_claim() {
    for mode in MODES {
        hurt_each_command(
            RedisServer::shared(),
            mode,
            Harm::Blackhole,
            Answer::Refusal,
        );
    }
}

#[test]
fn a_lost_reply_leaves_one_run_where_the_server_compares_and_sets() {
    let server = RedisServer::shared_valkey();
    hurt_each_command(server, Mode::Marked, Harm::Blackhole, Answer::Small);
    hurt_each_command(server, Mode::Marked, Harm::Blackhole, Answer::Large);
}

/// A second site that shares the records of the first and has no connection yet.
fn assert_replays_through(harm: Harm) {
    let server = RedisServer::shared();
    for mode in MODES {
        let first = setup(mode, harm);
        let origin = first.on(server);
        assert_eq!(origin.send("k").status, 201);
        let unhurt = first.on(server);
        assert!(unhurt.send("k").is_replay());
        let commands = commands(&unhurt);
        for (n, command) in (1..).zip(&commands) {
            eprintln!("{harm:?} at {n} of {commands:?}");
            let site = first.on(server);
            site.proxy.arm(Rule::nth(n, harm));
            let replay = site.send("k");
            site.proxy.wait_until_harmed(1);
            site.proxy.disarm();
            match replay.status {
                503 => {
                    assert_refused(&replay);
                    assert!(harm == Harm::Blackhole || command == "CLIENT");
                }
                _ => crate::site::assert_replay(&replay, 1),
            }
            crate::site::assert_replay(&site.settle(&site.request("k")), 1);
            assert_eq!(site.runs.count(), 0);
        }
    }
}

#[test]
fn a_cut_at_any_command_of_a_replay_is_not_noticed() {
    CUTS.into_iter().for_each(assert_replays_through);
}

#[test]
fn a_lost_reply_to_any_command_of_a_replay_is_503_and_then_the_replay() {
    assert_replays_through(Harm::Blackhole);
}

/// Hurts all commands of that name until the first client has its answer.
fn hurt_for_long(mode: Mode, harm: Harm, name: &'static str, answer: Answer) -> (Site, Response) {
    eprintln!("{harm:?} at every {name}, {mode:?}, {answer:?}");
    let site = setup(mode, harm).on(RedisServer::shared());
    site.proxy.arm(Rule::named(name, harm));
    let first = site.send_request(&answer.request(&site));
    (site, first)
}

fn each_harm(mut test: impl FnMut(Mode, Harm)) {
    for mode in MODES {
        for harm in CUTS.into_iter().chain([Harm::Blackhole]) {
            test(mode, harm);
        }
    }
}

#[test]
fn a_claim_that_gets_no_reply_for_long_is_503_and_released() {
    each_harm(|mode, harm| {
        let (site, first) = hurt_for_long(mode, harm, "SET", Answer::Small);
        assert_refused(&first);
        // Releases are no SET, so they get through while claims do not.
        site.wait_for_keys(0);
        site.assert_refuses("other");
        site.proxy.disarm();
        assert_sound(&site, Answer::Small, &first);
    });
}

#[test]
fn an_answer_that_gets_no_reply_for_long_is_true_and_delivered_later() {
    each_harm(|mode, harm| {
        for answer in [Answer::Small, Answer::Large] {
            let (site, first) = hurt_for_long(mode, harm, "EVALSHA", answer);
            assert_true(&first, 1, &answer.body());
            assert_eq!(first.header("idempotency-status"), Some("unstored"));
            site.proxy.disarm();
            assert_sound(&site, answer, &first);
        }
    });
}

#[test]
fn a_release_that_gets_no_reply_for_long_comes_later() {
    each_harm(|mode, harm| {
        let (site, first) = hurt_for_long(mode, harm, "EVALSHA", Answer::Refusal);
        assert_eq!(first.status, 429);
        site.proxy.disarm();
        site.wait_for_keys(0);
        assert_sound(&site, Answer::Refusal, &first);
    });
}

#[test]
fn whatever_is_cut_for_long_is_503_and_leaves_nothing_behind() {
    each_harm(|mode, harm| {
        let site = setup(mode, harm).on(RedisServer::shared());
        site.proxy.arm(Rule::when(|_| true, harm));
        site.assert_refuses("k");
        site.proxy.disarm();
        site.wait_for_keys(0);
        site.assert_recovers("k");
    });
}

#[test]
fn values_that_wait_to_be_moved_do_not_stay() {
    let site = Setup::impatient().on(RedisServer::shared());
    site.proxy.arm(Rule::named("EVALSHA", Harm::CutBefore));
    let first = site.send_request(&Answer::Large.request(&site));
    assert_eq!(first.header("idempotency-status"), Some("unstored"));
    let key = site.key();
    let waiting = site
        .redis
        .command(&["KEYS", &format!("{}:*", escaped(&key))]);
    let waiting = waiting.items().len();
    assert!(waiting > 0, "written beside the record");
    let script = "local longest = 0 \
        for _, key in ipairs(redis.call('KEYS', ARGV[1])) do \
            local left = redis.call('PTTL', key) \
            if left < 0 then return 'never' end \
            longest = math.max(longest, left) \
        end \
        return tostring(longest)";
    let pattern = format!("{}:*", escaped(&key));
    let longest = site.redis.command(&["EVAL", script, "0", &pattern]).text();
    let longest: u64 = longest.parse().expect("values that expire");
    assert!(longest <= 60_000, "{longest} ms");
    site.proxy.disarm();
    eventually("the answer", || {
        site.send_request(&Answer::Large.retry(&site)).is_replay()
    });
}

/// A pattern that only this text matches.
fn escaped(text: &str) -> String {
    text.replace(['[', ']', '*', '?'], "?")
}
