//! How logs name a method. It knows no route.

use actix_web::http::Method;

/// A method as logs name it: one that is not registered is whatever the client wrote.
pub(crate) fn method_name(method: &Method) -> &str {
    // Covered methods first, since each request with a key looks for one.
    const REGISTERED: [&str; 31] = [
        "POST",
        "PUT",
        "PATCH",
        "DELETE",
        "ACL",
        "BASELINE-CONTROL",
        "BIND",
        "CHECKIN",
        "CHECKOUT",
        "CONNECT",
        "COPY",
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
        "PROPFIND",
        "PROPPATCH",
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
