//! What must not happen in a healthy service: counted, and logged so that an outage does not hide everything else.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What must not happen in a healthy service: the label of `idempotency_incidents_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Incident {
    /// The store did not grant or refuse a claim; the client got 503.
    ClaimFailed,
    /// The handler runs without a claim, as its route chose for a store that is down.
    Unprotected,
    /// A finished answer could not be recorded in time; it is retried in the background.
    CompleteFailed,
    /// A finished answer is not kept, since the store takes everything but that: too large, mostly.
    ValueRefused,
    /// A finished answer was refused: another attempt or a verdict owns the record.
    CompleteRefused,
    /// The store had lost the claim; the answer was recorded all the same.
    RecordedAbsent,
    /// A finished answer was given up: too old, or too many of them wait.
    CompleteDropped,
    /// A claim could not be released in time; it is retried in the background.
    ReleaseFailed,
    /// A claim was left to become unknown: too many of them wait for their release, or for too long.
    ReleaseDropped,
    /// A claim could not be renewed in time; it is tried again.
    RenewalFailed,
    /// A running handler's claim is no longer its own.
    ClaimLost,
    /// A handler runs longer than `max_run`; its claim is not renewed any more.
    RanTooLong,
    /// A claimed handler was cut off by what stands between it and its layer, or by the end of the server.
    CutOff,
    /// A handler, or a function of the application's that the layer asked, panicked.
    Panicked,
    /// A handler has ended its transaction by itself, so that effect and record were not committed together.
    TransactionEnded,
    /// A transaction could not be committed for what it is: an error that its handler passed over, or a constraint that
    /// is checked at the end.
    CommitRefused,
    /// The answer to a commit was lost. What became of it is looked for.
    CommitUnclear,
    /// The thread that renews claims could not be started; it is tried again at the next need.
    BackgroundFailed,
    /// Work was given up: a drain's time was over before it was done, or no runtime was left for it to go on in.
    Abandoned,
}

impl Incident {
    #[cfg(feature = "metrics")]
    const ALL: [Self; 19] = [
        Self::ClaimFailed,
        Self::Unprotected,
        Self::CompleteFailed,
        Self::CompleteRefused,
        Self::ValueRefused,
        Self::RecordedAbsent,
        Self::CompleteDropped,
        Self::ReleaseFailed,
        Self::ReleaseDropped,
        Self::RenewalFailed,
        Self::ClaimLost,
        Self::RanTooLong,
        Self::CutOff,
        Self::Panicked,
        Self::TransactionEnded,
        Self::CommitRefused,
        Self::CommitUnclear,
        Self::BackgroundFailed,
        Self::Abandoned,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::ClaimFailed => "claim_failed",
            Self::Unprotected => "unprotected",
            Self::CompleteFailed => "complete_failed",
            Self::CompleteRefused => "complete_refused",
            Self::ValueRefused => "value_refused",
            Self::RecordedAbsent => "recorded_absent",
            Self::CompleteDropped => "complete_dropped",
            Self::ReleaseFailed => "release_failed",
            Self::ReleaseDropped => "release_dropped",
            Self::RenewalFailed => "renewal_failed",
            Self::ClaimLost => "claim_lost",
            Self::RanTooLong => "ran_too_long",
            Self::CutOff => "cut_off",
            Self::Panicked => "panicked",
            Self::TransactionEnded => "transaction_ended",
            Self::CommitRefused => "commit_refused",
            Self::CommitUnclear => "commit_unclear",
            Self::BackgroundFailed => "background_failed",
            Self::Abandoned => "abandoned",
        }
    }

    /// The place of a kind that an outage, or a store that lost all, makes for each request and each claim: a line for
    /// each would hide everything else.
    fn outage(self) -> Option<usize> {
        match self {
            Self::ClaimFailed => Some(0),
            Self::Unprotected => Some(1),
            Self::CompleteFailed => Some(2),
            Self::CompleteDropped => Some(3),
            Self::ReleaseFailed => Some(4),
            Self::ReleaseDropped => Some(5),
            Self::RenewalFailed => Some(6),
            Self::BackgroundFailed => Some(7),
            Self::ClaimLost => Some(8),
            Self::RecordedAbsent => Some(9),
            Self::CompleteRefused => Some(10),
            Self::ValueRefused => Some(11),
            Self::RanTooLong => Some(12),
            Self::TransactionEnded
            | Self::CommitRefused
            | Self::CommitUnclear
            | Self::CutOff
            | Self::Panicked
            | Self::Abandoned => None,
        }
    }
}

