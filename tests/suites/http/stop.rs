//! A server that stops while work goes on whose client has left: what is cut off is said.

use std::time::{Duration, Instant};

use actix_web::http::Method;
use actix_web::{App, HttpResponse, Responder, post};
use idempotency_actix::store::RecordId;
use idempotency_actix::{Caller, idempotent};
use idempotency_actix_tests::{Client, Request, serve_half_closed};

use crate::app::{Gate, covering, marked, plain};
use crate::log;

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
        for half_closed in [false, true] {
            let (gate, layer, key) = (Gate::closed(), layer.clone(), format!("{half_closed}"));
            let inner = gate.clone();
            let app = move || {
                let app = App::new().app_data(inner.clone()).wrap(layer.clone());
                app.service(endless).service(plain_endless).service(plain)
            };
            let server = serve_half_closed(app, half_closed);
            let mut client = Client::connect(server.addr());
            client.send(&Request::post(path).key(&key));
            gate.wait();
            client.reset();
            server.stop();
            let id = RecordId::of(&Caller::everyone(), &Method::POST, path, &key);
            // The worker's thread may end after the server's.
            let deadline = Instant::now() + Duration::from_secs(30);
            while log::lines_with(&["cut_off", &format!("{id:?}")]).is_empty() {
                assert!(
                    Instant::now() < deadline,
                    "{path} was cut off without a word"
                );
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}
