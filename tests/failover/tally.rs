use std::fmt;
use std::ops::Range;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use idempotency_actix::RedisStore;
use idempotency_actix::store::{Record, State, Store};

use super::load::{Grant, Log};
use super::servers::Servers;

/// What the numbers mean.
pub const LEGEND: &str = "\
- *granted meanwhile*: claims that the store granted from the event until all servers were well again.
- *claims lost*: granted claims, of the whole run, without a record in the end: a retry runs again.
- *answers lost*: answers, of the whole run, that the store acknowledged and does not have in the end.
- *refused*: claims that were answered 503; each of the 16 clients tries again after 10 ms.
- *longest pause*: the longest time in which no claim was granted.";

/// How many records are looked up at a time.
const LOOKUPS: usize = 32;

/// What became of what was acknowledged.
pub struct Tally {
    granted: usize,
    lost_claims: usize,
    lost_answers: usize,
    refused: usize,
    longest_pause: Duration,
}

impl Tally {
    /// Looks everything up, through a store of its own.
    pub fn of(log: &Log, event: Range<Duration>, servers: &Servers) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let store = RedisStore::new(servers.pool());
        let lookups = stream::iter(&log.grants)
            .map(async |grant| (grant, look_up(&store, grant).await))
            .buffer_unordered(LOOKUPS);
        let found: Vec<_> = runtime.block_on(lookups.collect());
        let count = |is_lost: fn(&Grant, &Option<Record>) -> bool| {
            let lost = found
                .iter()
                .filter(|(grant, record)| is_lost(grant, record));
            lost.count()
        };
        let mut times: Vec<_> = log.grants.iter().map(|grant| grant.at).collect();
        times.sort();
        Self {
            granted: times.iter().filter(|&at| event.contains(at)).count(),
            lost_claims: count(|_, record| record.is_none()),
            lost_answers: count(|grant, record| grant.is_answered && !is_finished(record)),
            refused: log.refusals.len(),
            longest_pause: times
                .windows(2)
                .map(|two| two[1] - two[0])
                .max()
                .unwrap_or_default(),
        }
    }
}

async fn look_up(store: &RedisStore, grant: &Grant) -> Option<Record> {
    for _ in 0..100 {
        if let Ok(found) = store.inspect(&grant.id).await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no answer about {} in 10 s", grant.id);
}

fn is_finished(record: &Option<Record>) -> bool {
    let state = record.as_ref().map(|record| &record.state);
    matches!(state, Some(State::Finished(_)))
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            granted,
            lost_claims,
            lost_answers,
            refused,
            longest_pause,
        } = self;
        let pause = longest_pause.as_secs_f64();
        write!(
            f,
            "{granted} | {lost_claims} | {lost_answers} | {refused} | {pause:.1} s"
        )
    }
}
