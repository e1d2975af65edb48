//! The worker: it sends what stands in the outbox, and notes that it has.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use actix_web::rt::time::sleep;
use idempotency_actix_examples::cli;
use idempotency_actix_sqlx::sqlx::{self, SqlitePool};

/// How long it rests when the outbox is empty.
const PAUSE: Duration = Duration::from_millis(20);

/// A row of the outbox.
pub(crate) struct Unsent {
    id: i64,
    key: String,
    body: String,
}

/// The oldest row that has not been noted as sent.
pub(crate) async fn next(pool: &SqlitePool) -> Result<Option<Unsent>, sqlx::Error> {
    let row: Option<(i64, String, String)> =
        sqlx::query_as("SELECT id, key, body FROM outbox WHERE NOT is_sent ORDER BY id LIMIT 1")
            .fetch_optional(pool)
            .await?;
    Ok(row.map(|(id, key, body)| Unsent { id, key, body }))
}

/// Sends one row after the other, until something fails; then it is started again, and begins with the same row.
///
/// Several workers may well send a row at the same time: the processor tells them apart from two charges by the key. For this example it dies once at each row, where it hurts most.
pub(crate) async fn work(
    pool: &SqlitePool,
    processor: &str,
    deaths: &mut BTreeSet<i64>,
) -> Result<Infallible, Box<dyn Error>> {
    let http = awc::Client::default();
    loop {
        let Some(row) = next(pool).await? else {
            sleep(PAUSE).await;
            continue;
        };
        send(&http, processor, &row).await?;
        if deaths.insert(row.id) {
            return Err("dies before it has noted that".into());
        }
        sqlx::query("UPDATE outbox SET is_sent = true WHERE id = $1")
            .bind(row.id)
            .execute(pool)
            .await?;
    }
}

async fn send(http: &awc::Client, processor: &str, row: &Unsent) -> Result<(), Box<dyn Error>> {
    let Unsent { key, body, .. } = row;
    let request = http
        .post(format!("{processor}/charges"))
        .insert_header(("Idempotency-Key", &**key))
        .content_type("application/json");
    let response = request.send_body(body.clone()).await?;
    let status = response.status();
    let replayed = match response.headers().contains_key("Idempotent-Replayed") {
        true => ", replayed",
        false => "",
    };
    cli::say(&format!(
        "worker     sends {body} under {key}: {}{replayed}",
        status.as_u16()
    ));
    match status.is_success() {
        true => Ok(()),
        false => Err("was refused".into()),
    }
}
