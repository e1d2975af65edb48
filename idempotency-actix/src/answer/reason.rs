//! Reason phrases of stored answers, which actix-web wants to live as long as the process.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// How many phrases are known at most. A handler's are literals of its program, so this is for stored
/// values that others can write.
const MOST: usize = 1_024;

/// The longest phrase, in octets, that is given to a replay by a process whose own handlers did not use it.
const LONGEST: usize = 256;

static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// Notes a phrase of a handler's, so that a replay in this process need not copy it.
pub(super) fn remember(phrase: &'static str) {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() < MOST {
        known.insert(phrase);
    }
}

/// The phrase for an answer; `None` past the bounds, where the usual phrase has to do.
pub(super) fn lasting(phrase: &str) -> Option<&'static str> {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(phrase) = known.get(phrase) {
        return Some(phrase);
    }
    if known.len() >= MOST || phrase.len() > LONGEST {
        return None;
    }
    let phrase = &*phrase.to_owned().leak();
    known.insert(phrase);
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
}
