use std::future::Future;
use std::time::Duration;

use crate::store::StoreError;

/// A store call with a deadline of its own: past it, nobody knows whether it was applied.
pub(crate) async fn deadline<T>(
    timeout: Duration,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(timeout, call).await {
        Ok(answer) => answer,
        Err(_) => Err(StoreError::unavailable(format!("no answer in {timeout:?}"))),
    }
}
