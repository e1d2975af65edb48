//! What other processes tell is heard on one connection, which is made anew when it breaks. What is told is not known
//! here.

use std::sync::Arc;
use std::time::Duration;

use idempotency_actix::store::{RecordId, Wakeups};
use sqlx::Executor as _;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::time::{Instant, sleep, timeout};

use crate::steps::jitter;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// A connection that held for so long was a good one, and the next try comes at once.
const GOOD: Duration = Duration::from_secs(15);

/// How long it may be silent before the server is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(15);

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Listens for ever, with growing pauses while that fails.
pub(super) async fn keep_listening(
    open: impl Fn() -> Option<PgConnectOptions>,
    channel: Arc<str>,
    wakeups: Arc<Wakeups>,
) {
    let mut pause = FIRST_PAUSE;
    while let Some(options) = open() {
        let asked = Instant::now();
        if let Err(error) = listen(options, &channel, &wakeups).await {
            tracing::debug!(%error, "changes of records cannot be heard, trying again");
        }
        if asked.elapsed() > GOOD {
            pause = FIRST_PAUSE;
        }
        sleep(pause / 2 + jitter(pause)).await;
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

/// Wakes by what is told, until the connection breaks.
async fn listen(
    options: PgConnectOptions,
    channel: &str,
    wakeups: &Wakeups,
) -> Result<(), sqlx::Error> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(PATIENCE)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(options);
    let mut listener = PgListener::connect_with(&pool).await?;
    // A connection that breaks is ours to replace: what was told meanwhile has to be made up for.
    listener.eager_reconnect(false);
    listener.listen(channel).await?;
    // What was told before is not heard.
    wakeups.wake_all();
    loop {
        match timeout(SILENCE, listener.try_recv())
            .await
            .map(Result::transpose)
        {
            Ok(Some(told)) => {
                for id in ids(told?.payload()) {
                    wakeups.wake(&id);
                }
            }
            Ok(None) => return Ok(()),
            Err(_) => is_there(&mut listener).await?,
        }
    }
}

/// A connection that a firewall forgot is silent for ever.
async fn is_there(listener: &mut PgListener) -> Result<(), sqlx::Error> {
    let asked = timeout(PATIENCE, listener.execute("SELECT 1")).await;
    asked.map_err(std::io::Error::from)??;
    Ok(())
}

/// The ids of a message, 64 hexadecimal digits each.
fn ids(payload: &str) -> impl Iterator<Item = RecordId> {
    payload.as_bytes().chunks_exact(64).filter_map(|digits| {
        let mut id = [0; 32];
        for (octet, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
            *octet = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(RecordId::from_bytes(id))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let some = [[1; 32], [0xab; 32]].map(RecordId::from_bytes);
        let payload: String = some.iter().map(RecordId::to_string).collect();
        assert_eq!(ids(&payload).collect::<Vec<_>>(), some);
        assert_eq!(ids("not ours").count(), 0);
        assert_eq!(ids(&"x".repeat(64)).count(), 0);
    }
}
