//! The value of one option: what stands behind its `=`, read while the application is compiled.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use proc_macro2::Ident;
use quote::ToTokens;
use syn::{Error, Expr, ExprLit, ExprPath, Lit, LitInt, Result};

use crate::mistakes::Mistakes;

/// The durations that an option accepts, both ends included.
pub(crate) struct Limits {
    pub(crate) min: Duration,
    pub(crate) max: Duration,
    pub(crate) spoken: &'static str,
}

/// A duration such as `"24h"`, in milliseconds.
pub(crate) fn duration(value: &Expr, limits: &Limits) -> Result<u64> {
    let Some(Lit::Str(text)) = literal(value) else {
        return wrong(value, r#"expected a duration in quotes, such as "24h""#);
    };
    let duration = humantime::parse_duration(&text.value()).map_err(|cause| {
        let said = format!(r#"expected a duration such as "24h" or "1h 30m": {cause}"#);
        Error::new(text.span(), said)
    })?;
    if duration < limits.min || duration > limits.max {
        return wrong(value, format!("expected a duration of {}", limits.spoken));
    }
    if duration.subsec_nanos() % 1_000_000 != 0 {
        return wrong(value, "expected a whole number of milliseconds");
    }
    u64::try_from(duration.as_millis())
        .map_err(|_| Error::new(text.span(), "this duration is too long"))
}

/// A size such as `"2MiB"` or `2097152`, in bytes.
pub(crate) fn size(value: &Expr) -> Result<u64> {
    let expected = r#"expected a size in quotes, such as "2MiB", or a number of bytes"#;
    let bytes = match text(value) {
        Some(text) => text.parse().ok().map(|size: ByteSize| size.as_u64()),
        None => number(value),
    };
    let Some(bytes) = bytes else {
        return wrong(value, expected);
    };
    if bytes == 0 {
        return wrong(value, "expected a size of at least one byte");
    }
    Ok(bytes)
}

pub(crate) fn switch(value: &Expr) -> Result<bool> {
    match literal(value) {
        Some(Lit::Bool(switch)) => Ok(switch.value),
        _ => wrong(value, "expected `true` or `false`"),
    }
}

/// One of a few words in quotes, as the variant that it stands for.
pub(crate) fn choice(value: &Expr, choices: &[(&str, &'static str)]) -> Result<&'static str> {
    let written = text(value);
    let chosen = choices
        .iter()
        .find(|(word, _)| Some(*word) == written.as_deref());
    chosen.map(|(_, variant)| *variant).ok_or_else(|| {
        let words = choices.iter().map(|(word, _)| format!("`\"{word}\"`"));
        let expected = format!("expected {}", words.collect::<Vec<_>>().join(" or "));
        Error::new_spanned(value, expected)
    })
}

/// A whole number from 1.
pub(crate) fn count(value: &Expr) -> Result<u64> {
    match number(value) {
        Some(0) | None => wrong(value, "expected a whole number from 1, such as `10`"),
        Some(count) => Ok(count),
    }
}

/// The name of a header, a token of RFC 9110, in lower case.
pub(crate) fn header(value: &Expr) -> Result<String> {
    let expected = r#"expected the name of a header in quotes, such as "webhook-id""#;
    let Some(name) = text(value).filter(|name| !name.is_empty()) else {
        return wrong(value, expected);
    };
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    match name.chars().find(|c| !is_allowed(*c)) {
        Some(odd) => wrong(value, format!("{expected}: {odd:?} cannot be part of one")),
        None => Ok(name.to_ascii_lowercase()),
    }
}

/// A list of names of headers, such as `["host"]`.
pub(crate) fn headers(value: &Expr) -> Result<Vec<String>> {
    let Expr::Array(list) = bare(value) else {
        return wrong(
            value,
            r#"expected a list of header names, such as ["host"]"#,
        );
    };
    let mut mistakes = Mistakes::default();
    let names = list.elems.iter();
    let names = names
        .filter_map(|name| mistakes.note(header(name)))
        .collect();
    mistakes.into_result(names)
}

/// The path of a function that is there.
pub(crate) fn path(value: &Expr) -> Result<ExprPath> {
    if let Expr::Path(path) = bare(value)
        && path.attrs.is_empty()
        && !path.path.get_ident().is_some_and(is_reserved)
    {
        return Ok(path.clone());
    }
    let quoted = text(value).filter(|text| syn::parse_str::<ExprPath>(text).is_ok());
    let expected = match quoted {
        Some(path) => format!("expected a path without quotes: `{path}`"),
        None => "expected the path of a function, such as `charges::look_up`".into(),
    };
    wrong(value, expected)
}

/// The name of a function: one identifier that is free to be declared.
pub(crate) fn name(value: &Expr) -> Result<Ident> {
    let name = path(value).ok();
    match name.as_ref().and_then(|name| name.path.get_ident()) {
        Some(name) => Ok(name.clone()),
        None => wrong(
            value,
            "expected a name for the function, such as `charge_unprotected`",
        ),
    }
}

fn is_reserved(name: &Ident) -> bool {
    let reserved = ["self", "Self", "super", "crate"];
    reserved.iter().any(|word| name == word)
}

/// The content of a text in quotes.
pub(crate) fn text(value: &Expr) -> Option<String> {
    match literal(value) {
        Some(Lit::Str(text)) => Some(text.value()),
        _ => None,
    }
}

pub(crate) fn number<N: FromStr<Err: Display>>(value: &Expr) -> Option<N> {
    match literal(value) {
        Some(Lit::Int(number)) if number.suffix().is_empty() => LitInt::base10_parse(number).ok(),
        _ => None,
    }
}

fn literal(value: &Expr) -> Option<&Lit> {
    match bare(value) {
        Expr::Lit(ExprLit { attrs, lit }) if attrs.is_empty() => Some(lit),
        _ => None,
    }
}

/// Looks through the invisible group that a `macro_rules!` fragment is wrapped in.
pub(crate) fn bare(mut value: &Expr) -> &Expr {
    while let Expr::Group(group) = value {
        value = &group.expr;
    }
    value
}

pub(crate) fn wrong<T>(tokens: impl ToTokens, expected: impl Display) -> Result<T> {
    Err(Error::new_spanned(tokens, expected))
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    const LIMITS: Limits = Limits {
        min: Duration::from_millis(10),
        max: Duration::from_secs(60),
        spoken: "10ms to 60s",
    };

    fn message<T: std::fmt::Debug>(result: Result<T>) -> String {
        result.expect_err("a mistake").to_string()
    }

    #[test]
    fn duration_is_read_in_milliseconds_within_its_limits() {
        assert_eq!(
            duration(&parse_quote!("10ms"), &LIMITS).expect("a value"),
            10
        );
        assert_eq!(
            duration(&parse_quote!("1m"), &LIMITS).expect("a value"),
            60_000
        );
        for outside in ["9ms", "61s", "0s"] {
            let said = message(duration(&parse_quote!(#outside), &LIMITS));
            assert_eq!(said, "expected a duration of 10ms to 60s");
        }
    }

    #[test]
    fn duration_is_never_rounded() {
        let said = message(duration(&parse_quote!("10500us"), &LIMITS));
        assert_eq!(said, "expected a whole number of milliseconds");
    }

    #[test]
    fn size_is_read_in_bytes() {
        assert_eq!(size(&parse_quote!("2MiB")).expect("a value"), 2 << 20);
        assert_eq!(size(&parse_quote!("1kB")).expect("a value"), 1000);
        assert_eq!(size(&parse_quote!(1_024)).expect("a value"), 1024);
    }

    #[test]
    fn unquoted_unit_is_not_taken_for_a_number_of_bytes() {
        assert!(message(size(&parse_quote!(2MiB))).starts_with("expected a size in quotes"));
    }

    #[test]
    fn count_starts_at_one() {
        assert_eq!(count(&parse_quote!(1_000)).expect("a value"), 1000);
        for wrong in ["0", "-1", "1.5", "\"10\"", "10u8", "N"] {
            assert!(
                count(&syn::parse_str(wrong).expect("a value")).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn header_is_a_token_in_lower_case() {
        assert_eq!(
            header(&parse_quote!("Webhook-Id")).expect("a value"),
            "webhook-id"
        );
        assert_eq!(header(&parse_quote!("!x_1~")).expect("a value"), "!x_1~");
        for wrong in ["", " webhook-id", "webhook:id", "wébhook-id", "a\nb"] {
            assert!(header(&parse_quote!(#wrong)).is_err(), "{wrong}");
        }
        let said = message(header(&parse_quote!("webhook id")));
        assert!(said.ends_with("' ' cannot be part of one"));
        assert!(header(&parse_quote!(webhook)).is_err());
    }

    #[test]
    fn path_is_qualified_or_not() {
        for right in ["a", "a::b", "Self::a", "crate::a", "a::<T>", "<A as B>::c"] {
            assert!(
                path(&syn::parse_str(right).expect("a value")).is_ok(),
                "{right}"
            );
        }
        for wrong in ["self", "Self", "\"a\"", "a()", "|_| None", "&a"] {
            assert!(
                path(&syn::parse_str(wrong).expect("a value")).is_err(),
                "{wrong}"
            );
        }
        let said = message(path(&parse_quote!("charges::look_up")).map(drop));
        assert_eq!(said, "expected a path without quotes: `charges::look_up`");
    }

    #[test]
    fn name_is_one_identifier() {
        assert_eq!(name(&parse_quote!(charge)).expect("a value"), "charge");
        for wrong in ["a::b", "self", "Self", "\"charge\"", "a()"] {
            assert!(
                name(&syn::parse_str(wrong).expect("a value")).is_err(),
                "{wrong}"
            );
        }
    }
}
