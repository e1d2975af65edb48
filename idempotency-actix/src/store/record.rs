//! What a store is asked and answers: the claim, the record, and the outcome of each step. It knows no
//! store, and nothing of requests beside their fingerprint.

use std::time::Duration;

use super::{AttemptId, Description, Fingerprint, NotKept, StoredResponse, Token};

/// The right to run the handler, as the owner asks for it and as the store keeps it.
///
/// What is stored never changes while the claim lives: readers and renewals go by the lease and the
/// retention written here, not by a configuration of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    token: Token,
    generation: u64,
    fingerprint: Fingerprint,
    lease: Duration,
    retention: Duration,
    is_fenced: bool,
    caller: Option<u64>,
    description: Option<Description>,
}

impl Claim {
    /// A claim of the first generation.
    ///
    /// `lease` is how long it is believed alive without renewal; `retention` is how long it is kept
    /// from its last sign of life.
    pub fn new(
        token: Token,
        fingerprint: Fingerprint,
        lease: Duration,
        retention: Duration,
    ) -> Self {
        Self {
            token,
            generation: 1,
            fingerprint,
            lease,
            retention,
            is_fenced: false,
            caller: None,
            description: None,
        }
    }

    /// The same claim with another fencing generation.
    #[must_use]
    pub fn with_generation(self, generation: u64) -> Self {
        Self { generation, ..self }
    }

    /// The same claim, to be remembered at any generation where it is released, and not only above 1:
    /// a recovery may have told the application of the next generation already, and a claim of this
    /// one would be shut out.
    #[must_use]
    pub fn fenced(self) -> Self {
        Self {
            is_fenced: true,
            ..self
        }
    }

    /// Whether a release is remembered at any generation. No store keeps it: the owner knows.
    pub fn is_fenced(&self) -> bool {
        self.is_fenced
    }

    /// The same claim, of one among many callers: a store that is bounded may give each a share.
    pub(crate) fn of_caller(self, caller: u64) -> Self {
        let caller = Some(caller);
        Self { caller, ..self }
    }

    /// Whose claim it is; `None` where nobody tells. No store keeps it beyond its process.
    pub(crate) fn caller(&self) -> Option<u64> {
        self.caller
    }

    /// The same claim with what an operator may know of it. One without is no operation's, as that of a recovery.
    #[must_use]
    pub fn described(self, description: Description) -> Self {
        let description = Some(description);
        Self {
            description,
            ..self
        }
    }

    /// What an operator may know of it.
    pub fn description(&self) -> Option<&Description> {
        self.description.as_ref()
    }

    /// Who owns the claim.
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// The fencing generation: 1, and one more at every takeover.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// What the request under this key was.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// How long the claim is believed alive without renewal.
    pub fn lease(&self) -> Duration {
        self.lease
    }

    /// How long the claim is kept from its last sign of life.
    pub fn retention(&self) -> Duration {
        self.retention
    }
}

/// What [`Store::begin`](super::Store::begin) found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Begun {
    /// The claim is granted, at this generation.
    Claimed {
        /// The fencing generation to hand to the handler.
        generation: u64,
    },
    /// There is a record already; nothing was written.
    Found(Record),
}

/// A record as a reader sees it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Record {
    /// Which attempt wrote it.
    pub attempt: AttemptId,
    /// What the request was.
    pub fingerprint: Fingerprint,
    /// How far it came.
    pub state: State,
    /// What an operator may know of its claim, where the store still has it: of what is in flight or unknown.
    pub description: Option<Description>,
}

impl Record {
    /// What a store found under an id.
    ///
    /// The fingerprint is the stored one, which may be another than that of the claim that met the
    /// record. The state is by the store's clock at the moment of the step.
    pub fn new(attempt: AttemptId, fingerprint: Fingerprint, state: State) -> Self {
        Self {
            attempt,
            fingerprint,
            state,
            description: None,
        }
    }

    /// The same with what an operator may know of its claim.
    #[must_use]
    pub fn described(self, description: Option<Description>) -> Self {
        Self {
            description,
            ..self
        }
    }
}

/// How far an operation came.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum State {
    /// A live claim: its lease is not over.
    InFlight,
    /// A claim whose lease is over: the handler may or may not have acted.
    Unknown {
        /// The claim's own lease. Whoever decides about the outcome has seen the same attempt for half of
        /// it at least, since one look calls living owners dead after a step of the store's clock.
        lease: Duration,
    },
    /// Done, and the answer is kept.
    Finished(Finished),
}

/// Octets that a header line takes beside its name and its value.
const LINE: usize = 80;

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finished {
    /// The answer, to be replayed.
    Completed(StoredResponse),
    /// The handler answered, and the answer was not kept.
    NotKept(NotKept),
}

impl Finished {
    /// The same in memory of its own size, for long keeping.
    pub(crate) fn compact(&self) -> Self {
        match self {
            Self::Completed(response) => Self::Completed(response.compact()),
            Self::NotKept(not_kept) => Self::NotKept(not_kept.clone()),
        }
    }

    /// Octets that it takes in memory.
    pub(crate) fn footprint(&self) -> usize {
        match self {
            Self::Completed(response) => response.size() + LINE * response.headers().len(),
            Self::NotKept(not_kept) => not_kept.location.as_ref().map_or(0, Vec::len),
        }
    }

    /// What is recorded where this one cannot be: that the answer is not kept, and without its `Location` at last.
    pub(crate) fn lessened(&self) -> Option<Self> {
        match self {
            Self::Completed(response) => Some(Self::NotKept(response.not_kept())),
            Self::NotKept(NotKept { location: None, .. }) => None,
            Self::NotKept(not_kept) => Some(Self::NotKept(NotKept::new(not_kept.status, None))),
        }
    }
}

/// Answer to [`Store::renew`](super::Store::renew).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Renewed {
    /// The claim is in flight, its lease starts anew.
    Alive,
    /// The record is gone, finished, or somebody else's.
    Lost,
}

/// Answer to [`Store::complete`](super::Store::complete).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Completion {
    /// The record is finished, now or by an earlier call with the same token.
    Recorded,
    /// The store had lost the claim, and the record is finished all the same.
    RecordedAbsent,
    /// Another attempt or a verdict owns the record, and nothing was written.
    Refused,
}

/// Answer to [`Store::release`](super::Store::release).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Released {
    /// The claim is gone.
    Released,
    /// There was no claim of that token, and nothing was written.
    NotOwner,
}

/// What an operator or a recovery decides about a record that was seen.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Verdict {
    /// It happened, and this is the answer from now on, for this long.
    Finished(Finished, Duration),
    /// It did not happen: the next retry may run.
    NotExecuted,
    /// It may be run again, by this claim, at the next generation. The caller has seen the same
    /// attempt at least half a lease ago, on its own monotonic clock.
    TakeOver(Claim),
    /// Whatever happened, the next retry may run: the record becomes absent, and only its generation is
    /// remembered. An operator decides so, of an outcome that is unknown or of an answer that is wrong.
    ///
    /// With [`AttemptId::UNREADABLE`] it is about a value for which
    /// [`inspect`](super::Store::inspect) fails with
    /// [`StoreErrorKind::Unreadable`](super::StoreErrorKind::Unreadable). Nobody can tell whether the owner
    /// of such a one still runs.
    Forget,
}

/// Answer to [`Store::resolve`](super::Store::resolve).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resolved {
    /// The verdict stands.
    Done,
    /// The record is not, or no longer, the attempt that was seen, or nothing that the verdict can be
    /// about; nothing was written.
    Refused,
}
