//! Whether a form comes from the page itself. It knows no form.

use actix_web::HttpRequest;
use actix_web::http::Uri;
use actix_web::http::header::{HOST, ORIGIN};

/// Whether the browser says that another page of this very site sent the request.
///
/// Browsers send `Sec-Fetch-Site` (Fetch Metadata, section 2) over TLS and to the own machine, and `Origin` with every form
/// that is posted. A request with neither is no browser's, or an old one's, and is refused.
pub(super) fn is_from_here(request: &HttpRequest) -> bool {
    let header = |name: &str| request.headers().get(name)?.to_str().ok();
    if let Some(site) = header("sec-fetch-site") {
        return site == "same-origin";
    }
    let origin = header(ORIGIN.as_str()).and_then(|origin| origin.parse::<Uri>().ok());
    let host = header(HOST.as_str()).or_else(|| Some(request.uri().authority()?.as_str()));
    match (origin.as_ref().and_then(Uri::authority), host) {
        (Some(origin), Some(host)) => origin.as_str().eq_ignore_ascii_case(host),
        _ => false,
    }
}
