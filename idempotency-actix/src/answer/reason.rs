//! Reason phrases of stored answers, which actix-web wants to live as long as the process.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many phrases are copied at most: stored values are what others can write. A handler's own live as long as the
/// process anyway, and are not counted.
const MOST: usize = 1_024;

/// The longest phrase, in octets, that is given to a replay by a process whose own handlers did not use it.
const LONGEST: usize = 256;

static KNOWN: Mutex<Known> = Mutex::new(Known {
    phrases: BTreeSet::new(),
    copies: 0,
});

struct Known {
    phrases: BTreeSet<&'static str>,
    copies: usize,
}

fn known() -> MutexGuard<'static, Known> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes a phrase of a handler's, so that a replay in this process need not copy it.
pub(super) fn remember(phrase: &'static str) {
    known().phrases.insert(phrase);
}

/// The phrase for an answer; `None` past the bounds, where the usual phrase has to do.
pub(super) fn lasting(phrase: &str) -> Option<&'static str> {
    let mut known = known();
    if let Some(phrase) = known.phrases.get(phrase) {
        return Some(phrase);
    }
    if known.copies >= MOST || phrase.len() > LONGEST {
        return None;
    }
    let phrase = &*phrase.to_owned().leak();
    known.phrases.insert(phrase);
    known.copies += 1;
    Some(phrase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_is_copied_once() {
        let first = lasting("Copied Once").expect("room");
        let second = lasting(&String::from("Copied Once")).expect("room");
        assert!(std::ptr::eq(first, second));
        assert_eq!(lasting(&"x".repeat(LONGEST + 1)), None);
    }

    #[test]
    fn a_handlers_own_phrase_is_not_copied() {
        let own = "Said By A Handler";
        remember(own);
        assert!(lasting(own).is_some_and(|known| std::ptr::eq(known, own)));
    }

    #[test]
    fn phrases_of_handlers_leave_the_room_for_copies_alone() {
        for n in 0..=MOST {
            remember(format!("Of A Handler {n}").leak());
        }
        assert!(lasting("Copied All The Same").is_some());
        let last = format!("Of A Handler {MOST}");
        assert!(lasting(&last).is_some());
    }
}
