//! What a provider delivers: an event, in an envelope that is new each time.

use actix_web::HttpRequest;
use serde::Deserialize;
use serde_json::value::RawValue;

/// What the handler needs of a delivery. Its `sent_at` is left out.
#[derive(Debug, Deserialize)]
pub(crate) struct Delivery {
    pub(crate) event: Event,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
pub(crate) enum Event {
    #[serde(rename = "invoice.paid")]
    InvoicePaid(InvoicePaid),
}

#[derive(Debug, Deserialize)]
pub(crate) struct InvoicePaid {
    pub(crate) invoice: String,
    pub(crate) amount_cents: u64,
}

/// Whose the ids are. Two providers may have the same ids, and would each have a name here.
pub(crate) fn provider(_: &HttpRequest) -> Option<&'static str> {
    Some("the one provider of this route")
}

/// What makes two deliveries under one id the same: the event, octet by octet. What does not parse counts
/// whole.
///
/// These are not the parsed fields: two events that differ in one which is not parsed would be the same.
pub(crate) fn event(_: &HttpRequest, body: &[u8]) -> Vec<u8> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        event: &'a RawValue,
    }
    let counts = match serde_json::from_slice::<Envelope<'_>>(body) {
        Ok(Envelope { event }) => event.get().as_bytes(),
        Err(_) => body,
    };
    counts.to_owned()
}
