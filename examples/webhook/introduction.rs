//! What to try.

use std::net::SocketAddr;

use idempotency_actix_examples::cli;

pub(crate) fn introduce(address: SocketAddr) {
    let url = cli::url(address);
    // A delivery: its id, the second at which it is sent, and the event.
    let hook = |id: &str, second: &str, invoice: &str, amount_cents: u64| {
        format!(
            "curl -i '{url}/hooks' -H 'webhook-id: {id}' -H 'Content-Type: application/json' -d '\
             {{\"sent_at\":\"2026-01-01T00:00:{second}Z\",\"event\":{{\"type\":\"invoice.paid\",\
             \"invoice\":\"{invoice}\",\"amount_cents\":{amount_cents}}}}}'"
        )
    };
    let once = hook("evt_1", "00", "in_1", 1250);
    let again = hook("evt_1", "30", "in_1", 1250);
    let other = hook("evt_1", "59", "in_1", 9900);
    let slow = hook("evt_2", "00", "in_slow", 1250);
    let slow_again = hook("evt_2", "01", "in_slow", 1250);
    let [after, before] =
        [("evt_3", "in_lost_after"), ("evt_4", "in_lost_before")].map(|(id, invoice)| {
            let [first, second, third] = ["00", "07", "09"].map(|at| hook(id, at, invoice, 1250));
            format!("{first} -m 1\n  sleep 6; {second}\n  sleep 1; {third}")
        });
    cli::say(&format!(
        "Listening on {url}. Deliver an event twice, and look what was paid:

  {once}
  {again}
  curl '{url}/invoices'

The same id with another event, and no id at all:

  {other}
  curl -i '{url}/hooks' -H 'Content-Type: application/json' -d '{{}}'

Two at once:

  {slow} & {slow_again}; wait

A run that is lost after it has paid. Its client hangs up, the next delivery gets 409, the third an answer:

  {after}

The same before it has paid. The lost run wakes up after 20 seconds:

  {before}

Stop with Ctrl-C. After a restart nothing is paid, and no id was seen.
"
    ));
}
