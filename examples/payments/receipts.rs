//! `/receipts`: an effect that is worth less protection than money.

use actix_web::error::ErrorNotFound;
use actix_web::{Error, HttpResponse, Responder, post, web};
use idempotency_actix::{NotExecuted, idempotent};
use idempotency_actix_examples::cli;
use serde::{Deserialize, Serialize};

use crate::account::AccountId;
use crate::ledger::Ledger;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    charge: String,
    email: String,
}

#[derive(Serialize)]
struct Sent {
    charge: String,
    sent_to: String,
}

/// Sends a receipt. With a key at most one in ten minutes; without a key, one for each request.
#[post("/receipts")]
#[idempotent(ttl = "10m")]
pub(crate) async fn send(
    account: AccountId,
    ledger: web::Data<Ledger>,
    wanted: web::Json<Wanted>,
) -> Result<impl Responder, Error> {
    let Wanted {
        charge,
        email: sent_to,
    } = wanted.into_inner();
    if ledger.find(account, &charge).is_none() {
        return Err(NotExecuted::error(ErrorNotFound("no such charge\n")));
    }
    cli::say(&format!("ran: receipt for {charge}"));
    Ok(HttpResponse::Accepted().json(Sent { charge, sent_to }))
}
