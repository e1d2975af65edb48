//! The options of a layer as a file or the environment has them. What they mean, and whether they hold, is not known here.

use std::fmt;
use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use bytesize::ByteSize;
use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::choices::{KeptAnswer, OnDrain, OnStoreFailure, OnUnknown};
use super::fingerprinting::Fingerprinting;
use super::key_format::KeyFormat;
use crate::store::transactions::Isolation;

/// Options of a layer, read from a file or the environment; what is not there is as the builder has it.
///
/// Names, meaning, defaults and limits are those of the [builder](crate::IdempotencyBuilder). Durations are texts such as
/// `"24h"` or `"1m 30s"`, sizes are texts such as `"2 MiB"` or a number of octets, choices are words such as `"reject"`, and
/// `release_on` has codes and ranges: `[429, "500..=599"]`. What takes a function, and the scope, belongs into the program.
///
/// # Errors
///
/// A name that is no option, and a value that cannot be read, fail where the file is read. What cannot hold is refused by
/// [`build`](crate::IdempotencyBuilder::build), as ever.
///
/// # Examples
///
/// ```
/// use idempotency_actix::{Idempotency, KeyScope, LayerOptions, MemoryStore};
///
/// let written = r#"{"ttl": "48h", "required": true, "max_body": "64 KiB", "release_on": [429, "500..=599"]}"#;
/// let options: LayerOptions = serde_json::from_str(written)?;
/// let idempotency = Idempotency::builder(MemoryStore::new(), KeyScope::header("x-api-key"))
///     .options(options)
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LayerOptions {
    pub(crate) ttl: Option<Time>,
    pub(crate) lease: Option<Time>,
    pub(crate) max_run: Option<Time>,
    pub(crate) store_timeout: Option<Time>,
    pub(crate) required: Option<bool>,
    pub(crate) key_header: Option<String>,
    pub(crate) strict_keys: Option<bool>,
    pub(crate) key_format: Option<KeyFormat>,
    pub(crate) max_key_age: Option<Time>,
    pub(crate) first_sent_header: Option<String>,
    pub(crate) window_header: Option<String>,
    pub(crate) fingerprint: Option<Fingerprinting>,
    pub(crate) vary: Option<Vec<String>>,
    pub(crate) wait: Option<Time>,
    pub(crate) max_waiters: Option<usize>,
    pub(crate) max_waiters_per_key: Option<usize>,
    pub(crate) max_in_flight: Option<usize>,
    pub(crate) transaction: Option<Isolation>,
    pub(crate) transaction_runs: Option<usize>,
    pub(crate) on_unknown: Option<OnUnknown>,
    pub(crate) on_store_failure: Option<OnStoreFailure>,
    pub(crate) on_drain: Option<OnDrain>,
    pub(crate) release_on: Option<Vec<Statuses>>,
    pub(crate) max_body: Option<Size>,
    pub(crate) max_response: Option<Size>,
    pub(crate) stream_budget: Option<Size>,
    pub(crate) record: Option<KeptAnswer>,
    pub(crate) drop_headers: Option<Vec<String>>,
    pub(crate) keep_headers: Option<Vec<String>>,
    pub(crate) keep_cookies: Option<bool>,
    pub(crate) problem_base: Option<String>,
    pub(crate) all_routes: Option<bool>,
    pub(crate) methods: Option<Vec<CoveredMethod>>,
}

/// A length of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Time(pub(crate) Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text).map(Self).map_err(|cause| {
            let expected = "expected a time such as \"24h\" or \"1m 30s\"";
            de::Error::custom(format!("{expected}, found {text:?}: {cause}"))
        })
    }
}

/// A number of octets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Size(pub(crate) usize);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ByteSize(octets) = ByteSize::deserialize(deserializer)?;
        usize::try_from(octets).map(Self).map_err(de::Error::custom)
    }
}

/// A method by its name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CoveredMethod(pub(crate) Method);

impl<'de> Deserialize<'de> for CoveredMethod {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let method = name.to_ascii_uppercase().parse().map_err(de::Error::custom);
        method.map(Self)
    }
}

/// A code, or a range of codes with both its ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Statuses {
    first: u16,
    last: u16,
}

impl Statuses {
    pub(crate) fn codes(self) -> impl Iterator<Item = StatusCode> {
        (self.first..=self.last).filter_map(|code| StatusCode::from_u16(code).ok())
    }

