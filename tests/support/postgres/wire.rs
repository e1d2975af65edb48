//! What goes over the wire between a client and its server, counted on the way, and cut where a test says.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;

/// A proxy that counts round trips: how often a client waits for the server's answer.
#[derive(Debug)]
pub struct Wire {
    addr: SocketAddr,
    state: Arc<State>,
}

/// Where a connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The server never gets the message.
    Before,
    /// It carries it out, and its answer is lost.
    After,
    /// It carries it out, and half of its answer is lost.
    MidReply,
    /// It carries it out, its answer is lost, and nobody gets through any more.
    ForGood,
}

/// What is in the message of a commit.
pub const COMMIT: &str = "COMMIT";

#[derive(Debug, Default)]
struct State {
    trips: AtomicUsize,
    armed: Mutex<Option<(String, Cut)>>,
    is_down: AtomicBool,
}

impl State {
    /// The cut that this message takes.
    fn take(&self, sql: &str) -> Option<Cut> {
        let mut armed = self.armed.lock().unwrap();
        let is_meant = armed.as_ref().is_some_and(|(part, _)| sql.contains(part));
        let (_, cut) = is_meant.then(|| armed.take()).flatten()?;
        self.is_down.fetch_or(cut == Cut::ForGood, SeqCst);
        Some(cut)
    }
}

impl Wire {
    /// Stands before the server at that address, for as long as the process lives.
    pub fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let addr = listener.local_addr().expect("an address");
        let state = Arc::<State>::default();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.is_down.load(SeqCst) {
                    continue;
                }
                if let Ok(server) = TcpStream::connect(server) {
                    _ = carry(&client, &server, &shared);
                }
            }
        });
        Self { addr, state }
    }

    /// Breaks the connection at the next commit.
    pub fn cut(&self, cut: Cut) {
        self.cut_at(COMMIT, cut);
    }

    /// Breaks the connection at the next message whose SQL has that in it.
    pub fn cut_at(&self, part: &str, cut: Cut) {
        *self.state.armed.lock().unwrap() = Some((part.to_owned(), cut));
    }

    /// Takes back a cut; `false` if a message has taken it.
    pub fn disarm(&self) -> bool {
        self.state.armed.lock().unwrap().take().is_some()
    }

    /// Lets through again whoever was cut off for good.
    pub fn mend(&self) {
        self.state.is_down.store(false, SeqCst);
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// How many round trips there were so far, of all connections.
    pub fn trips(&self) -> usize {
        self.state.trips.load(SeqCst)
    }
}

fn carry(client: &TcpStream, server: &TcpStream, state: &Arc<State>) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from, to) = (server.try_clone()?, client.try_clone()?);
    let (client, server) = (client.try_clone()?, server.try_clone()?);
    let lost = Arc::<Mutex<Option<Cut>>>::default();
    let told = Arc::clone(&lost);
    thread::spawn(move || _ = forward(from, to, &lost));
    let state = Arc::clone(state);
    thread::spawn(move || {
        _ = count(&client, &server, &state, &told);
        // Whichever side has gone.
        _ = server.shutdown(Shutdown::Both);
        _ = client.shutdown(Shutdown::Both);
    });
    Ok(())
}

/// Passes on answers, until one of them is lost with its connection.
fn forward(mut from: TcpStream, mut to: TcpStream, lost: &Mutex<Option<Cut>>) -> io::Result<()> {
    let mut chunk = [0; 16 * 1024];
    loop {
        let read = from.read(&mut chunk)?;
        let cut = *lost.lock().unwrap();
        if cut == Some(Cut::MidReply) {
            to.write_all(&chunk[..read / 2])?;
        }
        if read == 0 || cut.is_some() {
            from.shutdown(Shutdown::Both)?;
            return to.shutdown(Shutdown::Both);
        }
        to.write_all(&chunk[..read])?;
    }
}

/// Passes on whole messages. The first has no type; after `Sync` and `Query` a client waits.
fn count(
    mut client: &TcpStream,
    mut server: &TcpStream,
    state: &State,
    lost: &Mutex<Option<Cut>>,
) -> io::Result<()> {
    server.write_all(&message(&mut client, &[])?)?;
    let mut prepared = HashMap::new();
    loop {
        let mut kind = [0];
        client.read_exact(&mut kind)?;
        let message = message(&mut client, &kind)?;
        if matches!(kind, [b'S' | b'Q']) {
            state.trips.fetch_add(1, SeqCst);
        }
        if state.is_down.load(SeqCst) {
            return Ok(());
        }
        let sql = sql(kind[0], &message[5..], &mut prepared);
        match sql.and_then(|sql| state.take(&sql)) {
            Some(Cut::Before) => return Ok(()),
            cut @ Some(_) => *lost.lock().unwrap() = cut,
            None => {}
        }
        server.write_all(&message)?;
    }
}

/// What a message has the server carry out. A statement that was prepared is known by its name.
fn sql(kind: u8, rest: &[u8], prepared: &mut HashMap<String, String>) -> Option<String> {
    let mut texts = rest.split(|octet| *octet == 0);
    let mut text = || Some(String::from_utf8_lossy(texts.next()?).into_owned());
    match kind {
        b'Q' => text(),
        b'P' => {
            let (name, sql) = (text()?, text()?);
            prepared.insert(name, sql);
            None
        }
        b'B' => {
            let (_portal, name) = (text()?, text()?);
            prepared.get(&name).cloned()
        }
        _ => None,
    }
}

fn message(client: &mut &TcpStream, kind: &[u8]) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    client.read_exact(&mut length)?;
    let rest = (u32::from_be_bytes(length) as usize).saturating_sub(4);
    let mut message = [kind, &length].concat();
    let head = message.len();
    message.resize(head + rest, 0);
    client.read_exact(&mut message[head..])?;
    Ok(message)
}
