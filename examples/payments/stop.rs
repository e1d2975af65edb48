//! The end of the server: charges under way are finished first, also those whose client has left.

use std::time::Duration;

use actix_web::rt::signal;
use idempotency_actix::Idempotency;
use idempotency_actix_examples::cli;

/// Less than what a platform grants between its signal and the kill, which is 30 s mostly.
const LONGEST: Duration = Duration::from_secs(25);

/// Ready when the process is asked to stop, and all that is in flight is done.
pub(crate) async fn drained(idempotency: Idempotency) {
    asked().await;
    cli::say(&format!("Stopping: {:?}", idempotency.in_flight()));
    let drained = idempotency.drain(LONGEST).await;
    let (finished, abandoned) = (drained.finished, drained.abandoned);
    cli::say(&format!("{finished} finished, {abandoned} given up"));
}

#[cfg(unix)]
async fn asked() {
    use signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt()).expect("a signal to wait for");
    let mut terminate = signal(SignalKind::terminate()).expect("a signal to wait for");
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn asked() {
    signal::ctrl_c().await.expect("a signal to wait for");
}
