//! Answers in plain or sealed, by whether there are keys. It knows neither a value's form nor a cipher.

#[cfg(feature = "encryption")]
use super::keyring::Keyring;
use super::record_error::RecordError;

/// How answers are written and read: in plain, or sealed where there are keys.
///
/// The head of a value is authenticated with what it is the head of, so that no answer can be moved
/// under another record, owner or fingerprint.
#[derive(Clone, Debug, Default)]
pub(super) struct Seal {
    #[cfg(feature = "encryption")]
    pub(super) keyring: Option<Keyring>,
}

/// What was read of a value.
pub(super) enum Unsealed {
    AsIs,
    #[cfg_attr(
        not(feature = "encryption"),
        expect(dead_code, reason = "nothing is sealed")
    )]
    Opened(Vec<u8>),
}

#[cfg(feature = "encryption")]
impl Seal {
    pub(super) fn seals(&self) -> bool {
        self.keyring.is_some()
    }

    /// Seals what follows the head, which stays readable: a value that cannot be opened still tells whose it is.
    pub(super) fn close(&self, mut value: Vec<u8>, head: usize) -> Vec<u8> {
        if let Some(keyring) = &self.keyring {
            let sealed = keyring.seal(&value[..head], &value[head..]);
            value.truncate(head);
            value.extend(sealed);
        }
        value
    }

    pub(super) fn open(
        &self,
        head: &[u8],
        rest: &[u8],
        is_sealed: bool,
    ) -> Result<Unsealed, RecordError> {
        match (&self.keyring, is_sealed) {
            (None, false) => Ok(Unsealed::AsIs),
            (None, true) => Err(RecordError::NoKeys),
            (Some(keyring), false) if keyring.accepts_unsealed() => Ok(Unsealed::AsIs),
            (Some(_), false) => Err(RecordError::NotSealed),
            (Some(keyring), true) => match keyring.open(head, rest) {
                Ok(plain) => Ok(Unsealed::Opened(plain)),
                Err(cause) => Err(RecordError::Sealed(Box::new(cause))),
            },
        }
    }
}

#[cfg(not(feature = "encryption"))]
impl Seal {
    pub(super) fn seals(&self) -> bool {
        false
    }

    pub(super) fn close(&self, value: Vec<u8>, _head: usize) -> Vec<u8> {
        value
    }

    pub(super) fn open(
        &self,
        _head: &[u8],
        _rest: &[u8],
        is_sealed: bool,
    ) -> Result<Unsealed, RecordError> {
        if is_sealed {
            return Err(RecordError::NoKeys);
        }
        Ok(Unsealed::AsIs)
    }
}
