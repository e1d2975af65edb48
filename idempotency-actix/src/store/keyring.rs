//! The keys that seal answers, and the sealed octets. What is sealed is not known here.
//!
//! | octets | content |
//! |---|---|
//! | 4 | id of the key, big-endian |
//! | 24 | random nonce |
//! | .. | XChaCha20-Poly1305 ciphertext, as long as the answer |
//! | 16 | tag, over the ciphertext and the associated data |

use std::error::Error;
use std::fmt;

use chacha20poly1305::{AeadInOut, KeyInit, Tag, XChaCha20Poly1305, XNonce};

const ID: usize = 4;
const NONCE: usize = 24;
const TAG: usize = 16;

/// The keys that seal stored answers, so that who reads the server does not read them.
///
/// One key seals what is written from now on. Others may open what was written before.
///
/// # What is protected
///
/// An answer's status, headers and body, and the `Location` of one that was not kept, are encrypted
/// and authenticated, bound to their own record. Who can read the server, its replicas and its
/// backups does not learn them, and who can write to it can neither change an answer nor give it to
/// another operation.
///
/// Not protected are the fact that there is a record, its name and state, when it was written, how
/// long it is, the attempt's token and the fingerprint, which are digests and random octets. Who can
/// write to the server can still delete records, and a retry of a deleted one runs again.
///
/// # Rotation
///
/// 1. Give the new key to [`with_old`](Self::with_old) on all replicas, which then open what it seals.
/// 2. Swap the two on all replicas: the new one seals, the old one opens.
/// 3. Drop the old key once the longest `ttl` has passed.
///
/// A replica that does not know the key of a record answers its retry with 503. It never treats it
/// as absent.
///
/// # Cipher
///
/// XChaCha20-Poly1305 with a random nonce of 24 octets for every record. With the usual 12 octets,
/// random nonces of one key may collide after some billions of records; with 24 there is no number of
/// records after which a key has to be changed. An answer grows by 44 octets.
///
/// # Examples
///
/// ```
/// use idempotency_actix::store::Keyring;
///
/// # fn secret(_name: &str) -> [u8; 32] { [7; 32] }
/// let keys = Keyring::new(2, secret("IDEMPOTENCY_KEY_2")).with_old(1, secret("IDEMPOTENCY_KEY_1"))?;
/// # Ok::<(), idempotency_actix::store::KeyringError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Keyring {
    /// The first one seals.
    keys: Vec<Key>,
    accept_unsealed: bool,
}

#[derive(Clone)]
struct Key {
    id: u32,
    /// Wipes its key when dropped.
    cipher: XChaCha20Poly1305,
}

impl Keyring {
    /// A keyring whose one key seals and opens.
    ///
    /// The key is 32 octets from a source of randomness, such as `openssl rand 32`, and no password.
    /// Its id is stored beside each answer; any number does that no other key has had.
    pub fn new(id: u32, key: [u8; 32]) -> Self {
        Self {
            keys: vec![Key::new(id, key)],
            accept_unsealed: false,
        }
    }

    /// Adds a key that opens and never seals.
    ///
    /// # Errors
    ///
    /// Refuses an id that is on the keyring already: of two keys under one id the second would open
    /// nothing.
    pub fn with_old(mut self, id: u32, key: [u8; 32]) -> Result<Self, KeyringError> {
        if self.key(id).is_some() {
            return Err(KeyringError::RepeatedId(id));
        }
        self.keys.push(Key::new(id, key));
        Ok(self)
    }

    /// Whether answers that were stored in plain are replayed; `false` by default.
    ///
    /// It is for the day on which encryption is switched on. Without it, the retries of what was
    /// stored before are answered 503 until its `ttl` is over. **While it is on, who can write to the
    /// server can plant an answer**, which a client gets as if the handler had given it. Switch it off
    /// once the longest `ttl` has passed.
    pub fn accept_unsealed(self, accept_unsealed: bool) -> Self {
        Self {
            accept_unsealed,
            ..self
        }
    }

    pub(super) fn accepts_unsealed(&self) -> bool {
        self.accept_unsealed
    }

