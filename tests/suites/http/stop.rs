//! A server that stops while work goes on whose client has left: what is cut off is said.

use actix_web::http::Method;
use actix_web::{App, HttpResponse, Responder, post};
use idempotency_actix::store::RecordId;
use idempotency_actix::{Caller, idempotent};
use idempotency_actix_tests::app::{Gate, covering, marked};
use idempotency_actix_tests::{Client, HalfClosed, Request, eventually, log, serve_half_closed};

#[post("/endless")]
#[idempotent]
async fn endless(gate: Gate) -> impl Responder {
    gate.pass().await;
    HttpResponse::Created()
}

#[post("/plain-endless")]
async fn plain_endless(gate: Gate) -> impl Responder {
    gate.pass().await;
    HttpResponse::Created()
}

#[test]
fn a_handler_that_the_end_of_the_server_cuts_off_is_said() {
    log::listen();
    for (layer, path) in [(marked(), "/endless"), (covering(), "/plain-endless")] {
        for half_closed in [HalfClosed::Gone, HalfClosed::Served] {
            let (gate, layer, key) = (Gate::closed(), layer.clone(), format!("{half_closed:?}"));
            let inner = gate.clone();
            let app = move || {
                let app = App::new().app_data(inner.clone()).wrap(layer.clone());
                app.service(endless).service(plain_endless)
            };
            let server = serve_half_closed(half_closed, app);
            let mut client = Client::connect(server.addr());
            client.send(&Request::post(path).key(&key));
            gate.wait();
            client.reset();
            server.stop();
            let id = RecordId::of(&Caller::everyone(), &Method::POST, path, &key);
            // The worker's thread may end after the server's.
            let said = || log::lines_with(&["cut_off", &format!("{id:?}")]).len() == 1;
            eventually("a line about what was cut off", said);
        }
    }
}
