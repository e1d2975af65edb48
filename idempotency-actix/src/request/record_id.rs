//! The name of an operation's record. Frozen: it knows no version and no option.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use actix_web::http::Method;

use super::caller::Caller;
use super::digest::{digest_for, hexadecimal};
use super::path::spelled;
use crate::telemetry::RecordHash;

/// The name under which a store keeps the record of one operation.
///
/// It is a digest of caller, method, path and key, each framed by its length: the store and its
/// operators never see a key, a credential or a path. The derivation never changes, since a changed
/// one would forget every record and run every retry again; versions live in the stored value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId([u8; 32]);

impl RecordId {
    /// Names the record of an operation, for an operator who knows its caller, method, path (as the
    /// server sees it, without the query) and decoded key (without quotes).
    pub fn of(caller: &Caller, method: &Method, path: &str, key: &str) -> Self {
        let (method, path) = (method.as_str(), spelled(path));
        let [method, path, key] = [method, &path, key].map(str::as_bytes);
        let fields = [caller.as_bytes(), method, path, key];
        Self(digest_for(b"idempotency-actix record 1      ", &fields))
    }

    /// Names the claim under which this record's outcome is found out.
    pub(crate) fn of_recovery(&self) -> Self {
        Self(digest_for(b"idempotency-actix recovery 1    ", &[&self.0]))
    }

    /// Rebuilds an id from its octets, for stores that keep it inside the value.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// All hexadecimal digits, as [`Display`](fmt::Display) writes them.
    pub(crate) fn digits(&self) -> [u8; 64] {
        let mut digits = [0; 64];
        hexadecimal(&self.0, &mut digits);
        digits
    }

    /// The short hash that logs have of it.
    pub fn hash(&self) -> RecordHash {
        let [a, b, c, d, ..] = self.0;
        RecordHash::new([a, b, c, d])
    }

    /// The id's 32 octets.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Takes the text that [`Display`](fmt::Display) writes, and no other.
impl FromStr for RecordId {
    type Err = ParseRecordIdError;

    fn from_str(text: &str) -> Result<Self, ParseRecordIdError> {
        let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() != 64 || !text.bytes().all(is_digit) {
            return Err(ParseRecordIdError(()));
        }
        let mut id = [0; 32];
        for (at, octet) in id.iter_mut().enumerate() {
            let digits = &text[2 * at..2 * at + 2];
            *octet = u8::from_str_radix(digits, 16).map_err(|_| ParseRecordIdError(()))?;
        }
        Ok(Self(id))
    }
}

/// Why a text is no [`RecordId`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseRecordIdError(());

impl fmt::Display for ParseRecordIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record's id is 64 hexadecimal digits in lower case")
    }
}

impl Error for ParseRecordIdError {}

/// All 64 hexadecimal digits.
impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.digits()).expect("hexadecimal digits are ASCII"))
    }
}

/// The first eight hexadecimal digits.
impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordId({})", self.hash())
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    use super::*;
    use crate::KeyScope;

    fn id(scope: &KeyScope, method: &str, path: &str, key: &str) -> RecordId {
        let request = TestRequest::default()
            .append_header(("x-api-key", "one"))
            .append_header(("x-api-key", "two"))
            .to_http_request();
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let scope = scope.of(&request).expect("a caller");
        RecordId::of(&scope, &method, path, key)
    }

    fn principal(name: &str) -> KeyScope {
        let name = name.to_owned();
        KeyScope::by(move |_| Some(name.clone()))
    }

    fn operation() -> impl Strategy<Value = (String, String, String, String)> {
        ("[ab]{1,2}", "(POST|PUT)", "/[ab/]{0,2}", "[ab/]{1,2}")
    }

    fn of((scope, method, path, key): &(String, String, String, String)) -> RecordId {
        id(&principal(scope), method, path, key)
    }

    proptest! {
        #[test]
        fn two_operations_have_one_id_only_if_they_are_the_same(
            one in operation(),
            other in operation(),
        ) {
            prop_assert_eq!(of(&one) == of(&other), one == other);
        }

        #[test]
        fn no_principal_is_everyone_or_a_header(name in ".{1,40}") {
            let id_of = |scope| id(&scope, "POST", "/", "k");
            prop_assert_ne!(id_of(principal(&name)), id_of(KeyScope::everyone()));
            prop_assert_ne!(id_of(principal(&name)), id_of(KeyScope::header("x-api-key")));
        }
    }

    #[test]
    fn an_id_is_read_as_it_was_written_and_from_no_other_text() {
        let id = RecordId([0xaf; 32]);
        assert_eq!(id.to_string().parse(), Ok(id));
        let digits = "0".repeat(64);
        for text in [
            "",
            &digits[1..],
            &digits.replace("00", "+0"),
            &"A0".repeat(32),
        ] {
            assert_eq!(
                text.parse::<RecordId>(),
                Err(ParseRecordIdError(())),
                "{text:?}"
            );
        }
    }

    /// Frozen: another derivation would forget every record, and run every retry again.
    #[test]
    fn the_derivation_never_changes() {
        let id = |scope: KeyScope| id(&scope, "POST", "/charges/1", "8e03978e-40d5").to_string();
        assert_eq!(
            id(KeyScope::everyone()),
            "81dd00422ff31cabdf76e66f7546e68da8d377506c11afaa23a44e9802fe6296"
        );
        assert_eq!(
            id(principal("ada")),
            "5f145e42f6393cece1ccc10235141ba7e64886026329c1d6f72895eaa8c309ad"
        );
        assert_eq!(
            id(KeyScope::header("x-api-key")),
            "d14c203a63e0288cefe08d63427f6fe4ebb69c0b61ffa336c83bf6418b6068e6"
        );
    }
}
