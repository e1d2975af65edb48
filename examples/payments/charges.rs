//! `/charges`: the routes that move money.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::rt::time::sleep;
use actix_web::{Error, HttpResponse, Responder, ResponseError, get, post, web};
use idempotency_actix::{IdempotencyKey, NotExecuted, idempotent};

use crate::account::AccountId;
use crate::ledger::{Ledger, Order, State};

/// Charges a card, once for each key of an account.
#[post("/charges")]
#[idempotent(required)]
pub(crate) async fn create(
    account: AccountId,
    ledger: web::Data<Ledger>,
    key: IdempotencyKey,
    order: web::Json<Order>,
) -> Result<impl Responder, Error> {
    let order = order.into_inner();
    // A processor that takes keys of its own gets the same one from every run of this operation.
    let reference = key.derive("processor");
    let source = order.source.clone();
    match source.as_str() {
        "tok_unavailable" => return Err(NotExecuted::error(Refusal::ProcessorUnavailable)),
        "tok_down_twice" if ledger.refusals(&reference) <= 2 => {
            return Err(NotExecuted::error(Refusal::ProcessorUnavailable));
        }
        "tok_declined" => {
            ledger.charge(account, order, reference, State::Declined)?;
            return Err(Refusal::CardDeclined.into());
        }
        "tok_slow" => sleep(Duration::from_secs(3)).await,
        _ => {}
    }
    let charge = ledger.charge(account, order, reference, State::Succeeded)?;
    match source.as_str() {
        "tok_slow_answer" => sleep(Duration::from_secs(2)).await,
        "tok_panic" => panic!("{} is made, and its receipt cannot be sent", charge.id),
        _ => {}
    }
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/charges/{}", charge.id)))
        .json(charge))
}

/// Lists what was charged for the account.
#[get("/charges")]
pub(crate) async fn list(account: AccountId, ledger: web::Data<Ledger>) -> impl Responder {
    web::Json(ledger.of(account))
}

/// Shows one charge.
#[get("/charges/{id}")]
pub(crate) async fn show(
    account: AccountId,
    ledger: web::Data<Ledger>,
    id: web::Path<String>,
) -> impl Responder {
    ledger.find(account, &id).map(web::Json)
}

#[derive(Debug)]
enum Refusal {
    CardDeclined,
    ProcessorUnavailable,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CardDeclined => "card_declined",
            Self::ProcessorUnavailable => "processor_unavailable",
        })
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::CardDeclined => StatusCode::PAYMENT_REQUIRED,
            Self::ProcessorUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code()).json(BTreeMap::from([("error", self.to_string())]))
    }
}
