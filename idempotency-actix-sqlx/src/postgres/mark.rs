//! The mark of an open transaction: a setting local to it, by which statements tell it from another on its connection. What
//! they do is not known here.

/// The setting. While it is there, the transaction still is the one that was begun.
pub(super) const SETTING: &str = "idempotency_actix.tx";

/// What an error says in another transaction. An error keeps the commit behind it in the same message from being carried
/// out.
pub(super) const ENDED: &str = "idempotency_actix:ended";

/// A statement that fails where it is another transaction than the one that has this mark, an expression.
pub(super) fn own(mark: &str) -> String {
    format!("SELECT {}", if_own(mark, "1"))
}

/// A number, which cannot be had in another transaction than that.
pub(super) fn if_own(mark: &str, number: &str) -> String {
    format!(
        "(CASE WHEN current_setting('{SETTING}', true) = {mark} \
         THEN ({number})::text ELSE '{ENDED}' END)::integer"
    )
}
