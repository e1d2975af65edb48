//! When rows whose time is over are deleted: seldom, by a few at a time, and not by all replicas at once. How they are
//! found is not known here.

use std::future::Future;
use std::time::Duration;

use tokio::time::sleep;

use crate::failure::Failure;
use crate::steps::jitter;

/// How many rows one statement deletes: few enough for whoever meets one of them not to wait.
pub(crate) const BATCH: i64 = 200;

/// Between two batches, for whoever else wants to write.
const BREATH: Duration = Duration::from_millis(5);

/// What one statement met.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Batch {
    /// Rows that were due.
    pub(crate) met: i64,
    /// Those of them whose time was over.
    pub(crate) deleted: i64,
}

/// Sweeps for ever. Each pause is half as long to one and a half times as long as asked for.
pub(crate) async fn keep_sweeping<F>(every: Duration, batch: impl Fn() -> F)
where
    F: Future<Output = Result<Batch, Failure>>,
{
    loop {
        sleep(every / 2 + jitter(every)).await;
        if let Err(failure) = sweep(&batch).await {
            tracing::debug!(?failure, "what is over could not be deleted, later again");
        }
    }
}

/// Deletes all whose time is over, and tells how many they were.
pub(crate) async fn sweep<F>(batch: &impl Fn() -> F) -> Result<u64, Failure>
where
    F: Future<Output = Result<Batch, Failure>>,
{
    let mut gone = 0;
    loop {
        let some = batch().await?;
        gone += some.deleted.unsigned_abs();
        if some.met < BATCH {
            return Ok(gone);
        }
        sleep(BREATH).await;
    }
}