    /// Seals an answer. It opens with the same associated data only.
    pub(super) fn seal(&self, associated: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).expect("the operating system has a source of randomness");
        self.keys[0].seal(nonce, associated, plain)
    }

    /// Opens what [`seal`](Self::seal) made, with whichever key it names.
    pub(super) fn open(&self, associated: &[u8], sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        let (id, rest) = sealed
            .split_first_chunk::<ID>()
            .ok_or(OpenError::TooShort)?;
        let (nonce, rest) = rest
            .split_first_chunk::<NONCE>()
            .ok_or(OpenError::TooShort)?;
        let (text, tag) = rest.split_last_chunk::<TAG>().ok_or(OpenError::TooShort)?;
        let id = u32::from_be_bytes(*id);
        let key = self.key(id).ok_or(OpenError::UnknownKey(id))?;
        let mut plain = text.to_vec();
        key.cipher
            .decrypt_inout_detached(
                &XNonce::from(*nonce),
                associated,
                plain.as_mut_slice().into(),
                &Tag::from(*tag),
            )
            .map_err(|_| OpenError::NotAuthentic)?;
        Ok(plain)
    }

    fn key(&self, id: u32) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == id)
    }
}

impl Key {
    fn new(id: u32, key: [u8; 32]) -> Self {
        let cipher = XChaCha20Poly1305::new(&key.into());
        Self { id, cipher }
    }

    fn seal(&self, nonce: [u8; NONCE], associated: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(ID + NONCE + plain.len() + TAG);
        sealed.extend(self.id.to_be_bytes());
        sealed.extend(nonce);
        sealed.extend_from_slice(plain);
        let text = &mut sealed[ID + NONCE..];
        let tag = self
            .cipher
            .encrypt_inout_detached(&XNonce::from(nonce), associated, text.into())
            .expect("an answer is far below the 256 GiB that one nonce covers");
        sealed.extend(tag);
        sealed
    }
}

/// Shows the ids, the one that seals first, and never a key.
impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<u32> = self.keys.iter().map(|key| key.id).collect();
        f.debug_struct("Keyring")
            .field("ids", &ids)
            .field("accept_unsealed", &self.accept_unsealed)
            .finish_non_exhaustive()
    }
}

/// Why keys make no keyring; the message says what to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyringError {
    /// Two keys have one id.
    RepeatedId(u32),
}

impl fmt::Display for KeyringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RepeatedId(id) => write!(
                f,
                "two keys have the id {id}; give each the id under which it sealed"
            ),
        }
    }
}

impl Error for KeyringError {}

/// Why a sealed answer cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OpenError {
    /// Sealed with a key that is not on the keyring.
    UnknownKey(u32),
    /// Cut off, or never sealed at all.
    TooShort,
    /// Changed, moved to another record, or sealed with another key of the same id.
    NotAuthentic,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey(id) => write!(f, "sealed with key {id}, which is not on the keyring"),
            Self::TooShort => f.write_str("too short for a sealed answer"),
            Self::NotAuthentic => f.write_str(
                "the sealed answer was changed, belongs to another record, or has another key of the same id",
            ),
        }
    }
}

