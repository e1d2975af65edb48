//! The application: an idempotency layer around the routes that have an effect.

use std::io;
use std::path::Path;

use actix_web::http::KeepAlive;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use idempotency_actix_examples::cli::say;

use crate::cli::Asked;
use crate::ledger::Ledger;
use crate::{account, charges, exposition, keeper, logs, page, receipts, records, requests, stop};

/// Serves until it is asked to stop.
pub(crate) async fn serve(asked: &Asked, books: &Path) -> io::Result<()> {
    let exporter = exposition::start(asked)?;
    let (idempotency, store) = records::layer(asked).await?;
    let ledger = web::Data::new(Ledger::open(books)?);
    let received = web::Data::<logs::Received>::default();
    let stop = stop::drained(idempotency.clone());
    let server = HttpServer::new(move || {
        let api = web::scope("")
            .wrap(idempotency.clone())
            // The last one that is wrapped runs first: who is calling is known before the key is read.
            .wrap(from_fn(account::authenticate))
            .service(charges::create)
            .service(charges::list)
            .service(charges::show)
            .service(receipts::send)
            .service(logs::append)
            .service(keeper::kill);
        App::new()
            .app_data(ledger.clone())
            .app_data(received.clone())
            .app_data(exporter.clone())
            .wrap(from_fn(requests::say))
            .configure(|config| page::serve(config, store))
            .service(exposition::expose)
            .service(api)
    })
    // A browser sends a request a second time by itself when a connection breaks that it has used before.
    .keep_alive(KeepAlive::Disabled)
    .shutdown_timeout(stop::SHUTDOWN)
    .shutdown_signal(stop)
    .bind(&asked.bind)
    .map_err(|error| io::Error::other(format!("cannot serve on {}: {error}", asked.bind)))?;
    if let Some(address) = server.addrs().first() {
        say(&address.to_string());
    }
    server.run().await
}
