//! A store call with its time-out, and a panic of the store made an error. It does not know what is asked.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;

use super::deadline::deadline;
use crate::store::StoreError;

/// A store call with a deadline, where a panic is a failure: whoever asks has counts and schedules to keep.
pub(crate) fn guarded<T, F>(
    timeout: Duration,
    call: impl FnOnce() -> F,
) -> impl Future<Output = Result<T, StoreError>>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let call = AssertUnwindSafe(async move { call().await }).catch_unwind();
    deadline(
        timeout,
        call.map(|answer| {
            answer.unwrap_or_else(|_| Err(StoreError::unavailable("the store panicked")))
        }),
    )
}
