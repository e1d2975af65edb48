//! The record that an operator searches by key and caller. It asks no store.

use std::collections::HashMap;

use actix_web::http::Method;

use crate::request::Caller;
use crate::store::RecordId;

/// The record's id, from the fields of the form or from the id itself.
pub(super) fn searched(fields: &HashMap<String, String>) -> Result<RecordId, &'static str> {
    let field = |name: &str| fields.get(name).map_or("", |text| text.trim());
    if !field("id").is_empty() {
        return field("id")
            .parse()
            .map_err(|_| "A record's id is 64 hexadecimal digits in lower case.");
    }
    let method = Method::from_bytes(field("method").as_bytes());
    let method = method.map_err(|_| "Say which method the request had.")?;
    let (path, key) = (field("path"), field("key"));
    if !path.starts_with('/') {
        return Err("A path begins with a slash.");
    }
    if key.is_empty() {
        return Err("Say which key the request had.");
    }
    let caller = match (field("scope"), field("caller")) {
        ("everyone", _) => Caller::everyone(),
        (_, "") => return Err("Say whose key it was."),
        ("principal", caller) => Caller::principal(caller),
        ("header", caller) => Caller::header(caller),
        _ => return Err("Say how callers are told apart."),
    };
    let caller = match field("host") {
        "" => caller,
        host => caller.at_host(host),
    };
    Ok(RecordId::of(&caller, &method, path, key))
}
