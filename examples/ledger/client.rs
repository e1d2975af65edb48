//! A client that does as it should: it sends a transfer, with one key, until it has an answer.

use std::cell::Cell;
use std::error::Error;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::rt::time::sleep;

use crate::cli::Keys;
use crate::dice::Dice;
use crate::report::{Tally, Told};
use crate::transfer::Transfer;

const ACCOUNTS: [&str; 6] = ["bread", "milk", "rent", "salt", "tea", "wages"];

/// One in so many answers is lost on the way.
const ONE_IS_LOST_IN: usize = 4;

/// How long it waits before it tries again, where nobody told how long.
const PAUSE: Duration = Duration::from_millis(20);

/// How long it tries.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Client {
    pub(crate) http: awc::Client,
    /// Where the server is now.
    pub(crate) server: Rc<Cell<SocketAddr>>,
    pub(crate) keys: Keys,
    pub(crate) dice: Dice,
    pub(crate) tally: Tally,
}

/// What a client sees of an answer.
struct Answer {
    status: StatusCode,
    is_replay: bool,
    retry_after: Option<u64>,
}

impl Client {
    /// A transfer of any amount between any two accounts.
    pub(crate) fn invent(&mut self, reference: String) -> Transfer {
        let accounts = ACCOUNTS.len();
        let debtor = self.dice.below(accounts);
        let creditor = (debtor + 1 + self.dice.below(accounts - 1)) % accounts;
        Transfer {
            reference,
            debtor: ACCOUNTS[debtor].into(),
            creditor: ACCOUNTS[creditor].into(),
            cents: 1 + self.dice.below(5_000) as u32,
        }
    }

    /// Sends it again and again, until an answer says what became of it.
    pub(crate) async fn ask(&mut self, transfer: &Transfer) -> Result<Told, Box<dyn Error>> {
        let asked = Instant::now();
        self.tally.asked += 1;
        while asked.elapsed() < PATIENCE {
            self.tally.tries += 1;
            let Ok(answer) = self.send(transfer).await else {
                self.tally.cut_off += 1;
                sleep(PAUSE).await;
                continue;
            };
            self.tally.replays += u64::from(answer.is_replay);
            let told = match answer.status {
                StatusCode::CREATED => Told::Booked,
                StatusCode::PAYMENT_REQUIRED => Told::Refused,
                _ => {
                    self.tally.told_to_wait += 1;
                    sleep(answer.retry_after.map_or(PAUSE, Duration::from_secs)).await;
                    continue;
                }
            };
            if self.dice.below(ONE_IS_LOST_IN) > 0 {
                return Ok(told);
            }
            self.tally.lost += 1;
        }
        Err(format!("no answer to {} within {PATIENCE:?}", transfer.reference).into())
    }

    async fn send(&self, transfer: &Transfer) -> Result<Answer, Box<dyn Error>> {
        let url = format!("http://{}/transfers", self.server.get());
        let mut request = self.http.post(url);
        if self.keys == Keys::Required {
            request = request.insert_header(("Idempotency-Key", &*transfer.reference));
        }
        let mut response = request.send_json(transfer).await?;
        // Only a whole answer is one.
        response.body().await?;
        let header = |name| response.headers().get(name)?.to_str().ok();
        Ok(Answer {
            status: response.status(),
            is_replay: header("Idempotent-Replayed") == Some("true"),
            retry_after: header("Retry-After").and_then(|seconds| seconds.parse().ok()),
        })
    }
}
