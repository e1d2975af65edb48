//! Maps that shrink after a peak.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash};

use slab::Slab;

/// What is kept for the next ones: to make less anew each time costs more than it saves.
const SLACK: usize = 64;

/// How much larger than needed a table may be, so that its contents are moved once for many that were removed.
const SPARE: usize = 4;

/// Gives back the room of a map that has become much too large.
pub(crate) fn shrink_map<K: Eq + Hash, V, S: BuildHasher>(map: &mut HashMap<K, V, S>) {
    if map.capacity() > SPARE * map.len() + SLACK {
        map.shrink_to(2 * map.len());
    }
}

/// Gives back the room of a queue that has become much too large.
pub(super) fn shrink_queue<T>(queue: &mut VecDeque<T>) {
    if queue.capacity() > SPARE * queue.len() + SLACK {
        queue.shrink_to(2 * queue.len());
    }
}

/// Gives back the room of a slab that is empty after a peak: where one entry is left, it may be the last.
pub(crate) fn shrink_slab<T>(slab: &mut Slab<T>) {
    if slab.is_empty() && slab.capacity() > SLACK {
        *slab = Slab::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_and_a_queue_follow_what_they_hold() {
        let mut map: HashMap<_, _> = (0..10_000).map(|n| (n, n)).collect();
        let mut queue: VecDeque<_> = (0..10_000).collect();
        for n in 0..10_000 {
            map.remove(&n);
            shrink_map(&mut map);
            queue.pop_front();
            shrink_queue(&mut queue);
            assert!(map.capacity() <= SPARE * map.len() + SLACK);
            assert!(queue.capacity() <= SPARE * queue.len() + SLACK);
        }
    }
}
