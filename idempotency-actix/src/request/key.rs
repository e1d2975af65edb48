use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest};
use sfv::visitor::{Ignored, parameter_visitor_with};
use sfv::{BareItemFromInput, Parser};

use crate::answer::problem;
use crate::request::fingerprint::{digest, short};
use crate::request::record_id::RecordId;
use crate::run::context::Ticket;

/// The most characters that a key may have: 255, as Stripe allows.
pub(crate) const MAX_KEY: usize = 255;

/// The client's name for one operation, decoded from the key header.
///
/// It has 1 to 255 characters from %x20-7E. On the wire it is a String of RFC 9651 (`"k"`; escapes are
/// decoded, parameters ignored), as draft-ietf-httpapi-idempotency-key-header asks for, or a bare
/// value without quote, comma, semicolon or space, as nearly all deployed clients send it. Both forms
/// of one value are one key.
///
/// A handler takes it as an argument, or `Option<IdempotencyKey>` where the header is optional.
/// `Debug` shows a short hash of the key, never the key.
///
/// # Errors
///
/// Extraction answers 400 `missing-key` if the request has no key, and 500 outside of a handler that
/// the layer covers.
///
/// # Examples
///
/// Handing the retry's safety on, to a processor that has idempotency keys of its own:
///
/// ```
/// use actix_web::{HttpResponse, Responder};
/// use idempotency_actix::{IdempotencyKey, idempotent};
///
/// #[idempotent]
/// async fn charge(key: IdempotencyKey) -> impl Responder {
///     let downstream = key.derive("processor"); // the same at every retry
///     HttpResponse::Created().body(downstream)
/// }
/// ```
#[derive(Clone)]
pub struct IdempotencyKey(Arc<Ticket>);

impl IdempotencyKey {
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
            Some(b'"') => Cow::Owned(quoted(line)?),
            Some(_) if strict => return Err(InvalidKey::NotAString),
            Some(_) => Cow::Borrowed(bare(line)?),
        };
        Self::new(&value)
    }

    /// Takes a decoded value for a key: 1 to 255 characters %x20-7E.
    pub(crate) fn new(value: &str) -> Result<Self, InvalidKey> {
        match value.len() {
            0 => Err(InvalidKey::Empty),
            1..=MAX_KEY
                if value
                    .bytes()
                    .fold(true, |all, b| all & (0x20..0x7f).contains(&b)) =>
            {
                Ok(Self(Arc::new(Ticket::new(value))))
            }
            1..=MAX_KEY => Err(InvalidKey::Malformed),
            _ => Err(InvalidKey::TooLong),
        }
    }

    /// The decoded key.
    pub fn as_str(&self) -> &str {
        self.0.key()
    }

    /// Derives a key for a downstream service, the same one at every run of this operation.
    ///
    /// The result hashes caller, method, path, key and `label` into the form of a UUID (version 8 of
    /// RFC 9562, 36 characters), which the services that take idempotency keys accept. One label per
    /// downstream effect. The derivation never changes between versions of this crate, so that a
    /// retry after an upgrade still meets the processor's record of the first try.
    ///
    /// # Panics
    ///
    /// Inside an extractor, since the caller is known only once the arguments have been extracted.
    /// The layer answers such a request with 500, and claims nothing.
    pub fn derive(&self, label: &str) -> String {
        let record = self.0.record();
        let record = record.expect("`derive` is called in the handler, when the caller is known");
        derived(record, label)
    }

    pub(crate) fn of(ticket: &Arc<Ticket>) -> Self {
        Self(Arc::clone(ticket))
    }

    pub(crate) fn ticket(&self) -> &Arc<Ticket> {
        &self.0
    }

    pub(crate) fn into_ticket(self) -> Arc<Ticket> {
        self.0
    }
}

fn derived(record: &RecordId, label: &str) -> String {
    as_uuid(&digest(&[
        b"idempotency-actix derived key 1",
        record.as_bytes(),
        label.as_bytes(),
    ]))
}

/// A custom UUID of RFC 9562, section 5.8.
fn as_uuid(digest: &[u8; 32]) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut uuid = String::with_capacity(36);
    for (i, byte) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            uuid.push('-');
        }
        uuid.push_str(&format!("{byte:02x}"));
    }
    uuid
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InvalidKey {
    Empty,
    TooLong,
    Repeated,
    List,
    NotAString,
    Malformed,
}

impl InvalidKey {
    pub(crate) fn detail(self) -> &'static str {
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
        }
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = blake3::hash(self.as_str().as_bytes());
        write!(f, "IdempotencyKey({})", short(digest.as_bytes()))
    }
}

/// Two keys are equal if their decoded values are.
impl PartialEq for IdempotencyKey {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for IdempotencyKey {}

impl FromRequest for IdempotencyKey {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let extensions = request.extensions();
        ready(match extensions.get::<Self>() {
            Some(key) => Ok(key.clone()),
            None => Err(problem::no_key("IdempotencyKey", &extensions, request)),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(line: &str) -> Result<String, InvalidKey> {
        IdempotencyKey::parse(line.as_bytes(), false).map(|key| key.as_str().to_owned())
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
        assert_eq!(
            IdempotencyKey::parse(b"bare", true),
            Err(InvalidKey::NotAString)
        );
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
            if let Ok(key) = IdempotencyKey::parse(&line, strict) {
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

    /// Frozen: a processor's record of the first try is found by this value after an upgrade.
    #[test]
    fn the_derivation_of_downstream_keys_never_changes() {
        let of = |label| derived(&RecordId::from_bytes([7; 32]), label);
        assert_eq!(of("processor"), "dffc02f7-4e4f-8286-b799-464691f88083");
        assert_eq!(of(""), "d3fa84ab-53e1-8c4d-a310-abacfddbcb70");
    }
}
