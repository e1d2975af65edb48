//! How logs name a method. It knows no route.

use actix_web::http::Method;

/// A method as logs name it: one that is not registered is whatever the client wrote.
pub(crate) fn method_name(method: &Method) -> &str {
    const REGISTERED: [&str; 31] = [
        "ACL",
        "BASELINE-CONTROL",
        "BIND",
        "CHECKIN",
        "CHECKOUT",
        "CONNECT",
        "COPY",
        "DELETE",
        "GET",
        "HEAD",
        "LABEL",
        "LINK",
        "LOCK",
        "MERGE",
        "MKCALENDAR",
        "MKCOL",
        "MOVE",
        "OPTIONS",
        "PATCH",
        "POST",
        "PROPFIND",
        "PROPPATCH",
        "PUT",
        "QUERY",
        "REBIND",
        "REPORT",
        "SEARCH",
        "TRACE",
        "UNBIND",
        "UNLINK",
        "UNLOCK",
    ];
    match REGISTERED.contains(&method.as_str()) {
        true => method.as_str(),
        false => "unregistered",
    }
}
