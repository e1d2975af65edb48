//! The queue of what is to be tried again with the store, and when each is due. It does not know what is tried.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::Notify;

use super::background::Background;
use crate::store::shrink_map;

/// How many tries are on the way at a time.
const MOST: usize = 512;

/// How many are taken under one lock.
const FEW: usize = 32;

/// The first pause after a failure.
const SHORTEST: Duration = Duration::from_millis(50);

/// Where many wait for the store, each waits longer: together they ask it 200 times a second.
const SHARE: Duration = Duration::from_millis(5);

/// How often a success lets all that wait go at once. More often would be of no use, where a part of the store
/// answers and another does not.
const BETWEEN_SURGES: Duration = Duration::from_secs(2);

/// A piece of work that is tried until it is done.
pub(super) trait Work: Send + Sync + 'static {
    fn attempt(&self) -> impl Future<Output = Progress> + Send;

    /// The longest pause after a failure, where few wait.
    fn longest_pause(&self) -> Duration;
}

/// What came of one try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Done,
    /// The store answered, and it is too early: again after that pause.
    Again(Duration),
    /// The store did not do it.
    Failed,
}

pub(super) struct Backlog<W>(Arc<Shared<W>>);

struct Shared<W> {
    background: Background,
    agenda: Mutex<Agenda<W>>,
    wake: Notify,
}

struct Agenda<W> {
    items: HashMap<u64, Item<W>>,
    waiting: BTreeSet<(Instant, u64)>,
    /// Let go at once, before those that wait.
    ready: BTreeSet<(Instant, u64)>,
    /// Whether a try failed since the last surge.
    has_failed: bool,
    last_surge: Option<Instant>,
    /// Whether the job that tries was started, and has not ended.
    is_attended: bool,
}

struct Item<W> {
    work: Arc<W>,
    /// `None` while it is tried.
    due: Option<Instant>,
    failures: u32,
}

impl<W: Work> Backlog<W> {
    pub(super) fn new(background: &Background) -> Self {
        Self(Arc::new(Shared {
            background: background.clone(),
            agenda: Mutex::new(Agenda {
                items: HashMap::new(),
                waiting: BTreeSet::new(),
                ready: BTreeSet::new(),
                has_failed: false,
                last_surge: None,
                is_attended: false,
            }),
            wake: Notify::new(),
        }))
    }

    /// Takes work in, under a number that no other has.
    pub(super) fn push(&self, number: u64, work: W, due: Instant) {
        let mut agenda = self.0.lock();
        let item = Item {
            work: Arc::new(work),
            due: None,
            failures: 0,
        };
        agenda.items.insert(number, item);
        agenda.plan(number, due);
        let is_attended = std::mem::replace(&mut agenda.is_attended, true);
        drop(agenda);
        if !is_attended {
            let shared = Arc::clone(&self.0);
            self.0.background.run(move || attend(Arc::clone(&shared)));
        } else {
            self.0.background.attend();
            self.0.wake.notify_one();
        }
    }

    /// Has it tried now.
    pub(super) fn hasten(&self, number: u64) {
        self.0.lock().plan(number, Instant::now());
        self.0.wake.notify_one();
    }

    pub(super) fn get(&self, number: u64) -> Option<Arc<W>> {
        let agenda = self.0.lock();
        let item = agenda.items.get(&number)?;
        Some(Arc::clone(&item.work))
    }

    pub(super) fn remove(&self, number: u64) {
        let item = self.0.lock().remove(number);
        drop(item);
    }

    /// All the work that waits or is tried.
    pub(super) fn all(&self) -> Vec<Arc<W>> {
        let agenda = self.0.lock();
        agenda
            .items
            .values()
            .map(|item| Arc::clone(&item.work))
            .collect()
    }

    pub(super) fn len(&self) -> usize {
        self.0.lock().items.len()
    }

    /// Sees that the layer is gone.
    pub(super) fn close(&self) {
        self.0.wake.notify_one();
    }
}

impl<W: Work> Shared<W> {
    fn lock(&self) -> MutexGuard<'_, Agenda<W>> {
        self.agenda.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ends(&self) -> bool {
        if !self.background.is_closed() {
            return false;
        }
        let mut agenda = self.lock();
        agenda.is_attended = !agenda.items.is_empty();
        !agenda.is_attended
    }
}

impl<W: Work> Agenda<W> {
    fn plan(&mut self, number: u64, due: Instant) {
        if let Some(item) = self.items.get_mut(&number) {
            if let Some(before) = item.due.replace(due) {
                self.waiting.remove(&(before, number));
                self.ready.remove(&(before, number));
            }
            self.waiting.insert((due, number));
        }
    }

