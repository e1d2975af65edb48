//! The trial of transactions in large numbers: a table of what each kind of fault came to, with the layer and, so that one
//! sees that it would be found, without.
//!
//! ```console
//! scripts/try-transactions [filter]
//! ```
//!
//! Only rows whose first cells contain the filter are run.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use idempotency_actix_tests::postgres::{Cut, PgServer, Wire};
use idempotency_actix_tests::trial::{
    At, Guard, Place, SHORT, Verdict, crashes, cuts, duplicates, kills, stops,
};

#[derive(Clone, Copy, Debug)]
enum Database {
    Postgres,
    Sqlite,
}

#[derive(Clone, Copy, Debug)]
enum Scenario {
    Kills,
    Crashes,
    Cuts(At, Cut),
    Duplicates,
    Stops,
}

impl Scenario {
    fn of(database: Database, guard: Guard) -> Vec<Self> {
        let everywhere = vec![Self::Kills, Self::Duplicates, Self::Stops];
        let cuts = At::of(guard).iter().flat_map(|&at| {
            let ways = [Cut::Before, Cut::After, Cut::MidReply];
            ways.map(|cut| Self::Cuts(at, cut))
        });
        match database {
            Database::Sqlite => everywhere,
            Database::Postgres => [everywhere, vec![Self::Crashes], cuts.collect()].concat(),
        }
    }

    fn run(self, database: Database, guard: Guard) -> Verdict {
        let server;
        let place = match database {
            Database::Postgres => {
                server = PgServer::start(&[]);
                Place::on(&server, teller(), guard)
            }
            Database::Sqlite => Place::file(teller(), guard),
        };
        match self {
            Self::Kills => kills(&place, 300),
            Self::Crashes => crashes(&place, 30),
            Self::Duplicates => duplicates(&place, 100, 40),
            Self::Stops => stops(&place.lease(SHORT), 10),
            Self::Cuts(at, cut) => {
                let wire = Wire::to(place.server().expect("a server").addr());
                let faults = if at == At::Commit { 500 } else { 200 };
                cuts(&place.behind(&wire), &wire, at, cut, faults)
            }
        }
    }
}

/// Beside this program, where the script builds both.
fn teller() -> PathBuf {
    let own = std::env::current_exe().expect("the path of this program");
    own.with_file_name("teller")
}

fn main() -> ExitCode {
    let filter = std::env::args().nth(1).unwrap_or_default();
    let mut is_well = true;
    println!(
        "| database | guard | fault | faults | in mid-transaction | keys | wrong | wrong when asked again \
         | transactions left open | refused in the end | seconds |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for database in [Database::Postgres, Database::Sqlite] {
        for guard in [Guard::Layer, Guard::Nothing] {
            for scenario in Scenario::of(database, guard) {
                let title = format!("| {database:?} | {guard:?} | {scenario:?} |");
                if !title.contains(&filter) {
                    continue;
                }
                let start = Instant::now();
                let verdict = scenario.run(database, guard);
                println!("{title} {verdict} | {} |", start.elapsed().as_secs());
                if !verdict.is_as_it_should_be() {
                    is_well = false;
                    for complaint in verdict.complaints() {
                        println!("\n{complaint}\n");
                    }
                }
            }
        }
    }
    match is_well {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