/// How many kinds an outage makes, and how many of them say that the store does not answer. The others come from
/// one that answers, and has lost its records, say.
const KINDS: usize = 13;
const OF_SILENCE: usize = 8;

/// How often an outage is logged while it lasts.
const REMINDER: Duration = Duration::from_secs(60);

/// An outage is over when the store answers and has not failed for so long. Without that a store of which a part
/// answers would be down and up with each request.
const CALM: Duration = Duration::from_secs(10);

static OUTAGES: Mutex<[Outage; KINDS]> = Mutex::new([Outage::NONE; KINDS]);

/// Whether any of them may be over.
static IS_DOWN: AtomicBool = AtomicBool::new(false);

/// Incidents of one kind, from the first to the store's return.
#[derive(Clone, Copy)]
struct Outage {
    /// When it was last logged, and when it last happened; `None` while all is well.
    since: Option<(Instant, Instant)>,
    /// How often it happened and was not logged.
    silent: u64,
}

impl Outage {
    const NONE: Self = Self {
        since: None,
        silent: 0,
    };

    /// Notes one more, and tells whether it is logged, with how many before it that were not.
    fn note(&mut self, now: Instant) -> Option<u64> {
        let logged = self.since.map(|(logged, _)| logged);
        if logged.is_some_and(|logged| now.duration_since(logged) < REMINDER) {
            self.since = logged.map(|logged| (logged, now));
            self.silent += 1;
            return None;
        }
        self.since = Some((now, now));
        Some(std::mem::take(&mut self.silent))
    }

    /// Notes that the store answers, and tells whether that is news, with how many were not logged.
    fn end(&mut self, now: Instant) -> Option<u64> {
        let (_, last) = self.since?;
        if now.duration_since(last) < CALM {
            return None;
        }
        self.since = None;
        Some(std::mem::take(&mut self.silent))
    }
}

/// Counts an incident and logs it as an error, with its subject and its cause. What an outage makes by the thousand
/// is logged at its begin and once a minute.
pub(crate) fn incident(incident: Incident, subject: &dyn fmt::Debug, cause: &dyn fmt::Display) {
    let label = incident.label();
    match incident.outage() {
        None => tracing::error!(incident = label, ?subject, %cause, "idempotency incident"),
        Some(place) => {
            let mut outages = OUTAGES.lock().unwrap_or_else(PoisonError::into_inner);
            let silent = outages[place].note(Instant::now());
            drop(outages);
            IS_DOWN.store(true, Ordering::Relaxed);
            match silent {
                Some(0) => {
                    tracing::error!(incident = label, ?subject, %cause, "idempotency incident");
                }
                Some(more) => {
                    tracing::error!(incident = label, more, ?subject, %cause, "idempotency incidents go on");
                }
                None => {}
            }
        }
    }
    #[cfg(feature = "metrics")]
    super::metrics::count_incident(label);
}

/// Describes the metrics before anything counts.
pub(crate) fn describe() {
    #[cfg(feature = "metrics")]
    super::metrics::describe(Incident::ALL.map(Incident::label));
}

/// The store did what it was asked.
pub(crate) fn answered() {
    if !IS_DOWN.load(Ordering::Relaxed) {
        return;
    }
    let now = Instant::now();
    let mut outages = OUTAGES.lock().unwrap_or_else(PoisonError::into_inner);
    let ended = outages.each_mut().map(|outage| outage.end(now));
    let is_down = outages.iter().any(|outage| outage.since.is_some());
    IS_DOWN.store(is_down, Ordering::Relaxed);
    drop(outages);
    let (of_silence, others) = ended.split_at(OF_SILENCE);
    if of_silence.iter().any(Option::is_some) {
        let more: u64 = of_silence.iter().flatten().sum();
        tracing::info!(more, "the store of idempotency records answers again");
    }
    let more: u64 = others.iter().flatten().sum();
    if more > 0 {
        tracing::info!(more, "idempotency incidents are over");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_logged_at_its_begin_and_once_a_minute() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut outage = Outage::NONE;
        assert_eq!(outage.note(start), Some(0));
        let noted = (1..60).filter_map(|n| outage.note(start + n * second));
        assert_eq!(noted.count(), 0);
        assert_eq!(outage.note(start + REMINDER), Some(59));
        assert_eq!(outage.end(start + REMINDER + second), None);
        assert_eq!(outage.end(start + REMINDER + CALM), Some(0));
        assert_eq!(outage.end(start + REMINDER + CALM), None);
        assert_eq!(outage.note(start + REMINDER + CALM), Some(0));
    }
}
