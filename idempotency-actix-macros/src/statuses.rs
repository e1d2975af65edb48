//! The value of `release_on`: a list of status codes and ranges of them.

use syn::{Expr, ExprRange, RangeLimits, Result};

use crate::mistakes::Mistakes;
use crate::value::{bare, number, wrong};

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
    let meant = match (number::<u16>(first), number::<u16>(last)) {
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

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn statuses_are_inclusive_ranges() {
        let ranges = statuses(&parse_quote!([429, 500..=599])).expect("a value");
        assert_eq!(ranges, [(429, 429), (500, 599)]);
        assert_eq!(statuses(&parse_quote!([])).expect("a value"), []);
    }

    #[test]
    fn every_wrong_status_is_reported() {
        let mistakes = statuses(&parse_quote!([200, 429, 500..600, "x"])).expect_err("a mistake");
        assert_eq!(mistakes.into_iter().count(), 3);
    }

    #[test]
    fn half_open_range_is_answered_with_the_one_that_was_meant() {
        let said = statuses(&parse_quote!([500..600]))
            .expect_err("a mistake")
            .to_string();
        assert!(said.ends_with("use `..=`, as in `500..=599`"));
    }
}