impl Error for OpenError {}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::request::short;

    fn keyring() -> Keyring {
        Keyring::new(1, [1; 32])
    }

    proptest! {
        #[test]
        fn what_was_sealed_is_opened(associated in vec(any::<u8>(), 0..64), plain in vec(any::<u8>(), 0..300)) {
            let sealed = keyring().seal(&associated, &plain);
            prop_assert_eq!(keyring().open(&associated, &sealed), Ok(plain));
        }

        #[test]
        fn other_associated_data_does_not_open(one in vec(any::<u8>(), 0..64), other in vec(any::<u8>(), 0..64)) {
            prop_assume!(one != other);
            let sealed = keyring().seal(&one, b"answer");
            prop_assert_eq!(keyring().open(&other, &sealed), Err(OpenError::NotAuthentic));
        }

        #[test]
        fn no_octets_make_it_panic(sealed in vec(any::<u8>(), 0..200)) {
            prop_assert!(keyring().open(b"", &sealed).is_err());
        }
    }

    #[test]
    fn a_flipped_bit_at_any_place_is_noticed() {
        let sealed = keyring().seal(b"record", b"answer");
        for place in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[place / 8] ^= 1 << (place % 8);
            let opened = keyring().open(b"record", &changed);
            match opened {
                Err(OpenError::UnknownKey(id)) => assert!(place < 32 && id != 1),
                opened => assert_eq!((opened, place >= 32), (Err(OpenError::NotAuthentic), true)),
            }
        }
    }

    #[test]
    fn what_is_cut_off_or_padded_does_not_open() {
        let sealed = keyring().seal(b"record", b"answer");
        for length in 0..sealed.len() {
            let expected = match length {
                0..44 => OpenError::TooShort,
                _ => OpenError::NotAuthentic,
            };
            assert_eq!(
                keyring().open(b"record", &sealed[..length]),
                Err(expected),
                "{length} octets"
            );
        }
        let padded = [sealed, vec![0]].concat();
        assert_eq!(
            keyring().open(b"record", &padded),
            Err(OpenError::NotAuthentic)
        );
    }

    #[test]
    fn a_rotated_key_opens_and_no_longer_seals() {
        let before = keyring().seal(b"record", b"answer");
        let both = Keyring::new(2, [2; 32])
            .with_old(1, [1; 32])
            .expect("two ids");
        assert_eq!(both.open(b"record", &before), Ok(b"answer".to_vec()));

        let after = both.seal(b"record", b"answer");
        let unknown = Err(OpenError::UnknownKey(2));
        assert_eq!(keyring().open(b"record", &after), unknown);
        let new = Keyring::new(2, [2; 32]);
        assert_eq!(new.open(b"record", &after), Ok(b"answer".to_vec()));
    }

    #[test]
    fn another_key_of_the_same_id_does_not_open() {
        let sealed = keyring().seal(b"record", b"answer");
        let other = Keyring::new(1, [2; 32]);
        assert_eq!(other.open(b"record", &sealed), Err(OpenError::NotAuthentic));
    }

    #[test]
    fn a_repeated_id_is_refused() {
        for repeated in [1, 7] {
            let keys = keyring().with_old(7, [7; 32]).expect("two ids");
            let error = keys.with_old(repeated, [9; 32]).err();
            assert_eq!(error, Some(KeyringError::RepeatedId(repeated)));
        }
    }

    #[test]
    fn the_same_answer_is_never_sealed_alike() {
        assert_ne!(keyring().seal(b"", b""), keyring().seal(b"", b""));
    }

    #[test]
    fn debug_shows_ids_and_no_keys() {
        let keys = Keyring::new(2, [0xaa; 32]).with_old(1, [0xbb; 32]);
        assert_eq!(
            format!("{keys:?}"),
            "Ok(Keyring { ids: [2, 1], accept_unsealed: false, .. })"
        );
    }

    /// Frozen: records live longer than a deploy. Key, nonce and text are those of
    /// draft-irtf-cfrg-xchacha-03, appendix A.3.1.
    #[test]
    fn the_sealed_form_never_changes() {
        let key = std::array::from_fn(|at| 0x80 + at as u8);
        let nonce = std::array::from_fn(|at| 0x40 + at as u8);
        let associated = b"\x50\x51\x52\x53\xc0\xc1\xc2\xc3\xc4\xc5\xc6\xc7";
        let plain = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip \
            for the future, sunscreen would be it.";
        let sealed = Key::new(0x0102_0304, key).seal(nonce, associated, plain);
        let hex: String = sealed.chunks(4).map(short).collect();
        assert_eq!(
            hex,
            "01020304\
             404142434445464748494a4b4c4d4e4f5051525354555657\
             bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f\
             4eda7e39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f\
             76b2383565d3fff921f9664c97637da9768812f615c68b13b52e\
             c0875924c1c7987947deafd8780acf49"
        );
        let keys = Keyring::new(0x0102_0304, key);
        assert_eq!(keys.open(associated, &sealed), Ok(plain.to_vec()));
    }
}
