//! What the statements of both databases ask of a row: whose it is, and whether its time is over. Written once, since a
//! row that one statement takes for absent must be absent to all.

/// Kinds of rows.
pub(crate) const CLAIM: i32 = 1;
pub(crate) const ANSWER: i32 = 2;
pub(crate) const NOT_KEPT: i32 = 3;
pub(crate) const GIVEN_UP: i32 = 4;

/// The retention is over. A claim in flight never is, and a row of an unknown kind is never taken for absent.
pub(crate) fn over(row: &str, now: &str) -> String {
    format!(
        "(({row}.kind IN ({ANSWER}, {NOT_KEPT}, {GIVEN_UP}) AND {row}.expires <= {now}) \
         OR ({row}.kind = {CLAIM} AND {row}.seen + {row}.lease <= {now} \
         AND {row}.seen + {row}.retention <= {now}))"
    )
}

/// A claim that is described and whose owner is gone, for the listing, behind a time and an id.
pub(crate) fn listed(row: &str, now: &str) -> String {
    let over = over(row, now);
    format!(
        "{row}.kind = {CLAIM} AND {row}.method IS NOT NULL AND ({row}.begun, {row}.id) > ($1, $2) \
         AND {row}.seen + {row}.lease <= {now} AND NOT {over} ORDER BY {row}.begun, {row}.id LIMIT $3"
    )
}

/// A claim of that token, in flight or unknown.
pub(crate) fn own(row: &str, token: &str, now: &str) -> String {
    let over = over(row, now);
    format!("({row}.kind = {CLAIM} AND {row}.token = {token} AND NOT {over})")
}

/// A claim of that token may be written over the row.
pub(crate) fn claimable(row: &str, token: &str, now: &str) -> String {
    let (own, over) = (own(row, token, now), over(row, now));
    format!("({row}.kind = {GIVEN_UP} OR {over} OR {own})")
}

/// An answer of that attempt may be written over the row.
pub(crate) fn completable(
    row: &str,
    token: &str,
    generation: &str,
    fingerprint: &str,
    now: &str,
) -> String {
    let (own, over) = (own(row, token, now), over(row, now));
    format!(
        "({over} OR ({row}.kind = {GIVEN_UP} AND {row}.generation < {generation}) \
         OR ({own} AND {row}.generation = {generation} AND {row}.fingerprint = {fingerprint}))"
    )
}

/// Exactly the row that was read, and lapsed if that is what it is about. The parameters from `$2` on are the row's
/// parts and whether it must have lapsed.
pub(crate) fn as_seen(row: &str, now: &str, is_not_distinct: &str) -> String {
    format!(
        "{row}.id = $1 AND {row}.kind = $2 AND {row}.token = $3 AND {row}.generation = $4 \
         AND {row}.seen = $5 AND {row}.expires = $6 AND {row}.answer {is_not_distinct} $7 \
         AND (NOT $8 OR ({row}.kind = {CLAIM} AND {row}.seen + {row}.lease <= {now} \
         AND NOT {over}))",
        over = over(row, now),
    )
}
