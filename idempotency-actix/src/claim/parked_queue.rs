//! The room that answers have while they wait for the store, and what is given up where it ends. Who delivers them is not known
//! here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::Finished;

/// Octets of answers that wait for the store: 64 MiB. Past it the oldest answer is recorded as *not kept*, and where
/// all are, the oldest loses its `Location` too.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Answers that wait for the store. Past it the oldest is given up, and its record becomes unknown.
const MAX_ANSWERS: usize = 65_536;

/// What is given up past the octets, in that order.
const SAVINGS: [fn(&Waiting) -> usize; 2] = [Waiting::drop_answer, Waiting::drop_location];

/// What waits, oldest first. Its size is counted and not summed up: an outage fills it.
#[derive(Default)]
pub(super) struct Queue {
    answers: BTreeMap<u64, Arc<Waiting>>,
    bytes: usize,
    /// The number of the next answer.
    next: u64,
    /// The oldest that each of the savings may still be made of.
    unsaved: [u64; SAVINGS.len()],
}

/// One answer on its way; `None` once it was given up.
pub(super) struct Waiting(Mutex<Option<Finished>>);

impl Queue {
    /// Takes an answer in, at the cost of the oldest where the bounds are passed.
    /// Returns its number, and that of one that was given up.
    pub(super) fn admit(&mut self, parked: Arc<Waiting>) -> (u64, Option<u64>) {
        let number = self.next;
        self.next += 1;
        self.bytes += parked.size();
        self.answers.insert(number, parked);
        let mut given_up = None;
        if self.answers.len() > MAX_ANSWERS
            && let Some((number, oldest)) = self.answers.pop_first()
        {
            self.bytes -= oldest.size();
            *oldest.lock() = None;
            given_up = Some(number);
        }
        for (save, unsaved) in SAVINGS.iter().zip(&mut self.unsaved) {
            while self.bytes > MAX_BYTES
                && let Some((&oldest, parked)) = self.answers.range(*unsaved..).next()
            {
                self.bytes -= save(parked);
                *unsaved = oldest + 1;
            }
        }
        (number, given_up)
    }

    pub(super) fn remove(&mut self, number: u64) {
        if let Some(parked) = self.answers.remove(&number) {
            self.bytes -= parked.size();
        }
    }
}

impl Waiting {
    pub(super) fn new(finished: Finished) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Some(finished))))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Option<Finished>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn size(&self) -> usize {
        self.lock().as_ref().map_or(0, Finished::footprint)
    }

    /// Drops an answer and keeps the fact; returns the octets that are free now.
    fn drop_answer(&self) -> usize {
        self.lessen(|finished| matches!(finished, Finished::Completed(_)))
    }

    /// The same for the `Location` of an answer that is not kept.
    fn drop_location(&self) -> usize {
        self.lessen(|finished| matches!(finished, Finished::NotKept(_)))
    }

    fn lessen(&self, applies: fn(&Finished) -> bool) -> usize {
        let mut finished = self.lock();
        let before = finished.as_ref().filter(|finished| applies(finished));
        let Some((before, less)) = before.and_then(|it| Some((it.footprint(), it.lessened()?)))
        else {
            return 0;
        };
        let freed = before.saturating_sub(less.footprint());
        *finished = Some(less);
        freed
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::StatusCode;
    use actix_web::http::header::{HeaderValue, LOCATION};
    use actix_web::web::Bytes;

    use super::*;
    use crate::store::{NotKept, StoredResponse};

    fn parked(bytes: usize) -> Arc<Waiting> {
        let body = Some(Bytes::from(vec![0; bytes]));
        let response = StoredResponse::new(StatusCode::OK, [], body);
        Waiting::new(Finished::Completed(response))
    }

    #[test]
    fn past_the_bytes_the_oldest_answers_are_lightened() {
        let mut queue = Queue::default();
        let answers = [(); 4].map(|()| parked(MAX_BYTES / 2));
        let numbers = answers.clone().map(|parked| queue.admit(parked).0);
        let sizes = answers.map(|parked| parked.size());
        assert_eq!(sizes, [0, 0, MAX_BYTES / 2, MAX_BYTES / 2]);
        assert_eq!(queue.bytes, MAX_BYTES);
        numbers.iter().for_each(|&number| queue.remove(number));
        assert_eq!((queue.bytes, queue.answers.len()), (0, 0));
    }

    #[test]
    fn header_lines_count_and_a_location_is_given_up_last() {
        const LONG: usize = MAX_BYTES / 4;
        let location = || vec![b'x'; LONG];
        let value = HeaderValue::from_bytes(&location()).expect("a value");
        let response = StoredResponse::new(StatusCode::OK, [(LOCATION, value)], None);
        let whole = Finished::Completed(response);
        let fact = Finished::NotKept(NotKept::new(201, Some(location())));
        let mut queue = Queue::default();
        let answers = [fact.clone(), whole, fact.clone(), fact.clone(), fact];
        let answers = answers.map(Waiting::new);
        let numbers = answers.clone().map(|parked| queue.admit(parked).0);
        let sizes = answers.each_ref().map(|parked| parked.size());
        assert_eq!(sizes, [0, LONG, LONG, LONG, LONG]);
        assert_eq!(queue.bytes, MAX_BYTES);
        assert!(matches!(&*answers[1].lock(), Some(Finished::NotKept(_))));
        numbers.iter().for_each(|&number| queue.remove(number));
        assert_eq!(queue.bytes, 0);
    }

    #[test]
    fn past_the_count_the_oldest_answer_is_given_up() {
        let mut queue = Queue::default();
        let oldest = parked(1);
        queue.admit(Arc::clone(&oldest));
        for _ in 0..MAX_ANSWERS {
            queue.admit(parked(1));
        }
        assert!(oldest.lock().is_none());
        assert_eq!(queue.answers.len(), MAX_ANSWERS);
        assert_eq!(queue.bytes, MAX_ANSWERS);
    }
}
