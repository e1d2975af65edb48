//! The place of a transaction between the engine, which opens and ends it, and the handler, which borrows it. It knows no
//! request.

use std::cell::{Cell, RefCell};
use std::mem;
use std::sync::Arc;

use futures_util::future::LocalBoxFuture;

use super::erased::ErasedStore;
use super::{
    Claim, Committed, Opened, Record, RecordId, Recording, RolledBack, StoreError,
    TransactionOptions, Transactions,
};

/// A transaction's place, whatever its type.
pub(crate) trait Slot {
    /// Claims the operation, and puts its transaction here.
    fn open<'a>(
        &'a self,
        id: &'a RecordId,
        claim: &'a Claim,
        options: &'a TransactionOptions,
    ) -> LocalBoxFuture<'a, Result<Filled, StoreError>>;

    /// The same without an operation.
    fn open_plain<'a>(
        &'a self,
        options: &'a TransactionOptions,
    ) -> LocalBoxFuture<'a, Result<(), StoreError>>;

    fn commit<'a>(&'a self, recording: Option<Recording<'a>>) -> LocalBoxFuture<'a, Committed>;

    fn roll_back(&self) -> LocalBoxFuture<'_, RolledBack>;

    /// Whether nobody has the transaction, nor could take it.
    fn is_home(&self) -> bool;

    /// Drops the transaction, which rolls it back; one that is not here, when it comes back.
    fn close(&self);
}

/// What [`Slot::open`] came to.
pub(crate) enum Filled {
    Claimed { generation: u64 },
    Found(Record),
    Busy,
}

/// The place of a transaction of that store.
pub(crate) struct SlotOf<S: Transactions> {
    store: Arc<dyn ErasedStore>,
    place: RefCell<Place<S::Transaction>>,
    handles: Cell<usize>,
}

enum Place<T> {
    Empty,
    Here(T),
    /// A handle has it.
    Lent,
    /// A handle has it, and it is not wanted back.
    Lost,
}

impl<S: Transactions> SlotOf<S> {
    /// An empty place before that store; `None` if it is of another type.
    pub(crate) fn before(store: &Arc<dyn ErasedStore>) -> Option<Self> {
        store_of::<S>(&**store)?;
        Some(Self {
            store: Arc::clone(store),
            place: RefCell::new(Place::Empty),
            handles: Cell::new(0),
        })
    }

    fn store(&self) -> &S {
        store_of(&*self.store).expect("a store that was of this type")
    }

    /// Counts one more handle; `false` if there is one already.
    pub(crate) fn hand_out(&self) -> bool {
        self.handles.replace(self.handles.get() + 1) == 0
    }

    /// Takes the transaction; `None` where it is not open, or not here.
    pub(crate) fn take(&self) -> Option<S::Transaction> {
        let mut place = self.place.borrow_mut();
        match mem::replace(&mut *place, Place::Lent) {
            Place::Here(transaction) => Some(transaction),
            other => {
                *place = other;
                None
            }
        }
    }

    /// Takes a handle back, with the transaction if it had it.
    pub(crate) fn hand_back(&self, transaction: Option<S::Transaction>) {
        self.handles.set(self.handles.get().saturating_sub(1));
        let Some(transaction) = transaction else {
            return;
        };
        let mut place = self.place.borrow_mut();
        let unwanted = match *place {
            Place::Lent => {
                *place = Place::Here(transaction);
                None
            }
            _ => Some(transaction),
        };
        // What is rolled back by it is nobody's business here.
        drop(place);
        drop(unwanted);
    }

    fn fill(&self, transaction: S::Transaction) {
        let before = self.place.replace(Place::Here(transaction));
        drop(before);
    }

    fn empty(&self) -> Option<S::Transaction> {
        match self.place.replace(Place::Empty) {
            Place::Here(transaction) => Some(transaction),
            Place::Empty => None,
            Place::Lent | Place::Lost => {
                self.place.replace(Place::Lost);
                None
            }
        }
    }
}

/// The store behind the pointer, also where the layer was given an `Arc` of it.
fn store_of<S: Transactions>(store: &dyn ErasedStore) -> Option<&S> {
    let store = store.as_any();
    let shared = || store.downcast_ref::<Arc<S>>().map(|store| &**store);
    store.downcast_ref::<S>().or_else(shared)
}

impl<S: Transactions> Slot for SlotOf<S> {
    fn open<'a>(
        &'a self,
        id: &'a RecordId,
        claim: &'a Claim,
        options: &'a TransactionOptions,
    ) -> LocalBoxFuture<'a, Result<Filled, StoreError>> {
        Box::pin(async move {
            Ok(match self.store().open(id, claim, options).await? {
                Opened::Claimed {
                    transaction,
                    generation,
                } => {
                    self.fill(transaction);
                    Filled::Claimed { generation }
                }
                Opened::Found(record) => Filled::Found(record),
                Opened::Busy => Filled::Busy,
            })
        })
    }

    fn open_plain<'a>(
        &'a self,
        options: &'a TransactionOptions,
    ) -> LocalBoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.fill(self.store().open_plain(options).await?);
            Ok(())
        })
    }

    fn commit<'a>(&'a self, recording: Option<Recording<'a>>) -> LocalBoxFuture<'a, Committed> {
        Box::pin(async move {
            match self.empty() {
                Some(transaction) => self.store().commit(transaction, recording).await,
                None => Committed::Refused(StoreError::refused("the transaction is not there")),
            }
        })
    }

    fn roll_back(&self) -> LocalBoxFuture<'_, RolledBack> {
        Box::pin(async move {
            match self.empty() {
                Some(transaction) => self.store().roll_back(transaction).await,
                None => RolledBack::Done,
            }
        })
    }

    fn is_home(&self) -> bool {
        self.handles.get() == 0 && matches!(*self.place.borrow(), Place::Here(_))
    }

    fn close(&self) {
        drop(self.empty());
    }
}
