//! Where the demo's payments are tried: each try is sent, and goes into the table with what came of it.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, UNIX_EPOCH};

use actix_web::rt::time::sleep;
use idempotency_actix_examples::cli::say;
use tokio::net::TcpStream;

use crate::client::{self, Answer, Request};
use crate::table::{Row, Table};

const CENTS: u32 = 1250;

pub(crate) struct Stage {
    address: SocketAddr,
    /// Milliseconds of the clock, in all keys: records and charges of an earlier demo may still be there.
    began: u128,
    payments: usize,
    pub(crate) table: Table,
}

/// One key, and the tries that are made with it.
pub(crate) struct Payment<'a> {
    stage: &'a mut Stage,
    scene: &'static str,
    name: String,
    key: String,
    source: &'static str,
    tries: usize,
}

impl Stage {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let since = UNIX_EPOCH.elapsed().unwrap_or_default();
        Self {
            address,
            began: since.as_millis(),
            payments: 0,
            table: Table::default(),
        }
    }

    pub(crate) fn payment(&mut self, scene: &'static str, source: &'static str) -> Payment<'_> {
        say(&format!("--- {scene}"));
        self.payments += 1;
        let name = format!("{}-{}", self.began, self.payments);
        Payment {
            stage: self,
            scene,
            key: format!("payment-{name}"),
            name,
            source,
            tries: 0,
        }
    }
}

impl Payment<'_> {
    /// Sends it, and leaves the answer to come.
    pub(crate) async fn begin(&self) -> io::Result<TcpStream> {
        self.send(CENTS).await
    }

    /// Tries it, and tells the answer.
    pub(crate) async fn attempt(&mut self) -> io::Result<Answer> {
        self.attempt_for(CENTS).await
    }

    /// Tries it with an amount of choice.
    pub(crate) async fn attempt_for(&mut self, cents: u32) -> io::Result<Answer> {
        let answer = client::receive(self.send(cents).await?).await?;
        self.note_answer(&answer).await;
        Ok(answer)
    }

    async fn send(&self, cents: u32) -> io::Result<TcpStream> {
        let Self { name, source, .. } = self;
        let body = format!(
            r#"{{"amount_cents":{cents},"currency":"EUR","source":"{source}","description":"{name}"}}"#
        );
        let request = Request {
            line: "POST /charges",
            key: Some(&self.key),
            body: &body,
        };
        client::send(self.stage.address, &request).await
    }

    /// Tries it as a good client does, until the answer is one that stays.
    pub(crate) async fn settle(&mut self) -> io::Result<()> {
        loop {
            let answer = self.attempt().await?;
            if !matches!(answer.status, 409 | 503) {
                return Ok(());
            }
            let seconds = answer.header("retry-after").and_then(|it| it.parse().ok());
            sleep(seconds.map_or(Duration::from_millis(200), Duration::from_secs)).await;
        }
    }

    /// A row for a try that was answered.
    pub(crate) async fn note_answer(&mut self, answer: &Answer) {
        let outcome = answer.header("x-outcome").unwrap_or("no key");
        let (status, outcome) = (answer.status.to_string(), outcome.replace('_', " "));
        self.note(&status, &outcome).await;
    }

    /// A row for a try that has come to an end.
    pub(crate) async fn note(&mut self, status: &str, outcome: &str) {
        self.tries += 1;
        let row = Row {
            scene: self.scene,
            attempt: self.tries,
            status: status.into(),
            outcome: outcome.into(),
            charges: self.charges().await,
        };
        self.stage.table.push(row);
    }

    /// How often the card was charged for it; waits for a service that is being started.
    pub(crate) async fn charges(&self) -> usize {
        let of_this = format!(r#""description":"{}""#, self.name);
        loop {
            match self.ask("GET /charges").await {
                Ok(answer) => return answer.body.matches(&of_this).count(),
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// Asks for something beside the payment.
    pub(crate) async fn ask(&self, line: &'static str) -> io::Result<Answer> {
        let request = Request {
            line,
            key: None,
            body: "",
        };
        client::receive(client::send(self.stage.address, &request).await?).await
    }
}
