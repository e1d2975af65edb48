//! The value of one option: what stands behind its `=`, read while the application is compiled.

use std::time::Duration;

use bytesize::ByteSize;
use proc_macro2::Ident;
use syn::{Error, Expr, ExprLit, ExprRange, Lit, LitInt, RangeLimits, Result};

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
    let bytes = match literal(value) {
        Some(Lit::Str(text)) => text
            .value()
            .parse()
            .ok()
            .map(|size: ByteSize| size.as_u64()),
        Some(Lit::Int(number)) if number.suffix().is_empty() => number.base10_parse().ok(),
        _ => None,
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
    let written = match literal(value) {
        Some(Lit::Str(text)) => text.value(),
        _ => String::new(),
    };
    let chosen = choices.iter().find(|(word, _)| *word == written);
    chosen.map(|(_, variant)| *variant).ok_or_else(|| {
        let words = choices.iter().map(|(word, _)| format!("`\"{word}\"`"));
        let expected = format!("expected {}", words.collect::<Vec<_>>().join(" or "));
        Error::new_spanned(value, expected)
    })
}

/// The name of a function: one identifier that is free to be declared.
pub(crate) fn name(value: &Expr) -> Result<Ident> {
    let name = match bare(value) {
        Expr::Path(path) if path.attrs.is_empty() => path.path.get_ident(),
        _ => None,
    };
    match name {
        Some(name) if name != "self" && name != "Self" && name != "super" && name != "crate" => {
            Ok(name.clone())
        }
        _ => wrong(
            value,
            "expected a name for the function, such as `charge_unprotected`",
        ),
    }
}

/// A list such as `[429, 500..=599]`, as inclusive ranges; every wrong member is reported.
pub(crate) fn statuses(value: &Expr) -> Result<Vec<(u16, u16)>> {
    let Expr::Array(list) = bare(value) else {
        return wrong(
            value,
            "expected a list of status codes, such as `[429, 500..=599]`",
        );
    };
    let mut mistakes = Mistakes::default();
    let ranges = list
        .elems
        .iter()
        .filter_map(|member| mistakes.note(status_range(member)))
        .collect();
    mistakes.into_result(ranges)
}

fn status_range(member: &Expr) -> Result<(u16, u16)> {
    let Expr::Range(range) = bare(member) else {
        return status(member).map(|status| (status, status));
    };
    let (Some(first), Some(last)) = (&range.start, &range.end) else {
        return wrong(
            member,
            "expected both ends of the range, such as `500..=599`",
        );
    };
    if let RangeLimits::HalfOpen(_) = range.limits {
        return half_open(range, first, last);
    }
    let (first, last) = (status(first)?, status(last)?);
    if first > last {
        return wrong(
            member,
            format!("this range is empty: expected `{last}..={first}`"),
        );
    }
    Ok((first, last))
}

fn half_open(range: &ExprRange, first: &Expr, last: &Expr) -> Result<(u16, u16)> {
    let meant = match (number(first), number(last)) {
        (Some(first), Some(last)) if last > first => format!("{first}..={}", last - 1),
        _ => "500..=599".into(),
    };
    wrong(
        range,
        format!("expected a range that includes its end: use `..=`, as in `{meant}`"),
    )
}

fn status(value: &Expr) -> Result<u16> {
    match number(value) {
        Some(status @ 400..=599) => Ok(status),
        _ => wrong(value, "expected a status code from 400 to 599"),
    }
}

fn number(value: &Expr) -> Option<u16> {
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
fn bare(mut value: &Expr) -> &Expr {
    while let Expr::Group(group) = value {
        value = &group.expr;
    }
    value
}

fn wrong<T>(tokens: impl quote::ToTokens, expected: impl std::fmt::Display) -> Result<T> {
    Err(Error::new_spanned(tokens, expected))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use syn::parse_quote;

    use super::*;

    const LIMITS: Limits = Limits {
        min: Duration::from_millis(10),
        max: Duration::from_secs(60),
        spoken: "10ms to 60s",
    };

    fn message<T: std::fmt::Debug>(result: Result<T>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn duration_is_read_in_milliseconds_within_its_limits() {
        assert_eq!(duration(&parse_quote!("10ms"), &LIMITS).unwrap(), 10);
        assert_eq!(duration(&parse_quote!("1m"), &LIMITS).unwrap(), 60_000);
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
        assert_eq!(size(&parse_quote!("2MiB")).unwrap(), 2 << 20);
        assert_eq!(size(&parse_quote!("1kB")).unwrap(), 1000);
        assert_eq!(size(&parse_quote!(1_024)).unwrap(), 1024);
    }

    #[test]
    fn unquoted_unit_is_not_taken_for_a_number_of_bytes() {
        assert!(message(size(&parse_quote!(2MiB))).starts_with("expected a size in quotes"));
    }

    #[test]
    fn statuses_are_inclusive_ranges() {
        let ranges = statuses(&parse_quote!([429, 500..=599])).unwrap();
        assert_eq!(ranges, [(429, 429), (500, 599)]);
        assert_eq!(statuses(&parse_quote!([])).unwrap(), []);
    }

    #[test]
    fn every_wrong_status_is_reported() {
        let mistakes = statuses(&parse_quote!([200, 429, 500..600, "x"])).unwrap_err();
        assert_eq!(mistakes.into_iter().count(), 3);
    }

    #[test]
    fn half_open_range_is_answered_with_the_one_that_was_meant() {
        let said = message(statuses(&parse_quote!([500..600])));
        assert!(said.ends_with("use `..=`, as in `500..=599`"));
    }

    #[test]
    fn name_is_one_identifier() {
        assert_eq!(name(&parse_quote!(charge)).unwrap(), "charge");
        for wrong in ["a::b", "self", "Self", "\"charge\"", "a()"] {
            assert!(name(&syn::parse_str(wrong).unwrap()).is_err(), "{wrong}");
        }
    }
}
