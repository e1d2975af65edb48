//! Where a record id goes in a map. It knows no map.

use std::hash::{BuildHasher, Hasher};

use crate::store::Token;

/// Hashes ids, which are digests already, by folding eight of their octets with a secret.
///
/// A caller can compute the ids of its own keys. Without the secret it could pick keys that all fall
/// into one bucket of one shard.
#[derive(Clone, Copy)]
pub(super) struct IdHash {
    mask: u64,
    factor: u64,
}

impl IdHash {
    pub(super) fn random() -> Self {
        let secret = u128::from_ne_bytes(*Token::random().as_bytes());
        Self {
            mask: secret as u64,
            factor: (secret >> 64) as u64 | 1,
        }
    }
}

impl BuildHasher for IdHash {
    type Hasher = IdHasher;

    fn build_hasher(&self) -> IdHasher {
        IdHasher {
            secret: *self,
            hash: 0,
        }
    }
}

pub(super) struct IdHasher {
    secret: IdHash,
    hash: u64,
}

impl Hasher for IdHasher {
    fn write(&mut self, id: &[u8]) {
        let word = id.first_chunk().map_or(0, |word| u64::from_ne_bytes(*word));
        let masked = u128::from(word ^ self.secret.mask);
        let product = masked * u128::from(self.secret.factor);
        self.hash = product as u64 ^ (product >> 64) as u64;
    }

    /// Arrays announce their length, which is the same for every id.
    fn write_usize(&mut self, _len: usize) {}

    fn finish(&self) -> u64 {
        self.hash
    }
}
