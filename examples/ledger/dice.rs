//! Chance.

use std::hash::{BuildHasher, RandomState};

/// Other numbers at each run of the program.
#[derive(Default)]
pub(crate) struct Dice {
    seed: RandomState,
    throws: u64,
}

impl Dice {
    /// A number below that one.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.throws += 1;
        self.seed.hash_one(self.throws) as usize % bound
    }
}
