//! Clients that ask, and a server that is killed meanwhile.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::error::Error;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::rt::{self, time::sleep};
use actix_web::web;

use crate::cli::{Database, Game};
use crate::client::Client;
use crate::dice::Dice;
use crate::report::{Report, Tally, Told};
use crate::server::Server;
use crate::transfer::Books;

const CLIENTS: usize = 4;

/// What each client asks for at least.
const LEAST: usize = 25;

/// A server lives for less than that, in milliseconds.
const LIFE: usize = 250;

pub(crate) async fn play(database: &Database, game: &Game) -> Result<Report, Box<dyn Error>> {
    // PostgreSQL remembers the transfers of the last time that this was run.
    let run = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let mut server = Server::start(database, game.keys)?;
    let place = Rc::new(Cell::new(server.address));
    let are_killing = Rc::new(Cell::new(true));
    let clients = (0..CLIENTS).map(|number| {
        let client = Client {
            http: awc::Client::default(),
            server: Rc::clone(&place),
            keys: game.keys,
            dice: Dice::default(),
            tally: Tally::default(),
        };
        let goes_on = Rc::clone(&are_killing);
        rt::spawn(ask(client, format!("{run}-{number}"), goes_on))
    });
    let clients: Vec<_> = clients.collect();

    let mut dice = Dice::default();
    for _ in 0..game.kills {
        sleep(Duration::from_millis(dice.below(LIFE) as u64)).await;
        server.kill()?;
        let (database, keys) = (database.clone(), game.keys);
        server = web::block(move || Server::start(&database, keys)).await??;
        place.set(server.address);
    }
    are_killing.set(false);

    let mut tally = Tally::default();
    let mut told = BTreeMap::new();
    for client in clients {
        let (counted, answers) = client.await??;
        tally += counted;
        told.extend(answers);
    }
    let url = format!("http://{}/books/{run}-", place.get());
    let mut books = awc::Client::default().get(url).send().await?;
    let books: Books = serde_json::from_slice(&books.body().limit(16 << 20).await?)?;
    Ok(Report {
        kills: game.kills,
        tally,
        told,
        books,
    })
}

type Asked = Result<(Tally, BTreeMap<String, Told>), Box<dyn Error>>;

/// Asks for one transfer after the other.
async fn ask(mut client: Client, name: String, goes_on: Rc<Cell<bool>>) -> Asked {
    let mut told = BTreeMap::new();
    while goes_on.get() || told.len() < LEAST {
        let transfer = client.invent(format!("{name}-{}", told.len()));
        let answer = client.ask(&transfer).await?;
        told.insert(transfer.reference, answer);
    }
    Ok((client.tally, told))
}
