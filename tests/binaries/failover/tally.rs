//! What was lost: everything that was acknowledged is looked up.

use std::fmt;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use idempotency_actix::RedisStore;
use idempotency_actix::store::{Record, State, Store};

use super::load::{Grant, Log};
use super::servers::Servers;

/// What the numbers mean.
pub const LEGEND: &str = "\
- *claims granted*: what the load claimed in the whole run; a handler would have run for each.
- *claims lost*: those of them that have no record in the end: a retry runs again.
- *lost until*: when the last of these was granted, counted from the event.
- *answers lost*: answers that the store acknowledged and does not have in the end.
- *refused*: claims that were answered 503; each of the 16 clients tries again after 10 ms.
- *longest pause*: the longest time in which no claim was granted.";

/// How many records are looked up at a time.
const LOOKUPS: usize = 32;

/// What became of what was acknowledged.
pub struct Tally {
    granted: usize,
    lost_claims: usize,
    /// When the last lost claim was granted, in seconds after the event.
    lost_until: Option<f64>,
    lost_answers: usize,
    refused: usize,
    longest_pause: Duration,
}

impl Tally {
    /// Looks everything up, through a store of its own.
    pub fn of(log: &Log, event: Duration, servers: &Servers) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let store = RedisStore::new(servers.pool());
        let lookups = stream::iter(&log.grants)
            .map(async |grant| (grant, look_up(&store, grant).await))
            .buffer_unordered(LOOKUPS);
        let found: Vec<_> = runtime.block_on(lookups.collect());
        let lost = found.iter().filter(|(_, record)| record.is_none());
        let lost: Vec<_> = lost.map(|(grant, _)| grant.at).collect();
        let lost_answers = found
            .iter()
            .filter(|(grant, record)| grant.is_answered && !is_finished(record));
        let mut times: Vec<_> = log.grants.iter().map(|grant| grant.at).collect();
        times.sort();
        Self {
            granted: times.len(),
            lost_claims: lost.len(),
            lost_until: lost
                .iter()
                .max()
                .map(|last| last.as_secs_f64() - event.as_secs_f64()),
            lost_answers: lost_answers.count(),
            refused: log.refusals,
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
            lost_until,
            lost_answers,
            refused,
            longest_pause,
        } = self;
        write!(f, "{granted} | {lost_claims} | ")?;
        match lost_until {
            Some(seconds) => write!(f, "{seconds:+.1} s")?,
            None => f.write_str("-")?,
        }
        let pause = longest_pause.as_secs_f64();
        write!(f, " | {lost_answers} | {refused} | {pause:.1} s")
    }
}
