//! Parses the value of the key's header: what is a key, and why something is none. It does not know where a route looks
//! for it.

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;

use actix_web::http::header::{HeaderMap, HeaderName};
use sfv::visitor::{Ignored, parameter_visitor_with};
use sfv::{BareItemFromInput, Parser};

use super::digest::short;

/// The most characters that a key may have: 255, as Stripe allows.
pub(crate) const MAX_KEY: usize = 255;

/// The client's name for one operation, decoded: 1 to 255 characters %x20-7E.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key(Box<str>);

impl Key {
    /// Reads the key from a request's headers; `None` if the header is not there.
    pub(crate) fn from_headers(
        headers: &HeaderMap,
        name: &HeaderName,
        strict: bool,
    ) -> Option<Result<Self, InvalidKey>> {
        let mut lines = headers.get_all(name);
        let line = lines.next()?;
        if lines.next().is_some() {
            return Some(Err(InvalidKey::Repeated));
        }
        Some(Self::parse(line.as_bytes(), strict))
    }

    /// Parses one header value: a String of RFC 9651, or a bare value unless `strict`.
    pub(crate) fn parse(line: &[u8], strict: bool) -> Result<Self, InvalidKey> {
        let line = line.trim_ascii();
        let value = match line.first() {
            None => return Err(InvalidKey::Empty),
            Some(b'"') => quoted(line)?,
            Some(_) if strict => return Err(InvalidKey::NotAString),
            // Its characters have been looked at.
            Some(_) => return Self::of_length(bare(line)?),
        };
        Self::new(&value)
    }

    /// Takes a decoded value for a key: 1 to 255 characters %x20-7E.
    pub(crate) fn new(value: &str) -> Result<Self, InvalidKey> {
        let is_printable = |all, octet| all & (0x20..0x7f).contains(&octet);
        let key = Self::of_length(value)?;
        match value.bytes().fold(true, is_printable) {
            true => Ok(key),
            false => Err(InvalidKey::Malformed),
        }
    }

