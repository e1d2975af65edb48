//! The page: plain files, which load nothing from elsewhere and run no script that is not one of them.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Responder};

use crate::records::Store;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const FILES: [(&str, &str, &str); 10] = [
    ("/", HTML, include_str!("page/index.html")),
    ("/style.css", CSS, include_str!("page/style.css")),
    ("/lanes.css", CSS, include_str!("page/lanes.css")),
    ("/icon.svg", PICTURE, include_str!("page/icon.svg")),
    ("/money.js", SCRIPT, include_str!("page/money.js")),
    ("/main.js", SCRIPT, include_str!("page/main.js")),
    ("/payment.js", SCRIPT, include_str!("page/payment.js")),
    ("/scenes.js", SCRIPT, include_str!("page/scenes.js")),
    ("/lanes.js", SCRIPT, include_str!("page/lanes.js")),
    ("/ledger.js", SCRIPT, include_str!("page/ledger.js")),
];

/// Serves the page of a service with such records.
pub(crate) fn serve(config: &mut ServiceConfig, store: Store) {
    for (path, kind, text) in FILES {
        let answer = move || async move { file(kind, text.replace("{store}", store.name())) };
        config.route(path, web::get().to(answer));
    }
}

fn file(kind: &'static str, text: String) -> impl Responder {
    HttpResponse::Ok()
        .content_type(kind)
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(text)
}
