use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::store::StoreError;

/// A store call with a deadline of its own: past it, nobody knows whether it was applied.
///
/// A store that answers at once, as one in memory does, costs no timer.
pub(crate) async fn deadline<T>(
    timeout: Duration,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let mut call = pin!(call);
    let at_once = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx)));
    if let Poll::Ready(answer) = at_once.await {
        return answer;
    }
    match tokio::time::timeout(timeout, call).await {
        Ok(answer) => answer,
        Err(_) => Err(StoreError::unavailable(format!("no answer in {timeout:?}"))),
    }
}
