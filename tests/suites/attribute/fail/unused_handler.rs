//! A handler that was never routed is as unused as it would be without the attribute.

#![deny(dead_code)]

use idempotency_actix::idempotent;

#[idempotent]
async fn not_routed() -> &'static str {
    "not routed"
}

fn main() {}
