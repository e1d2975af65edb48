//! What is there now, in numbers. Without the feature `metrics` nobody counts it.

/// Something that is counted while it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gauge {
    Runs,
    Detached,
    Waiters,
    WaitingAnswers,
    MemoryRecords,
    MemoryBytes,
}

impl Gauge {
    #[cfg(feature = "metrics")]
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Runs => "idempotency_runs_in_flight",
            Self::Detached => "idempotency_detached",
            Self::Waiters => "idempotency_waiters",
            Self::WaitingAnswers => "idempotency_waiting_answers",
            Self::MemoryRecords => "idempotency_memory_records",
            Self::MemoryBytes => "idempotency_memory_bytes",
        }
    }

    pub(crate) fn add(self, amount: usize) {
        #[cfg(feature = "metrics")]
        metrics::gauge!(self.name()).increment(amount as f64);
        #[cfg(not(feature = "metrics"))]
        let _ = amount;
    }

    pub(crate) fn subtract(self, amount: usize) {
        #[cfg(feature = "metrics")]
        metrics::gauge!(self.name()).decrement(amount as f64);
        #[cfg(not(feature = "metrics"))]
        let _ = amount;
    }
}
