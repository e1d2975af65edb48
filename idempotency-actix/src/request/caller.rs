//! The caller as records are named by it: a digest. How one is derived from a request is up to the scope.

use std::borrow::Cow;
use std::fmt;

use super::principal::Principal;

/// One caller, as a [`KeyScope`](crate::KeyScope) tells it of a request, and as an operator names it.
///
/// `Debug` shows the kind of scope, and nothing of the caller.
#[derive(Clone, PartialEq, Eq)]
pub struct Caller(Cow<'static, [u8]>);

/// What a record's id takes in: a tag for the kind of scope, then framed contents.
impl Caller {
    /// The only caller of [`KeyScope::everyone`](crate::KeyScope::everyone).
    pub fn everyone() -> Self {
        Self(Cow::Borrowed(&[0]))
    }

    /// What the function of [`KeyScope::by`](crate::KeyScope::by) or [`KeyScope::try_by`](crate::KeyScope::try_by) returned.
    pub fn principal<K>(principal: impl Principal<K>) -> Self {
        Self([&[1], principal.octets().as_ref()].concat().into())
    }

    /// The value of [`KeyScope::header`](crate::KeyScope::header)'s one line.
    pub fn header(value: impl AsRef<[u8]>) -> Self {
        let caller = Self::lines([value.as_ref()].into_iter());
        caller.expect("one line is there")
    }

    /// This caller at one host, as [`KeyScope::per_host`](crate::KeyScope::per_host) tells callers apart: the
    /// host as the client sent it, with its port if it sent one.
    pub fn at_host(&self, host: impl AsRef<[u8]>) -> Self {
        let host = host.as_ref().to_ascii_lowercase();
        let length = (host.len() as u64).to_le_bytes();
        Self([&[3], &length[..], &host, &self.0].concat().into())
    }

    pub(crate) fn lines<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut caller = vec![2];
        for line in lines {
            caller.extend((line.len() as u64).to_le_bytes());
            caller.extend_from_slice(line);
        }
        (caller.len() > 1).then_some(Self(caller.into()))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.first() {
            Some(0) => "Caller::everyone",
            Some(1) => "Caller::principal",
            Some(3) => "Caller::at_host",
            _ => "Caller::header",
        })
    }
}