    fn of_length(value: &str) -> Result<Self, InvalidKey> {
        match value.len() {
            0 => Err(InvalidKey::Empty),
            1..=MAX_KEY => Ok(Self(value.into())),
            _ => Err(InvalidKey::TooLong),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn quoted(line: &[u8]) -> Result<String, InvalidKey> {
    let string = |item: BareItemFromInput<'_>| {
        let value = match item {
            BareItemFromInput::String(value) => value.as_str().to_owned(),
            _ => String::new(),
        };
        Ok::<_, Infallible>(parameter_visitor_with(Ignored, move |_| Ok(value)))
    };
    let parsed = Parser::new(line).parse_item_with_visitor(string);
    parsed.map_err(|_| InvalidKey::Malformed)
}

fn bare(line: &[u8]) -> Result<&str, InvalidKey> {
    let is_plain = |b: &u8| b.is_ascii_graphic() && !matches!(b, b'"' | b';' | b',');
    // Each octet, whatever came before: so many are looked at at once.
    match line.iter().fold(true, |all, octet| all & is_plain(octet)) {
        true => std::str::from_utf8(line).map_err(|_| InvalidKey::Malformed),
        false if line.contains(&b',') => Err(InvalidKey::List),
        false => Err(InvalidKey::Malformed),
    }
}

/// Why a header value is no key; the text is the answer's `detail`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidKey {
    /// No character.
    Empty,
    /// More than 255.
    TooLong,
    /// More than one line.
    Repeated,
    /// More than one key in a line.
    List,
    /// A bare value where only Strings are keys.
    NotAString,
    /// Neither a String nor a bare value.
    Malformed,
    /// No UUID where the route asks for one.
    NotAUuid,
    /// No UUID of version 7.
    NotAUuid7,
    /// No ULID.
    NotAUlid,
    /// Made later than now.
    Ahead,
    /// What a function of the application says.
    OtherForm(Cow<'static, str>),
}

impl InvalidKey {
    pub(crate) fn detail(&self) -> &str {
        match self {
            Self::Empty => "The key is empty.",
            Self::TooLong => "The key is longer than 255 characters.",
            Self::Repeated => "The header is there more than once.",
            Self::List => "The header holds a list; it takes one key.",
            Self::NotAString => {
                "The key must be a quoted String of RFC 9651, such as \"8e03978e-40d5-43dd\"."
            }
            Self::Malformed => {
                "The key must be a quoted String of RFC 9651, or visible ASCII characters \
                 without quote, comma, semicolon and space."
            }
            Self::NotAUuid => "The key must be a UUID with hyphens.",
            Self::NotAUuid7 => "The key must be a UUID of version 7 with hyphens.",
            Self::NotAUlid => "The key must be a ULID of 26 characters.",
            Self::Ahead => "The key's time is more than 5 minutes ahead of the server's clock.",
            Self::OtherForm(reason) => reason,
        }
    }
}

/// Shows a short hash: the key itself is not for logs.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = blake3::hash(self.0.as_bytes());
        write!(f, "IdempotencyKey({})", short(digest.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(line: &str) -> Result<String, InvalidKey> {
        Key::parse(line.as_bytes(), false).map(|key| key.as_str().to_owned())
    }

    #[test]
    fn both_forms_of_one_value_are_one_key() {
        assert_eq!(parse("\"k\""), Ok("k".into()));
        assert_eq!(parse("k"), Ok("k".into()));
        assert_eq!(parse(r#" "a \"b\" \\";p=1 "#), Ok(r#"a "b" \"#.into()));
        assert_eq!(parse("1234"), Ok("1234".into()));
    }

    #[test]
    fn malformed_forms_are_told_apart() {
        assert_eq!(parse(""), Err(InvalidKey::Empty));
        assert_eq!(parse("\"\""), Err(InvalidKey::Empty));
        assert_eq!(parse(&"k".repeat(256)), Err(InvalidKey::TooLong));
        assert_eq!(parse("a, b"), Err(InvalidKey::List));
        for line in [
            "a b",
            "\"a",
            "a;b",
            "a\"b",
            "\"a\", \"b\"",
            "\"a\" b",
            "k\u{e9}",
        ] {
            assert_eq!(parse(line), Err(InvalidKey::Malformed), "{line}");
        }
        assert_eq!(Key::parse(b"bare", true), Err(InvalidKey::NotAString));
    }

    /// As an RFC 9651 String.
    fn encode(value: &str) -> String {
        format!("\"{}\"", value.replace('\\', r"\\").replace('"', "\\\""))
    }

    proptest! {
        #[test]
        fn every_value_is_read_back_from_a_string(value in "[ -~]{1,255}") {
            prop_assert_eq!(parse(&encode(&value)), Ok(value));
        }

        #[test]
        fn every_bare_value_is_the_key_of_its_string(value in r#"[!-~&&[^",;]]{1,255}"#) {
            prop_assert_eq!(parse(&value), Ok(value.clone()));
            prop_assert_eq!(parse(&encode(&value)), Ok(value));
        }

        #[test]
        fn parameters_never_change_a_key(
            value in "[ -~]{1,255}",
            name in "[a-z*][a-z0-9_.*-]{0,8}",
            number in 0..1_000_000_i64,
        ) {
            let line = format!("{}; {name}={number};flag", encode(&value));
            prop_assert_eq!(parse(&line), Ok(value));
        }

        #[test]
        fn no_octets_make_an_impossible_key(
            line in proptest::collection::vec(any::<u8>(), 0..300),
            strict: bool,
        ) {
            if let Ok(key) = Key::parse(&line, strict) {
                prop_assert!((1..=MAX_KEY).contains(&key.as_str().len()));
                prop_assert!(key.as_str().bytes().all(|b| (0x20..0x7f).contains(&b)));
            }
        }

        #[test]
        fn no_string_makes_an_impossible_key(inside in r#"[ -~\t\x80\u{e9}]{0,300}"#) {
            if let Ok(key) = parse(&format!("\"{inside}\"")) {
                prop_assert!((1..=MAX_KEY).contains(&key.len()));
                prop_assert!(key.bytes().all(|b| (0x20..0x7f).contains(&b)));
            }
        }
    }
}
