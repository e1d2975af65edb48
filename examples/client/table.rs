//! The tries, as rows of a table while they are made.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use idempotency_actix_examples::cli;
use uuid::Uuid;

use crate::client::Setback;
use crate::journal::Order;
use crate::rules::Reply;

pub(crate) struct Table {
    start: Instant,
    tries: Mutex<HashMap<Uuid, u32>>,
    /// The number of rows after which the process ends as if it were killed.
    stop_after: Option<u32>,
}

impl Table {
    pub(crate) fn new(stop_after: Option<u32>) -> Self {
        cli::say(&format!(
            "{:>8}  {:36}  {:13}  {:>3}  outcome",
            "seconds", "key", "source", "try"
        ));
        Self {
            start: Instant::now(),
            tries: Mutex::default(),
            stop_after,
        }
    }

    pub(crate) fn row(&self, key: Uuid, order: &Order, tried: &Result<Reply, Setback>) {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        let number = tries.entry(key).or_default();
        *number += 1;
        let outcome = match tried {
            Ok(reply) if reply.is_replay => format!("{}, replayed", reply.status.as_u16()),
            Ok(reply) => reply.status.as_u16().to_string(),
            Err(setback) => setback.to_string(),
        };
        let (seconds, source) = (self.start.elapsed().as_secs_f32(), &order.source);
        cli::say(&format!(
            "{seconds:8.2}  {key}  {source:13}  {number:>3}  {outcome}"
        ));
        if self.stop_after == Some(tries.values().sum()) {
            cli::say("stopped, with keys in the journal");
            std::process::exit(3);
        }
    }
}
