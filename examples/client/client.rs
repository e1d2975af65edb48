//! One operation, sent with one key until there is an answer or the time is over.

use std::fmt;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use reqwest::Client;
use reqwest::header::CONNECTION;
use tokio::time::sleep;
use uuid::Uuid;

use crate::journal::{Order, age};
use crate::rules::{Meaning, Reply};
use crate::table::Table;

pub(crate) const API_KEY: (&str, &str) = ("X-Api-Key", "demo-key-1");

pub(crate) struct Sender {
    pub(crate) http: Client,
    /// Where charges are asked for.
    pub(crate) url: String,
    /// How long a key is good for: less than the server keeps its record.
    pub(crate) window: Duration,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Setback {
    /// Whether the request arrived is not known.
    Cut(reqwest::Error),
    NotYet(Reply, Option<Duration>),
    /// A person has to look.
    Ask(Reply),
}

impl Sender {
    /// # Errors
    ///
    /// The setback after which it is not tried again: nobody can tell, or the window ends before the next try.
    pub(crate) async fn send(
        &self,
        order: &Order,
        key: Uuid,
        table: &Table,
    ) -> Result<Reply, Setback> {
        let pauses = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(5))
            .without_max_times()
            .with_jitter();
        let send = || async {
            let tried = self.try_once(order, key).await;
            table.row(key, order, &tried);
            tried
        };
        send.retry(pauses)
            .sleep(sleep)
            .when(|setback| !matches!(setback, Setback::Ask(_)))
            .adjust(|setback, pause| {
                let told = setback.retry_after();
                let pause = pause.map(|pause| told.map_or(pause, |told| told.max(pause)))?;
                (age(key) + pause < self.window).then_some(pause)
            })
            .await
    }

    async fn try_once(&self, order: &Order, key: Uuid) -> Result<Reply, Setback> {
        let request = (self.http.post(&self.url))
            .header(API_KEY.0, API_KEY.1)
            .header("Idempotency-Key", format!("\"{key}\""))
            .header(CONNECTION, "close")
            .json(order);
        let response = request.send().await.map_err(Setback::Cut)?;
        let (status, headers) = (response.status(), response.headers().clone());
        // An answer of which the end is missing is none.
        response.bytes().await.map_err(Setback::Cut)?;
        let reply = Reply::new(status, &headers);
        match reply.meaning() {
            Meaning::Answer => Ok(reply),
            Meaning::NotYet(after) => Err(Setback::NotYet(reply, after)),
            Meaning::Ask => Err(Setback::Ask(reply)),
        }
    }
}

impl Setback {
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::NotYet(_, after) => *after,
            Self::Cut(_) | Self::Ask(_) => None,
        }
    }
}

impl fmt::Display for Setback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut(error) if error.is_timeout() => f.write_str("no answer in time"),
            Self::Cut(_) => f.write_str("connection lost"),
            Self::NotYet(reply, _) | Self::Ask(reply) => {
                let status = reply.status.as_u16();
                match &reply.problem {
                    Some(problem) => write!(f, "{status} {problem}"),
                    None if reply.is_replay => write!(f, "{status}, replayed"),
                    None => write!(f, "{status}"),
                }
            }
        }
    }
}
