//! One statement, carried out once or told why not: asked again where it was undone for another's sake, and where the
//! connection turned out to be gone before. What the statement is for is not known here.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Database;
use sqlx::query::Query;
use tokio::time::{Instant, sleep, timeout_at};

use crate::connections::Connections;
use crate::failure::{Cause, Failure, Meaning, Trouble};

/// How often a statement is asked again that was undone for another's sake.
const TRIES: u32 = 16;

/// The pause before the first time; it grows with each.
const PAUSE: Duration = Duration::from_millis(1);

/// A statement with its arguments.
pub(crate) type Ask<D> = Query<'static, D, <D as Database>::Arguments>;

/// The rows that a statement gave.
pub(crate) type Rows<'c, D> =
    Pin<Box<dyn Future<Output = Result<Vec<<D as Database>::Row>, sqlx::Error>> + Send + 'c>>;

/// A database: how a statement is sent, and what its errors mean.
pub(crate) trait Engine: Database<Connection: 'static> {
    /// Reads to the end: what fails at the commit is told after the last row.
    fn fetch(connection: &mut Self::Connection, ask: Ask<Self>) -> Rows<'_, Self>;

    fn meaning(error: &sqlx::Error) -> Meaning;

    /// The error with what to do about it, where that is known.
    fn explain(error: sqlx::Error) -> Cause;
}

/// Carries out a statement by the deadline.
///
/// It must be one that can be sent twice: a connection that broke before the answer came is replaced once.
pub(crate) async fn step<D: Engine>(
    connections: &Arc<Connections<D::Connection>>,
    deadline: Instant,
    ask: impl Fn() -> Ask<D>,
) -> Result<Vec<D::Row>, Failure> {
    let mut undone = 0;
    let mut has_resent = false;
    loop {
        let mut taken = match connections.take(deadline).await {
            Ok(taken) => taken,
            Err(Failure::Refused(cause)) if has_resent => return Err(Failure::Unclear(cause)),
            Err(failure) => return Err(failure),
        };
        let error = match timeout_at(deadline, D::fetch(taken.lend(), ask())).await {
            Ok(Ok(answer)) => {
                taken.answered();
                return Ok(answer);
            }
            Ok(Err(error)) => error,
            Err(_) => return Err(Failure::Unclear(Trouble::NoAnswer.into())),
        };
        match D::meaning(&error) {
            Meaning::Again if undone < TRIES => {
                taken.answered();
                drop(taken);
                undone += 1;
                let pause = PAUSE * undone + jitter(PAUSE * undone);
                if Instant::now() + pause >= deadline {
                    return Err(Failure::Refused(D::explain(error)));
                }
                sleep(pause).await;
            }
            Meaning::Again | Meaning::Refused => {
                taken.answered();
                // An earlier copy may have come through.
                return Err(match has_resent {
                    true => Failure::Unclear(D::explain(error)),
                    false => Failure::Refused(D::explain(error)),
                });
            }
            Meaning::Broken => {
                let was_idle = !taken.is_fresh();
                taken.close();
                connections.forget_idle();
                if has_resent || !was_idle {
                    return Err(Failure::Unclear(D::explain(error)));
                }
                has_resent = true;
            }
        }
    }
}

/// A row that does not have the columns of a record.
pub(crate) fn unreadable<D: Engine>(error: sqlx::Error) -> Failure {
    Failure::Unreadable(D::explain(error))
}

/// Up to that much, by chance: those who met go different ways.
pub(crate) fn jitter(most: Duration) -> Duration {
    let random = idempotency_actix::store::Token::random();
    let [octet, ..] = *random.as_bytes();
    most * u32::from(octet) / 255
}
