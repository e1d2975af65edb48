//! `actix-ws`: a connection that is upgraded passes, key or not.

use actix_web::http::Method;
use actix_web::{App, Error, HttpRequest, HttpResponse, web};
use actix_ws::Message;
use idempotency_actix::KeyScope;
use idempotency_actix_tests::app::{Counter, Mode, Site};
use idempotency_actix_tests::{Request, in_both_modes};

use crate::modes::made;
use crate::table::Row;

pub(crate) const ROW: Row = Row {
    name: "`actix-ws`",
    package: "actix-ws",
    marked: "a GET, which is never covered",
    all_routes: "a GET, which is never covered",
    holds: "The upgrade passes, also where keys are required, and each one opens a socket of its own. What comes over it is not \
            covered. A handler that upgrades a POST is not kept: 410.",
    tests: &["works_with/web_sockets.rs", "http/not_kept.rs"],
};

in_both_modes! {
    each_upgrade_passes
}

async fn echo(
    request: HttpRequest,
    body: web::Payload,
    runs: Counter,
) -> Result<HttpResponse, Error> {
    runs.next();
    let (response, mut session, mut messages) = actix_ws::handle(&request, body)?;
    actix_web::rt::spawn(async move {
        while let Some(Ok(Message::Text(text))) = messages.recv().await {
            let _ = session.text(text).await;
        }
    });
    Ok(response)
}

fn each_upgrade_passes(mode: Mode) {
    let layer = made(mode, KeyScope::everyone(), |layer| layer.required(true));
    let site = Site::serve(move |runs| {
        App::new()
            .app_data(runs)
            .wrap(layer.clone())
            .route("/echo", web::get().to(echo))
    });
    let upgrade = Request::new(Method::GET, "/echo")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    for request in [upgrade.clone(), upgrade.clone().key("k"), upgrade.key("k")] {
        let mut client = site.connect();
        client.send(&request);
        let head = client.receive_head().expect("an answer");
        assert_eq!(head.status, 101, "{head:?}");
        // A text of two octets, under a mask of zeros, as RFC 6455 has it in section 5.2.
        client.write(b"\x81\x82\0\0\0\0hi");
        assert_eq!(client.take(4).expect("an echo"), b"\x81\x02hi");
    }
    assert_eq!(site.runs.count(), 3);
}
