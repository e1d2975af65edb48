//! Sends orders, and sends each again, as whoever has lost the answer.

use std::error::Error;

use idempotency_actix_examples::cli;

use crate::orders::{Confirmation, Order};

/// What is ordered, under which key.
const ORDERS: [(&str, &str, u32); 4] = [
    ("cart-1", "tea", 450),
    ("cart-2", "salt", 120),
    ("cart-3", "gold", 99_900),
    ("cart-4", "tea", 450),
];

pub(crate) async fn buy(shop: &str) -> Result<(), Box<dyn Error>> {
    let http = awc::Client::default();
    for (key, item, cents) in ORDERS {
        for _ in 0..2 {
            let order = Order {
                item: item.into(),
                cents,
            };
            let request = http
                .post(format!("{shop}/orders"))
                .insert_header(("Idempotency-Key", key));
            let mut response = request.send_json(&order).await?;
            let answer = match serde_json::from_slice(&response.body().await?) {
                Ok(Confirmation { order }) => format!("{}, order {order}", response.status()),
                Err(_) => response.status().to_string(),
            };
            let replayed = match response.headers().contains_key("Idempotent-Replayed") {
                true => ", replayed",
                false => "",
            };
            cli::say(&format!("customer   {key}, {item}: {answer}{replayed}"));
        }
    }
    Ok(())
}