    fn new(first: u16, last: u16) -> Option<Self> {
        let are_codes = [first, last].iter().all(|code| (100..1000).contains(code));
        (are_codes && first <= last).then_some(Self { first, last })
    }
}

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl Visitor<'_> for Written {
            type Value = Statuses;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a status code such as 429, or a range such as \"500..=599\"")
            }

            fn visit_u64<E: de::Error>(self, code: u64) -> Result<Statuses, E> {
                let parsed = u16::try_from(code).ok();
                let statuses = parsed.and_then(|code| Statuses::new(code, code));
                statuses.ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(code), &self))
            }

            fn visit_i64<E: de::Error>(self, code: i64) -> Result<Statuses, E> {
                match u64::try_from(code) {
                    Ok(code) => self.visit_u64(code),
                    Err(_) => Err(E::invalid_value(de::Unexpected::Signed(code), &self)),
                }
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Statuses, E> {
                let (first, last) = text.split_once("..=").unwrap_or((text, text));
                let parsed = first.trim().parse().ok().zip(last.trim().parse().ok());
                let statuses = parsed.and_then(|(first, last)| Statuses::new(first, last));
                statuses.ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_any(Written)
    }
}

/// One of a few words.
fn word<T: Clone, E: de::Error>(text: &str, words: &[(&str, T)]) -> Result<T, E> {
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, value)| value.clone()).ok_or_else(|| {
        let known: Vec<_> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
        E::custom(format!(
            "expected one of {}, found {text:?}",
            known.join(", ")
        ))
    })
}

impl<'de> Deserialize<'de> for KeyFormat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let words = [
            ("any", Self::any()),
            ("uuid", Self::uuid()),
            ("uuid7", Self::uuid7()),
            ("ulid", Self::ulid()),
        ];
        word(&text, &words)
    }
}

impl<'de> Deserialize<'de> for Fingerprinting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let needs_feature = (text == "json" && cfg!(not(feature = "json")))
            || (text == "multipart" && cfg!(not(feature = "multipart")));
        if needs_feature {
            let advice =
                format!("fingerprint {text:?} needs the feature `{text}` of idempotency-actix");
            return Err(de::Error::custom(advice));
        }
        let words = [
            ("bytes", Self::bytes()),
            #[cfg(feature = "json")]
            ("json", Self::json()),
            #[cfg(feature = "multipart")]
            ("multipart", Self::multipart()),
        ];
        word(&text, &words)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    fn read(options: Value) -> Result<LayerOptions, String> {
        from_value(options).map_err(|error| error.to_string())
    }

    #[test]
    fn every_option_that_takes_no_function_can_be_written() {
        let of_the_program = [
            "scope",
            "key",
            "recover",
            "on_replay",
            "skip",
            "route",
            "clock",
            "on_outcome",
            "problem_response",
        ];
        let rows = include_str!("options.md")
            .lines()
            .filter_map(|row| row.strip_prefix("| `"));
        for option in rows.filter_map(|row| row.split('`').next()) {
            let is_known = read(json!({ option: null })).is_ok();
            assert_eq!(is_known, !of_the_program.contains(&option), "{option}");
        }
    }

    #[test]
    fn what_cannot_be_read_says_what_is_expected() {
        for (options, expected) in [
            (
                json!({ "tll": "24h" }),
                "unknown field `tll`, expected one of `ttl`",
            ),
            (
                json!({ "ttl": "24" }),
                "expected a time such as \"24h\" or \"1m 30s\", found \"24\"",
            ),
            (json!({ "ttl": 24 }), "expected a string"),
            (json!({ "max_body": "2 MuB" }), "2 MuB"),
            (
                json!({ "key_format": "guid" }),
                "expected one of \"any\", \"uuid\", \"uuid7\", \"ulid\", found \"guid\"",
            ),
            (
                json!({ "on_unknown": "run" }),
                "expected `reject` or `rerun`",
            ),
            (
                json!({ "release_on": [42] }),
                "a status code such as 429, or a range such as \"500..=599\"",
            ),
            (json!({ "release_on": [-1] }), "a status code such as 429"),
            (
                json!({ "release_on": ["599..=500"] }),
                "a status code such as 429",
            ),
            (
                json!({ "release_on": ["busy"] }),
                "a status code such as 429",
            ),
            (json!({ "methods": ["PO ST"] }), "invalid HTTP method"),
        ] {
            let error = read(options.clone()).expect_err("what cannot be read");
            assert!(error.contains(expected), "{options}: {error}");
        }
    }

    #[test]
    fn a_range_has_both_its_ends() {
        let written = read(json!({ "release_on": [429, "503", "500..=501"] })).expect("options");
        let codes = written
            .release_on
            .expect("codes")
            .into_iter()
            .flat_map(Statuses::codes);
        let codes: Vec<_> = codes.map(|code| code.as_u16()).collect();
        assert_eq!(codes, [429, 503, 500, 501]);
    }
}
