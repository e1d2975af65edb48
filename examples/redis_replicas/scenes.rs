//! What is sent to the replicas, in order.

use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::rt;
use actix_web::rt::time::timeout;

use crate::charges::Order;
use crate::client::{Answer, Client};
use crate::report::Report;

const DUPLICATES: usize = 20;

const QUICK: Order = Order {
    amount_cents: 1250,
    takes_ms: 0,
};

const SLOW: Order = Order {
    amount_cents: 9900,
    takes_ms: 800,
};

pub(crate) async fn play(a: &Client, b: &Client) -> Result<Report, Box<dyn Error>> {
    // Redis remembers the keys of the last time that this was run.
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let mut report = Report::new(format!("-{now}"));
    lost_answer(a, b, &mut report).await?;
    duplicates(a, b, &mut report).await?;
    hang_up(a, b, &mut report).await?;
    for client in [a, b] {
        report.count(client.replica, client.runs().await?);
    }
    Ok(report)
}

/// A client sends, does not see the answer, and sends again; then it makes a mistake.
async fn lost_answer(a: &Client, b: &Client, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let key = report.key("order-1");
    let first = a.charge(&key, QUICK).await?;
    report.row("order-1", "a first request", a.replica, &[first]);
    let again = b.charge(&key, QUICK).await?;
    report.row("", "the same again", b.replica, &[again]);
    let other = Order {
        amount_cents: 1,
        ..QUICK
    };
    let refused = b.charge(&key, other).await?;
    report.row("", "the same key, another body", b.replica, &[refused]);
    Ok(())
}

/// Many clients send one request at once, half of them to each replica.
async fn duplicates(a: &Client, b: &Client, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let key = report.key("order-2");
    let first = at_once((0..DUPLICATES).map(|number| {
        let client = [a, b][number % 2].clone();
        let key = key.clone();
        async move {
            let answer = client.charge(&key, SLOW).await?;
            Ok((client, answer))
        }
    }))
    .await?;
    let what = format!("{DUPLICATES} at once, of a slow one");
    report.row("order-2", &what, "both", &answers(&first));

    let waiting = first.into_iter().filter(|(_, answer)| answer.must_wait());
    let retried = at_once(waiting.map(|(client, answer)| {
        let key = key.clone();
        async move {
            let answer = client.retry(&key, SLOW, answer).await?;
            Ok((client, answer))
        }
    }))
    .await?;
    report.row("", "who has to wait, again", "both", &answers(&retried));
    Ok(())
}

/// A client hangs up while the handler runs, and looks for its answer elsewhere.
async fn hang_up(a: &Client, b: &Client, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let key = report.key("order-3");
    let patience = Duration::from_millis(200);
    let first = timeout(patience, a.charge(&key, SLOW)).await;
    let first: Vec<_> = first.ok().transpose()?.into_iter().collect();
    let what = "a slow one, hangs up in mid-run";
    report.row("order-3", what, a.replica, &first);
    let early = b.charge(&key, SLOW).await?;
    report.row(
        "",
        "the same again",
        b.replica,
        std::slice::from_ref(&early),
    );
    let answer = b.retry(&key, SLOW, early).await?;
    report.row("", "and after the time it was told", b.replica, &[answer]);
    Ok(())
}

type Answered = Result<(Client, Answer), Box<dyn Error>>;

async fn at_once(
    requests: impl Iterator<Item = impl Future<Output = Answered> + 'static>,
) -> Result<Vec<(Client, Answer)>, Box<dyn Error>> {
    let running: Vec<_> = requests.map(rt::spawn).collect();
    let mut done = Vec::with_capacity(running.len());
    for request in running {
        done.push(request.await??);
    }
    Ok(done)
}

fn answers(of: &[(Client, Answer)]) -> Vec<Answer> {
    of.iter().map(|(_, answer)| answer.clone()).collect()
}
