//! What options must be to each other, as far as one attribute can tell: what it leaves out may be the layer's.

use syn::{Error, Expr};

use crate::known::TTL;
use crate::mistakes::Mistakes;
use crate::value;
use crate::written::Written;

/// Checks the age of keys against what it goes by and what it is bound by.
pub(crate) fn check(options: &[Written], mistakes: &mut Mistakes) {
    let value = |name: &str| {
        let option = options.iter().find(|option| option.name == name);
        option.and_then(|option| option.value().ok())
    };
    let millis = |value: &Expr| value::duration(value, &TTL).ok();
    let Some(age) = value("max_key_age") else {
        return;
    };
    let Some(longest) = millis(age) else {
        return;
    };
    let ttl = value("ttl").and_then(millis);
    if ttl.is_some_and(|ttl| ttl < longest) {
        let said = "expected at most the `ttl`, after which a retry would run again";
        mistakes.push(Error::new_spanned(age, said));
    }
    let is_timed = |format: &Expr| matches!(value::text(format).as_deref(), Some("uuid7" | "ulid"));
    let has_time = value("first_sent_header").is_some() || value("key_format").is_none_or(is_timed);
    if !has_time {
        let said = "expected keys that have a time with this: `key_format = \"uuid7\"`, `\"ulid\"`, or a `first_sent_header`";
        mistakes.push(Error::new_spanned(age, said));
    }
}