    /// Plans what nobody tries, where the job that tried it panicked.
    fn plan_again(&mut self, due: Instant) {
        let idle = self.items.iter().filter(|(_, item)| item.due.is_none());
        let idle: Vec<u64> = idle.map(|(&number, _)| number).collect();
        for number in idle {
            self.plan(number, due);
        }
    }

    fn remove(&mut self, number: u64) -> Option<Item<W>> {
        let item = self.items.remove(&number)?;
        shrink_map(&mut self.items);
        if let Some(due) = item.due {
            self.waiting.remove(&(due, number));
            self.ready.remove(&(due, number));
        }
        Some(item)
    }

    fn take(&mut self, now: Instant, most: usize) -> Vec<(u64, Arc<W>)> {
        let mut taken = Vec::new();
        while taken.len() < most {
            let is_due = |&&(due, _): &&(Instant, u64)| due <= now;
            let number = match self.ready.pop_first() {
                Some((_, number)) => number,
                None => match self.waiting.first().filter(is_due).copied() {
                    Some(first) => {
                        self.waiting.remove(&first);
                        first.1
                    }
                    None => break,
                },
            };
            if let Some(item) = self.items.get_mut(&number) {
                item.due = None;
                taken.push((number, Arc::clone(&item.work)));
            }
        }
        taken
    }

    /// Plans what comes after a try. Returns what is done, to be dropped without the lock.
    fn note(&mut self, number: u64, progress: Progress, now: Instant) -> Option<Item<W>> {
        match progress {
            Progress::Failed => self.has_failed = true,
            Progress::Done | Progress::Again(_) => self.surge(now),
        }
        let many = SHARE * u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        let item = self.items.get_mut(&number)?;
        let pause = match progress {
            Progress::Done => return self.remove(number),
            Progress::Again(pause) => pause.max(many),
            Progress::Failed => {
                let doubled = SHORTEST * 2_u32.saturating_pow(item.failures.min(16));
                item.failures += 1;
                doubled.min(item.work.longest_pause().max(many))
            }
        };
        // Whoever was hastened meanwhile has a date already.
        if item.due.is_none() {
            self.plan(number, now + spread(pause, number));
        }
        None
    }

    /// The store answers: whatever waits because it did not goes at once.
    fn surge(&mut self, now: Instant) {
        let was_long_ago = self
            .last_surge
            .is_none_or(|last| now.duration_since(last) >= BETWEEN_SURGES);
        if self.has_failed && was_long_ago && self.ready.is_empty() {
            self.ready = std::mem::take(&mut self.waiting);
            self.has_failed = false;
            self.last_surge = Some(now);
        }
    }

    fn next_look(&self) -> Option<Instant> {
        let first = self.ready.first().or(self.waiting.first());
        first.map(|&(due, _)| due)
    }
}

/// Half of the pause to all of it, evenly by the golden ratio, so that what failed together does not come back
/// together.
fn spread(pause: Duration, number: u64) -> Duration {
    let part = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48;
    let part = u32::try_from(part).unwrap_or(0);
    pause / 2 + (pause / 2).mul_f64(f64::from(part) / 65_536.0)
}

async fn attend<W: Work>(shared: Arc<Shared<W>>) {
    shared.lock().plan_again(Instant::now());
    let mut running = FuturesUnordered::new();
    loop {
        let now = Instant::now();
        let mut is_all = false;
        while running.len() < MOST && !is_all {
            let taken = shared.lock().take(now, FEW);
            is_all = taken.len() < FEW;
            running.extend(taken.into_iter().map(attempt));
            while let Some(Some((number, progress))) = running.next().now_or_never() {
                let done = shared.lock().note(number, progress, now);
                drop(done);
            }
            tokio::task::yield_now().await;
        }
        if running.is_empty() && shared.ends() {
            return;
        }
        let next_look = shared.lock().next_look().filter(|_| running.len() < MOST);
        let sleep = async {
            match next_look {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = shared.wake.notified() => {}
            () = sleep => {}
            Some((number, progress)) = running.next() => {
                let done = shared.lock().note(number, progress, Instant::now());
                drop(done);
            }
        }
    }
}

async fn attempt<W: Work>((number, work): (u64, Arc<W>)) -> (u64, Progress) {
    let attempt = AssertUnwindSafe(work.attempt()).catch_unwind().await;
    (number, attempt.unwrap_or(Progress::Failed))
}
