//! A client that does as it is told: waits for `Retry-After`, then sends the same again.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use actix_web::rt::time::sleep;
use actix_web::web::Bytes;
use serde::Deserialize;

use crate::charges::{Charge, Order};
use crate::replica::Replica;

/// How often a request is sent again before a client gives up.
const RETRIES: usize = 10;

/// A client of one replica.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) replica: &'static str,
    url: String,
    http: awc::Client,
}

/// What a client sees of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    status: u16,
    is_replay: bool,
    retry_after: Option<u64>,
    body: Bytes,
}

impl Client {
    pub(crate) fn new(replica: &Replica) -> Self {
        Self {
            replica: replica.name,
            url: replica.url().to_owned(),
            http: awc::Client::default(),
        }
    }

    pub(crate) async fn charge(&self, key: &str, order: Order) -> Result<Answer, Box<dyn Error>> {
        let request = self
            .http
            .post(format!("{}/charges", self.url))
            .insert_header(("Idempotency-Key", key));
        let mut response = request.send_json(&order).await?;
        let header = |name| response.headers().get(name)?.to_str().ok();
        Ok(Answer {
            status: response.status().as_u16(),
            is_replay: header("Idempotent-Replayed") == Some("true"),
            retry_after: header("Retry-After").and_then(|seconds| seconds.parse().ok()),
            body: response.body().await?,
        })
    }

    /// Sends again for as long as the answer says when to.
    pub(crate) async fn retry(
        &self,
        key: &str,
        order: Order,
        first: Answer,
    ) -> Result<Answer, Box<dyn Error>> {
        let mut answer = first;
        for _ in 0..RETRIES {
            let Some(seconds) = answer.retry_after else {
                break;
            };
            sleep(Duration::from_secs(seconds)).await;
            answer = self.charge(key, order).await?;
        }
        Ok(answer)
    }

    /// How often this replica ran the handler, by key.
    pub(crate) async fn runs(&self) -> Result<BTreeMap<String, usize>, Box<dyn Error>> {
        let mut response = self.http.get(format!("{}/runs", self.url)).send().await?;
        Ok(response.json().await?)
    }
}

impl Answer {
    pub(crate) fn must_wait(&self) -> bool {
        self.retry_after.is_some()
    }
}

/// The answer in one line: `201 ch_A1, replayed` or `409 in-flight, Retry-After: 1`.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        if let Ok(charge) = serde_json::from_slice::<Charge>(&self.body) {
            write!(f, " {}", charge.id)?;
        }
        if let Ok(problem) = serde_json::from_slice::<Problem<'_>>(&self.body) {
            write!(f, " {}", problem.name())?;
        }
        if let Some(seconds) = self.retry_after {
            write!(f, ", Retry-After: {seconds}")?;
        }
        if self.is_replay {
            f.write_str(", replayed")?;
        }
        Ok(())
    }
}

/// A problem of RFC 9457.
#[derive(Deserialize)]
struct Problem<'a> {
    r#type: &'a str,
}

impl Problem<'_> {
    fn name(&self) -> &str {
        self.r#type.rsplit(':').next().unwrap_or(self.r#type)
    }
}
