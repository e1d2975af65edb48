//! What is lost when a primary fails under load, on real servers that it starts by itself.
//!
//! ```console
//! cargo run --release -p idempotency-actix-tests --bin failover [filter] [--seconds n]
//! ```
//!
//! It prints a table, which guide/failover.md explains. Only rows whose first cells contain the filter
//! are run. The load goes on at full speed for `n` seconds (2 by default) before each event and after the
//! failover, and eases off until all servers are well again.

mod configuration;
mod event;
mod load;
mod servers;
mod tally;

use std::time::Duration;

use self::configuration::Configuration;
use self::event::Event;
use self::load::Load;
use self::servers::{Kind, Servers};
use self::tally::Tally;

struct Row {
    kind: Kind,
    event: Event,
    configuration: Configuration,
}

impl Row {
    fn title(&self) -> String {
        let Self {
            kind,
            event,
            configuration,
        } = self;
        format!("| {kind} | {event} | {configuration} |")
    }

    fn run(&self, pause: Duration) -> Tally {
        let servers = Servers::start(self.kind, &self.configuration);
        let load = Load::start(self.kind, &servers, &self.configuration);
        std::thread::sleep(pause);
        let event = load.now();
        self.event.happen(&servers, || {
            std::thread::sleep(pause);
            load.ease();
        });
        std::thread::sleep(pause);
        Tally::of(&load.stop(), event, &servers)
    }
}

fn rows() -> impl Iterator<Item = Row> {
    let kinds = [Kind::Sentinel, Kind::Cluster, Kind::Server].into_iter();
    kinds.flat_map(|kind| {
        let events = Event::of(kind).iter();
        events.flat_map(move |&event| {
            let configurations = Configuration::of(kind).iter();
            configurations.map(move |&configuration| Row {
                kind,
                event,
                configuration,
            })
        })
    })
}

fn main() {
    let (mut filter, mut pause) = (String::new(), Duration::from_secs(2));
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match &*arg {
            "--seconds" => {
                let seconds = args.next().and_then(|n| n.parse().ok());
                pause = Duration::from_secs(seconds.expect("--seconds has a whole number"));
            }
            _ => filter = arg,
        }
    }
    println!(
        "| servers | event | configuration | claims granted | claims lost | lost until | answers lost | refused | longest pause |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for row in rows().filter(|row| row.title().contains(&filter)) {
        println!("{} {} |", row.title(), row.run(pause));
    }
    println!("\n{}", tally::LEGEND);
}
