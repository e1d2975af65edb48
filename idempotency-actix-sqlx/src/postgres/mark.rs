//! The mark of an open transaction: when it began, by which statements tell it from another on its connection. What they do
//! is not known here.

/// The time of the transaction's first message, to the microsecond: one that a handler begins in its place has a later one.
/// In octets, since how a time reads as a text is up to settings, which a handler may change.
pub(super) const MARK: &str = "encode(timestamptz_send(now()), 'hex')";

/// What an error says in another transaction. An error keeps the commit behind it in the same message from being carried
/// out.
pub(super) const ENDED: &str = "idempotency_actix:ended";

/// A statement that fails where it is another transaction than the one that has this mark, an expression.
pub(super) fn own(mark: &str) -> String {
    format!("SELECT {}", if_own(mark, "1"))
}

/// A number, which cannot be had in another transaction than that.
pub(super) fn if_own(mark: &str, number: &str) -> String {
    format!("(CASE WHEN {MARK} = {mark} THEN ({number})::text ELSE '{ENDED}' END)::integer")
}
