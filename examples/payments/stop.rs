//! The end of the service: charges under way are finished first, also those whose client has left.

use std::time::Duration;
use std::{io, thread};

use actix_web::rt::signal;
use idempotency_actix::Idempotency;
use idempotency_actix_examples::cli;
use tokio::sync::oneshot;

/// With what the server then waits for requests without a key, less than what a platform grants between its signal and the
/// kill, which is 30 s mostly.
const LONGEST: Duration = Duration::from_secs(20);

/// How long, in seconds, the server waits for requests without a key.
pub(crate) const SHUTDOWN: u64 = 5;

/// Ready when the service is asked to stop, and all that is in flight is done.
pub(crate) async fn drained(idempotency: Idempotency) {
    tokio::select! {
        () = asked() => {}
        // Who keeps the service has closed it, or is gone.
        () = end_of_input() => {}
    }
    cli::say(&format!("Stopping: {:?}", idempotency.in_flight()));
    let drained = idempotency.drain(LONGEST).await;
    let (finished, abandoned) = (drained.finished, drained.abandoned);
    cli::say(&format!("{finished} finished, {abandoned} given up"));
}

async fn end_of_input() {
    let (end, ended) = oneshot::channel();
    // A thread of its own, which does not hold up the end of the runtime as a blocking task does.
    thread::spawn(move || {
        _ = io::copy(&mut io::stdin(), &mut io::sink());
        _ = end.send(());
    });
    _ = ended.await;
}

/// Ready when this process is asked to stop.
#[cfg(unix)]
pub(crate) async fn asked() {
    use signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt()).expect("a signal to wait for");
    let mut terminate = signal(SignalKind::terminate()).expect("a signal to wait for");
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
pub(crate) async fn asked() {
    signal::ctrl_c().await.expect("a signal to wait for");
}
