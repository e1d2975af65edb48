//! What a store promises whose transactions hold the effect as well: the [`Transactions`] trait. It knows no database.

use std::future::Future;
use std::time::Duration;

use super::{Claim, Finished, Record, RecordId, Store, StoreError};

/// A store whose records commit together with the effect, in a transaction that the handler writes to.
///
/// A handler takes such a transaction as an argument, by an extractor that wraps
/// [`InTransaction`](crate::InTransaction). The engine opens it when the claim is asked for, lends it to the handler, and
/// commits it with the answer, or rolls it back.
///
/// # Contract
///
/// An attempt is *running* while its transaction is open, and leaves nothing behind that was not committed.
///
/// 1. [`open`](Self::open) grants the operation to one attempt at a time, as far as the database lets it, by something that
///    ends with the transaction: a lock of the transaction, or the right to write. It never waits for a running attempt of
///    the same operation, and says [`Opened::Busy`] instead. Where there is a record it is [`Opened::Found`], and no
///    transaction stays open. A claim in flight of a plain handler, and one whose outcome is unknown, are such records.
/// 2. Whoever is granted the operation knows that every earlier attempt is over and left nothing: `open` looks for the
///    record **after** the right was got, by a view of the database that is not older.
/// 3. [`commit`](Self::commit) writes the record in the same transaction as the effect, under a key that is unique. That
///    key is the truth, and the right of point 1 only saves wasted runs: where another attempt's record is there, nothing
///    of this one is committed. It says [`Committed::Done`] only for what is durable.
/// 4. A commit of which nobody knows whether it was carried out is [`Committed::Unclear`], and never anything else. The
///    engine opens the operation again, by the same claim, and goes by what it finds: the record's attempt is told by its
///    token.
/// 5. What the handler made of the transaction shows. If a statement in it failed, so that the database would commit
///    nothing, the commit is [`Committed::Refused`]. If the handler ended it by itself, it is [`Committed::Ended`], and
///    [`RolledBack::Ended`]: a transaction that the handler began then is rolled back, and nothing is recorded.
/// 6. A transaction that is dropped is rolled back, also where no runtime is left. So is one whose future is dropped, unless
///    that is the future of a `commit`.
/// 7. An owner that stands still does not hold the operation for ever: where the database can, it ends a transaction that
///    was [idle](TransactionOptions::idle) for so long. Its commit fails then.
/// 8. Generations never fall back, as in the contract of the [`Store`]: a claim is granted above the generation that is
///    remembered, and [`Opened::Claimed`] says which it is.
///
/// The suite in `store::conformance` (feature `conformance`) checks every point, but for a commit whose answer is lost: of
/// point 4 it checks what the engine finds after one.
///
/// The repository's `examples/custom_transaction` implements it for Diesel.
pub trait Transactions: Store {
    /// An open transaction, as the handler gets it.
    type Transaction: 'static;

    /// Claims the operation and opens its transaction, or returns the record that is there.
    ///
    /// # Errors
    ///
    /// The database did not do so, and nothing stays open.
    fn open(
        &self,
        id: &RecordId,
        claim: &Claim,
        options: &TransactionOptions,
    ) -> impl Future<Output = Result<Opened<Self::Transaction>, StoreError>>;

    /// Opens a transaction for a request without a key.
    ///
    /// # Errors
    ///
    /// The database did not do so, and nothing stays open.
    fn open_plain(
        &self,
        options: &TransactionOptions,
    ) -> impl Future<Output = Result<Self::Transaction, StoreError>>;

    /// Commits the transaction, with a record where there is an operation.
    fn commit(
        &self,
        transaction: Self::Transaction,
        recording: Option<Recording<'_>>,
    ) -> impl Future<Output = Committed>;

    /// Rolls the transaction back, and returns when that is done, or up to the database alone.
    fn roll_back(&self, transaction: Self::Transaction) -> impl Future<Output = RolledBack>;
}

/// How a transaction is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransactionOptions {
    /// How long it may be idle: the lease.
    pub idle: Duration,
    /// What it sees of others.
    pub isolation: Isolation,
}

impl TransactionOptions {
    /// One that may be idle for so long.
    pub fn new(idle: Duration, isolation: Isolation) -> Self {
        Self { idle, isolation }
    }
}

/// What a handler's transaction sees of others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Isolation {
    /// What the database has by default.
    #[default]
    Default,
    /// It commits only where all would have come out alike one after the other. What would not is undone, and run again.
    Serializable,
}

/// Answer to [`Transactions::open`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Opened<T> {
    /// The operation is granted.
    Claimed {
        /// Open, with nothing written.
        transaction: T,
        /// The fencing generation.
        generation: u64,
    },
    /// There is a record, and nothing is open.
    Found(Record),
    /// Another attempt runs, and nothing is open.
    Busy,
}

impl<T> Opened<T> {
    /// The operation is granted, at this generation.
    pub fn claimed(transaction: T, generation: u64) -> Self {
        Self::Claimed {
            transaction,
            generation,
        }
    }
}

/// What is recorded with the effect.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Recording<'a> {
    /// The operation.
    pub id: &'a RecordId,
    /// The attempt, at the generation that it was granted.
    pub claim: &'a Claim,
    /// Its answer.
    pub finished: &'a Finished,
    /// How long the record is kept.
    pub ttl: Duration,
}

impl<'a> Recording<'a> {
    /// That answer of an attempt.
    pub fn new(id: &'a RecordId, claim: &'a Claim, finished: &'a Finished, ttl: Duration) -> Self {
        Self {
            id,
            claim,
            finished,
            ttl,
        }
    }
}

/// Answer to [`Transactions::commit`]. Errors are for the log.
#[derive(Debug)]
#[non_exhaustive]
pub enum Committed {
    /// Effect and record are there, and stay.
    Done,
    /// Rolled back: another attempt's record is there.
    Other,
    /// Rolled back for another transaction's sake; run again, it may go through.
    Again(StoreError),
    /// Rolled back for what it is; run again, it would end like this.
    Refused(StoreError),
    /// The handler had ended the transaction by itself. Nothing is recorded.
    Ended,
    /// Nobody knows.
    Unclear(StoreError),
}

/// Answer to [`Transactions::roll_back`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RolledBack {
    /// Nothing of it is left.
    Done,
    /// The handler had ended the transaction by itself, and may have committed.
    Ended,
}
