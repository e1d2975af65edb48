//! The options that there are: their names, what they look like, what sets them, and which exclude each other. A new
//! option is a row here, and one in the attribute's documentation.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Result;

use crate::statuses::statuses;
use crate::tokens;
use crate::value::{self, Limits};
use crate::written::Written;

pub(crate) const TTL: Limits = Limits {
    min: Duration::from_millis(1),
    max: Duration::from_secs(10 * 31_557_600),
    spoken: "1ms to 10years",
};

// A claim is renewed every third of its lease: shorter ones would lapse between two timer ticks.
const LEASE: Limits = Limits {
    min: Duration::from_millis(10),
    max: Duration::from_secs(24 * 3600),
    spoken: "10ms to 24h",
};

const AGE: Limits = Limits {
    min: Duration::ZERO,
    spoken: "0s to 10years",
    ..TTL
};

const WAIT: Limits = Limits {
    min: Duration::ZERO,
    max: Duration::from_secs(5 * 60),
    spoken: "0s to 5m",
};

/// An option of the attribute.
pub(crate) struct Known {
    name: &'static str,
    example: &'static str,
    pub(crate) sets: Sets,
}

/// What an option sets.
pub(crate) enum Sets {
    /// An option of the route, by that call, with what was written as its argument.
    Route(&'static str, fn(&Written) -> Result<TokenStream>),
    /// Where the generated code stands: `associated`.
    Associated,
    /// What the plain function is called: `inner`.
    Inner,
}

const fn route(
    name: &'static str,
    example: &'static str,
    call: &'static str,
    argument: fn(&Written) -> Result<TokenStream>,
) -> Known {
    Known {
        name,
        example,
        sets: Sets::Route(call, argument),
    }
}

/// Every option, in the order of the documentation.
const KNOWN: [Known; 29] = [
    route("ttl", r#"ttl = "24h""#, "ttl", |it| duration(it, &TTL)),
    route("lease", r#"lease = "30s""#, "lease", |it| {
        duration(it, &LEASE)
    }),
    route("required", "required", "required", switch),
    route(
        "key_header",
        r#"key_header = "webhook-id""#,
        "fixed_key_header",
        header,
    ),
    route("key", "key = event_id", "fixed_key", function),
    route("strict_keys", "strict_keys", "strict_keys", switch),
    route(
        "key_format",
        r#"key_format = "uuid""#,
        "fixed_key_format",
        key_format,
    ),
    route(
        "max_key_age",
        r#"max_key_age = "24h""#,
        "max_key_age",
        |it| duration(it, &AGE),
    ),
    route(
        "first_sent_header",
        r#"first_sent_header = "repeatability-first-sent""#,
        "fixed_first_sent_header",
        header,
    ),
    route("scope", "scope = tenant", "fixed_scope", function),
    route(
        "fingerprint",
        "fingerprint = payload",
        "fixed_fingerprint",
        fingerprint,
    ),
    route("vary", r#"vary = ["host"]"#, "fixed_vary", headers),
    route("wait", r#"wait = "5s""#, "wait", |it| duration(it, &WAIT)),
    route(
        "max_in_flight",
        "max_in_flight = 10",
        "max_in_flight",
        |it| Ok(tokens::number(value::count(it.value()?)?)),
    ),
    route(
        "transaction",
        r#"transaction = "serializable""#,
        "transaction",
        |it| {
            choice(
                it,
                "Isolation",
                &[("default", "Default"), ("serializable", "Serializable")],
            )
        },
    ),
    route(
        "transaction_runs",
        "transaction_runs = 3",
        "transaction_runs",
        |it| Ok(tokens::number(value::count(it.value()?)?)),
    ),
    route(
        "on_unknown",
        r#"on_unknown = "rerun""#,
        "on_unknown",
        |it| choice(it, "OnUnknown", &[("reject", "Reject"), ("rerun", "Rerun")]),
    ),
    route("recover", "recover = look_up", "fixed_recover", function),
    route(
        "on_store_failure",
        r#"on_store_failure = "run""#,
        "on_store_failure",
        |it| {
            choice(
                it,
                "OnStoreFailure",
                &[("reject", "Reject"), ("run", "Run")],
            )
        },
    ),
    route(
        "release_on",
        "release_on = [429, 500..=599]",
        "fixed_release_on",
        |it| Ok(tokens::ranges(&statuses(it.value()?)?)),
    ),
    route("max_body", r#"max_body = "2MiB""#, "max_body", size),
    route(
        "max_response",
        r#"max_response = "1MiB""#,
        "max_response",
        size,
    ),
    route("record", r#"record = "status""#, "record", |it| {
        choice(
            it,
            "KeptAnswer",
            &[("whole", "Whole"), ("status", "Status")],
        )
    }),
    route(
        "drop_headers",
        r#"drop_headers = ["x-request-id"]"#,
        "fixed_drop_headers",
        dropped,
    ),
    route(
        "keep_headers",
        r#"keep_headers = ["x-version"]"#,
        "fixed_keep_headers",
        headers,
    ),
    route("keep_cookies", "keep_cookies", "keep_cookies", switch),
    route(
        "on_replay",
        "on_replay = own_id",
        "fixed_on_replay",
        function,
    ),
    Known {
        name: "associated",
        example: "associated",
        sets: Sets::Associated,
    },
    Known {
        name: "inner",
        example: "inner = charge_unprotected",
        sets: Sets::Inner,
    },
];

fn duration(option: &Written, limits: &Limits) -> Result<TokenStream> {
    Ok(tokens::millis(value::duration(option.value()?, limits)?))
}

fn switch(option: &Written) -> Result<TokenStream> {
    Ok(option.switch()?.to_token_stream())
}

fn function(option: &Written) -> Result<TokenStream> {
    Ok(tokens::function(&value::path(option.value()?)?))
}

fn header(option: &Written) -> Result<TokenStream> {
    Ok(value::header(option.value()?)?.to_token_stream())
}

fn headers(option: &Written) -> Result<TokenStream> {
    Ok(tokens::texts(&value::headers(option.value()?)?))
}

/// Names of headers that replays can be without.
fn dropped(option: &Written) -> Result<TokenStream> {
    let names = value::headers(option.value()?)?;
    let is_needed = |name: &&String| matches!(&***name, "content-type" | "content-encoding");
    match names.iter().find(is_needed) {
        Some(name) => {
            let said = format!("expected no `{name}`: nobody could read the body without it");
            value::wrong(option.value()?, said)
        }
        None => Ok(tokens::texts(&names)),
    }
}

fn size(option: &Written) -> Result<TokenStream> {
    Ok(tokens::number(value::size(option.value()?)?))
}

fn choice(option: &Written, of: &str, choices: &[(&str, &'static str)]) -> Result<TokenStream> {
    Ok(tokens::variant(
        of,
        value::choice(option.value()?, choices)?,
    ))
}

/// What a key looks like: a word, or a function.
fn key_format(option: &Written) -> Result<TokenStream> {
    let value = option.value()?;
    let format = match value::text(value).as_deref() {
        Some("any") => quote!(any()),
        Some("uuid") => quote!(uuid()),
        Some("uuid7") => quote!(uuid7()),
        Some("ulid") => quote!(ulid()),
        _ => match value::path(value) {
            Ok(path) => {
                let function = tokens::function(&path);
                quote!(fixed(#function))
            }
            Err(_) => {
                let expected = "expected `\"any\"`, `\"uuid\"`, `\"uuid7\"`, `\"ulid\"` or the path of a function, such \
                                as `charges::is_key`";
                return value::wrong(value, expected);
            }
        },
    };
    Ok(quote_spanned!(Span::mixed_site()=> ::idempotency_actix::KeyFormat::#format))
}

/// What makes two requests the same: a word, or a function.
fn fingerprint(option: &Written) -> Result<TokenStream> {
    let value = option.value()?;
    let mode = match value::text(value).as_deref() {
        Some("bytes") => quote!(bytes()),
        Some("json") if cfg!(feature = "json") => quote!(json()),
        Some("multipart") if cfg!(feature = "multipart") => quote!(multipart()),
        Some(feature @ ("json" | "multipart")) => {
            let expected = format!(
                "expected the feature `{feature}` of `idempotency-actix` with this: \
                 add `features = [\"{feature}\"]` to the dependency"
            );
            return value::wrong(value, expected);
        }
        _ => match value::path(value) {
            Ok(path) => {
                let function = tokens::function(&path);
                quote!(fixed(#function))
            }
            Err(_) => {
                let expected = "expected `\"bytes\"`, `\"json\"`, `\"multipart\"` or the path of a \
                                function, such as `charges::payload`";
                return value::wrong(value, expected);
            }
        },
    };
    Ok(quote_spanned!(Span::mixed_site()=> ::idempotency_actix::Fingerprinting::#mode))
}

const RIVALS: [(&str, &str); 2] = [("on_unknown", "recover"), ("drop_headers", "keep_headers")];

/// All the names, as a message lists them.
pub(crate) fn names() -> String {
    KNOWN.map(|known| format!("`{}`", known.name)).join(", ")
}

/// The option of that name.
pub(crate) fn find(name: &str) -> Option<&'static Known> {
    const { &KNOWN }.iter().find(|known| known.name == name)
}

/// An example of the option's use.
pub(crate) fn example(option: &str) -> Option<&'static str> {
    find(option).map(|known| known.example)
}

/// The option that answers the same question.
pub(crate) fn rival(option: &str) -> Option<&'static str> {
    RIVALS.iter().find_map(|pair| match *pair {
        (one, other) | (other, one) if one == option => Some(other),
        _ => None,
    })
}

/// The option that was meant by a word that is none.
pub(crate) fn nearest(word: &str) -> Option<&'static str> {
    let by_distance = KNOWN
        .iter()
        .map(|known| (distance(word, known.name), known.name));
    let (distance, name) = by_distance.min()?;
    (distance <= 2).then_some(name)
}

/// How many letters must be added, removed or replaced to turn one word into the other.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.chars().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[row.len() - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documentation_has_one_row_for_each_option() {
        let (_, options) = include_str!("lib.rs")
            .split_once("/// # Options")
            .expect("a section for the options");
        let (table, _) = options.split_once("/// # ").expect("a section after it");
        let rows = table
            .lines()
            .filter_map(|line| line.strip_prefix("/// | `"));
        let documented: Vec<_> = rows
            .filter_map(|row| row.split([' ', '`']).next())
            .collect();
        assert_eq!(documented, KNOWN.map(|known| known.name));
    }

    #[test]
    fn rivals_exclude_each_other() {
        for (one, other) in RIVALS {
            assert_eq!((rival(one), rival(other)), (Some(other), Some(one)));
        }
        assert_eq!(rival("ttl"), None);
    }

    #[test]
    fn distance_counts_letters() {
        assert_eq!(distance("lease", "lease"), 0);
        assert_eq!(distance("leese", "lease"), 1);
        assert_eq!(distance("", "ttl"), 3);
        assert_eq!(distance("requires", "required"), 1);
    }
}
