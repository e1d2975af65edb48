//! One attempt at an operation, as support tools show it and take it back. It knows no record.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use super::Token;
use crate::request::short;

/// One attempt, as it was seen: what a resolution is compared with.
///
/// Two are equal only if the same claim showed no sign of life in between. As text, for tools that
/// show an attempt and take it back, it is 16 hexadecimal digits of a digest of the owner's token, the
/// generation and the pulse; no token can be read out of it.
///
/// # Examples
///
/// ```
/// use idempotency_actix::store::{AttemptId, Token};
///
/// let attempt = AttemptId::new(&Token::from_bytes([7; 16]), 2, 1700000000000);
/// assert_eq!(attempt.to_string(), "591207b6b8ec343c-2-1700000000000");
/// assert_eq!(attempt.to_string().parse(), Ok(attempt));
/// ```
#[derive(Clone, Copy)]
pub struct AttemptId {
    owner: Owner,
    generation: u64,
    pulse: u64,
}

/// Hashed when it is shown, which a replay's never is.
#[derive(Clone, Copy)]
enum Owner {
    Token(Token),
    Hash([u8; 8]),
}

impl Owner {
    fn hash(&self) -> [u8; 8] {
        match self {
            Self::Token(token) => {
                let mut hash = [0; 8];
                hash.copy_from_slice(&blake3::hash(token.as_bytes()).as_bytes()[..8]);
                hash
            }
            Self::Hash(hash) => *hash,
        }
    }
}

impl PartialEq for Owner {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Token(one), Self::Token(two)) => one == two,
            _ => self.hash() == other.hash(),
        }
    }
}

impl PartialEq for AttemptId {
    fn eq(&self, other: &Self) -> bool {
        let (one, two) = (self, other);
        one.generation == two.generation && one.pulse == two.pulse && one.owner == two.owner
    }
}

impl Eq for AttemptId {}

impl AttemptId {
    /// What stands in for the attempt of a record that cannot be read, to
    /// [forget](super::Verdict::Forget) it. No attempt is equal to it: generations start at 1.
    pub const UNREADABLE: Self = Self {
        owner: Owner::Hash([0; 8]),
        generation: 0,
        pulse: 0,
    };

    /// Describes an attempt by its owner, its generation and a mark that the store changes with
    /// every sign of life (an absolute expiry serves). A finished record shows none any more: its mark is
    /// one that no claim has, say 0, since who saw the claim has not seen the answer.
    pub fn new(owner: &Token, generation: u64, pulse: u64) -> Self {
        Self {
            owner: Owner::Token(*owner),
            generation,
            pulse,
        }
    }

    /// The fencing generation.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether it is an attempt of that owner's, whatever its signs of life.
    pub(crate) fn is_of(&self, owner: &Token) -> bool {
        self.owner == Owner::Token(*owner)
    }

    fn read(text: &str) -> Option<Self> {
        let (token, rest) = text.split_once('-')?;
        let (generation, pulse) = rest.split_once('-')?;
        let attempt = Self {
            owner: Owner::Hash(u64::from_str_radix(token, 16).ok()?.to_be_bytes()),
            generation: generation.parse().ok()?,
            pulse: pulse.parse().ok()?,
        };
        // Numbers may have signs, capitals and zeros in front, and an attempt has one form only.
        (attempt.to_string() == text).then_some(attempt)
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = self.owner.hash();
        let (first, last) = hash.split_at(4);
        let (first, last) = (short(first), short(last));
        write!(f, "{first}{last}-{}-{}", self.generation, self.pulse)
    }
}

impl fmt::Debug for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "AttemptId({}#{})",
            short(&self.owner.hash()),
            self.generation
        )
    }
}

/// Takes the text that [`Display`](fmt::Display) writes, and no other.
impl FromStr for AttemptId {
    type Err = ParseAttemptIdError;

    fn from_str(text: &str) -> Result<Self, ParseAttemptIdError> {
        Self::read(text).ok_or(ParseAttemptIdError(()))
    }
}

/// Why a text is no [`AttemptId`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseAttemptIdError(());

impl fmt::Display for ParseAttemptIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "an attempt is 16 hexadecimal digits in lower case, its generation and its pulse, joined by hyphens",
        )
    }
}

impl Error for ParseAttemptIdError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<AttemptId, ParseAttemptIdError> {
        text.parse()
    }

    proptest! {
        #[test]
        fn an_attempt_is_read_as_it_was_written(
            token: [u8; 8],
            generation: u64,
            pulse: u64,
        ) {
            let attempt = AttemptId { owner: Owner::Hash(token), generation, pulse };
            prop_assert_eq!(attempt.to_string().parse(), Ok(attempt));
        }

        #[test]
        fn what_is_read_is_written_the_same(text in "[0-9a-f]{15,17}-[0-9]{1,3}-[+0-9]{1,21}") {
            if let Ok(attempt) = parse(&text) {
                prop_assert_eq!(attempt.to_string(), text);
            }
        }
    }

    #[test]
    fn the_text_is_digits_generation_and_pulse() {
        let attempt = AttemptId {
            owner: Owner::Hash([0, 1, 2, 3, 4, 5, 0xfe, 0xff]),
            generation: 2,
            pulse: u64::MAX,
        };
        let text = "000102030405feff-2-18446744073709551615";
        assert_eq!(attempt.to_string(), text);
        assert_eq!(parse(text), Ok(attempt));
    }

    #[test]
    fn any_other_text_is_an_error() {
        for text in [
            "",
            "000102030405feff",
            "000102030405feff-2",
            "000102030405feff-2-",
            "000102030405feff-2-1-",
            "000102030405feff-2-1-1",
            "000102030405feff--1",
            "000102030405feff-2--1",
            "-2-1",
            "00102030405feff-2-1",
            "0000102030405feff-2-1",
            "+00102030405feff-2-1",
            "000102030405FEFF-2-1",
            "000102030405fegg-2-1",
            "000102030405feff-02-1",
            "000102030405feff-2-+1",
            "000102030405feff-2-18446744073709551616",
            " 000102030405feff-2-1",
            "000102030405feff-2-1\n",
        ] {
            assert_eq!(parse(text), Err(ParseAttemptIdError(())), "{text:?}");
        }
    }
}
