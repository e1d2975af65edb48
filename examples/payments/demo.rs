//! What the page plays, without a browser: real requests to a real process, and a table in the end.

use std::io;
use std::time::Duration;

use actix_web::rt::time::{sleep, timeout};
use idempotency_actix_examples::cli::say;

use crate::cli::Asked;
use crate::client;
use crate::keeper::Keeper;
use crate::stage::Stage;
use crate::table::Table;

/// More than all scenes take.
const LONGEST: Duration = Duration::from_secs(60);

/// Plays, prints, and ends.
pub(crate) async fn play(asked: &Asked) -> io::Result<()> {
    let mut keeper = Keeper::start(asked).await?;
    let mut stage = Stage::new(keeper.address());
    say("Each line is a request, or a charge that the handler made:\n");
    tokio::select! {
        ended = keeper.attend() => {
            ended?;
            return Err(io::Error::other("the service has ended"));
        }
        played = timeout(LONGEST, scenes(&mut stage)) => played??,
    }
    keeper.stop().await?;
    say(&format!("\n{}", stage.table));
    conclude(&stage.table, asked.db.is_some())
}

/// Says why there are so many charges, or fails where a store has not kept its promise.
fn conclude(table: &Table, do_records_stay: bool) -> io::Result<()> {
    let is_right = table.ends().all(|end| match end.scene {
        KILL if do_records_stay => (end.charges, &*end.outcome) == (1, "unknown"),
        KILL => (end.charges, &*end.outcome) == (2, "first"),
        _ => end.charges == 1,
    });
    if !is_right {
        return Err(io::Error::other("this is not how it should be"));
    }
    say(match do_records_stay {
        false => FORGOTTEN,
        true => UNKNOWN,
    });
    Ok(())
}

const FORGOTTEN: &str = "\
Each payment was charged once, but for the last: the memory store died with its process and forgot the key,
so the retry ran. With --db FILE (feature `sql`) the records outlive the process.";

const UNKNOWN: &str = "\
Each payment was charged once. The last retry is told that nobody knows what became of the first try, whose process
was killed: a person decides, or a function that looks in the ledger (`recover`).";

const KILL: &str = "kill the process";

async fn scenes(stage: &mut Stage) -> io::Result<()> {
    press_twice(stage).await?;
    lose_the_connection(stage).await?;
    other_amount(stage).await?;
    processor_down(stage).await?;
    two_at_once(stage).await?;
    kill(stage).await
}

async fn press_twice(stage: &mut Stage) -> io::Result<()> {
    let mut payment = stage.payment("press twice", "tok_visa");
    payment.attempt().await?;
    payment.attempt().await?;
    Ok(())
}

async fn lose_the_connection(stage: &mut Stage) -> io::Result<()> {
    let mut payment = stage.payment("lose the connection", "tok_slow");
    let connection = payment.begin().await?;
    sleep(Duration::from_millis(300)).await;
    drop(connection);
    payment.note("", "connection lost").await;
    payment.settle().await
}

async fn other_amount(stage: &mut Stage) -> io::Result<()> {
    let mut payment = stage.payment("other amount", "tok_visa");
    payment.attempt().await?;
    payment.attempt_for(9900).await?;
    payment.attempt().await?;
    Ok(())
}

async fn processor_down(stage: &mut Stage) -> io::Result<()> {
    let mut payment = stage.payment("processor down", "tok_down_twice");
    payment.settle().await
}

async fn two_at_once(stage: &mut Stage) -> io::Result<()> {
    let mut payment = stage.payment("two at once", "tok_slow");
    let (one, two) = (payment.begin().await?, payment.begin().await?);
    let (one, two) = tokio::join!(client::receive(one), client::receive(two));
    payment.note_answer(&one?).await;
    payment.note_answer(&two?).await;
    payment.settle().await
}

async fn kill(stage: &mut Stage) -> io::Result<()> {
    let mut payment = stage.payment(KILL, "tok_slow_answer");
    let connection = payment.begin().await?;
    while payment.charges().await == 0 {
        sleep(Duration::from_millis(20)).await;
    }
    _ = payment.ask("POST /kill").await;
    match client::receive(connection).await {
        Ok(answer) => payment.note_answer(&answer).await,
        Err(_) => payment.note("", "no answer").await,
    }
    payment.settle().await
}
