//! Many clients at a time over connections that keep breaking.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use idempotency_actix_tests::Response;
use idempotency_actix_tests::app::Mode;
use idempotency_actix_tests::redis::{Harm, RedisServer, Rule};

use crate::site::{Setup, Site};

const CLIENTS: usize = 8;
const ROUNDS: usize = 12;
const CUTS: usize = 5;

/// Hurts one command in so many, on whatever connection, a few times: pauses between connections grow.
fn every(n: usize, harm: Harm) -> Rule {
    let mut seen = 0;
    let nth = move |_: &[Vec<u8>]| {
        seen += 1;
        seen % n == 0 && seen / n <= CUTS
    };
    Rule::when(nth, harm)
}

/// Lets each of many clients do the rounds at the same time.
fn crowd(rounds: impl Fn(usize, usize) + Sync) {
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let rounds = &rounds;
            scope.spawn(move || (0..ROUNDS).for_each(|round| rounds(client, round)));
        }
    });
}

/// An answer to this very body: the number of its run is in front.
fn assert_own(answer: &Response, body: &str) {
    assert_eq!(answer.status, 201, "{answer:?}");
    let text = answer.text();
    let echo = text.split_once(": ").map(|(_, echo)| echo);
    assert_eq!(echo, Some(body), "{text}");
}

fn assert_never_crossed(mode: Mode, harm: Harm) {
    let site = Setup::new().mode(mode).on(RedisServer::shared());
    site.proxy.arm(every(23, harm));
    crowd(|client, round| {
        // Every third one takes the way of large answers.
        let octets = if round % 3 == 0 { 5_000 } else { 10 };
        let body = format!("{client}/{round} ").repeat(octets / 4);
        let request = site.request(&format!("{client}/{round}")).body(&body);
        let first = site.settle(&request);
        assert_own(&first, &body);
        let replay = site.settle(&request);
        assert_own(&replay, &body);
        assert!(replay.is_replay());
        assert_eq!(replay.body, first.body);
    });
    assert!(site.proxy.harmed() >= CUTS - 1);
    assert_eq!(site.runs.count(), CLIENTS * ROUNDS);
}

#[test]
fn no_answer_is_crossed_or_given_twice_while_commands_are_cut() {
    for harm in [Harm::CutBefore, Harm::CutAfter, Harm::CutMidReply] {
        assert_never_crossed(Mode::Marked, harm);
        assert_never_crossed(Mode::AllRoutes, harm);
    }
}

/// Two replicas, all of whose clients send the same request at the same time.
fn assert_one_run_a_key(harm: Harm) {
    let setup = Setup::new();
    let sites: [Site; 2] = std::array::from_fn(|_| setup.on(RedisServer::shared()));
    let firsts = AtomicUsize::new(0);
    for site in &sites {
        site.proxy.arm(every(9, harm));
    }
    crowd(|client, round| {
        let site = &sites[client % 2];
        let answer = site.settle(&site.request(&round.to_string()));
        assert_eq!(answer.status, 201, "{answer:?}");
        firsts.fetch_add(usize::from(!answer.is_replay()), SeqCst);
    });
    let harmed = sites.iter().map(|site| site.proxy.harmed());
    assert!(harmed.sum::<usize>() >= 2 * (CUTS - 1));
    let runs: usize = sites.iter().map(|site| site.runs.count()).sum();
    assert_eq!(runs, ROUNDS);
    assert!(firsts.into_inner() <= ROUNDS);
    assert_eq!(sites[0].keys().len(), ROUNDS);
}

#[test]
fn clients_that_send_the_same_get_one_run_while_commands_are_cut() {
    for harm in [Harm::CutBefore, Harm::CutAfter, Harm::CutMidReply] {
        assert_one_run_a_key(harm);
    }
}
