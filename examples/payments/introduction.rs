//! What to try.

use std::net::SocketAddr;

use idempotency_actix_examples::cli;

pub(crate) fn introduce(address: SocketAddr) {
    let url = cli::url(address);
    cli::say(&format!(
        "Open {url}/ in a browser. Or charge a card twice, with one key; then look what was charged:

  curl -i '{url}/charges' -H 'X-Api-Key: demo-key-1' -H 'Idempotency-Key: order-1' -H 'Content-Type: application/json' -d '{{\"amount_cents\":1250,\"currency\":\"EUR\",\"source\":\"tok_visa\"}}'
  curl -i '{url}/charges' -H 'X-Api-Key: demo-key-1'

Other sources: tok_slow, tok_slow_answer, tok_declined, tok_unavailable, tok_down_twice, tok_panic. Stop with Ctrl-C.
"
    ));
}
