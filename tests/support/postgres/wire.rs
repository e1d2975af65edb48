//! What goes over the wire between a client and its server, counted on the way.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;

/// A proxy that counts round trips: how often a client waits for the server's answer.
#[derive(Debug)]
pub struct Wire {
    addr: SocketAddr,
    trips: Arc<AtomicUsize>,
    cut: Arc<Mutex<Option<Cut>>>,
}

/// Where a connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The server never gets the message.
    Before,
    /// It carries it out, and its answer is lost.
    After,
}

/// What is in the message of a commit.
const COMMIT: &[u8] = b"COMMIT AND CHAIN";

impl Wire {
    /// Stands before the server at that address, for as long as the process lives.
    pub fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let addr = listener.local_addr().expect("an address");
        let trips = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&trips);
        let cut = Arc::<Mutex<Option<Cut>>>::default();
        let armed = Arc::clone(&cut);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(server) else {
                    continue;
                };
                let answers = (server.try_clone(), client.try_clone());
                let (Ok(from), Ok(to)) = answers else {
                    continue;
                };
                let (counted, armed) = (Arc::clone(&counted), Arc::clone(&armed));
                let is_mute = Arc::<AtomicBool>::default();
                let mute = Arc::clone(&is_mute);
                thread::spawn(move || _ = forward(from, to, &is_mute));
                thread::spawn(move || {
                    let ended = client.try_clone();
                    _ = count(client, server, &counted, &armed, &mute);
                    if let Ok(client) = ended {
                        _ = client.shutdown(Shutdown::Both);
                    }
                });
            }
        });
        Self { addr, trips, cut }
    }

    /// Breaks the connection at the next commit.
    pub fn cut(&self, cut: Cut) {
        *self.cut.lock().unwrap() = Some(cut);
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// How many round trips there were so far, of all connections.
    pub fn trips(&self) -> usize {
        self.trips.load(SeqCst)
    }
}

/// Passes on answers, until one of them is lost with its connection.
fn forward(mut from: TcpStream, mut to: TcpStream, is_mute: &AtomicBool) -> io::Result<()> {
    let mut chunk = [0; 16 * 1024];
    loop {
        let read = from.read(&mut chunk)?;
        if read == 0 || is_mute.load(SeqCst) {
            from.shutdown(Shutdown::Both)?;
            return to.shutdown(Shutdown::Both);
        }
        to.write_all(&chunk[..read])?;
    }
}

/// Passes on whole messages. The first has no type; after `Sync` and `Query` a client waits.
fn count(
    mut client: TcpStream,
    mut server: TcpStream,
    trips: &AtomicUsize,
    armed: &Mutex<Option<Cut>>,
    mute: &AtomicBool,
) -> io::Result<()> {
    let first = message(&mut client, &[])?;
    server.write_all(&first)?;
    loop {
        let mut kind = [0];
        client.read_exact(&mut kind)?;
        let message = message(&mut client, &kind)?;
        if matches!(kind, [b'S' | b'Q']) {
            trips.fetch_add(1, SeqCst);
        }
        if message.windows(COMMIT.len()).any(|part| part == COMMIT) {
            match armed.lock().unwrap().take() {
                Some(Cut::Before) => {
                    server.shutdown(Shutdown::Both)?;
                    return Ok(());
                }
                Some(Cut::After) => mute.store(true, SeqCst),
                None => {}
            }
        }
        server.write_all(&message)?;
    }
}

fn message(client: &mut TcpStream, kind: &[u8]) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    client.read_exact(&mut length)?;
    let rest = (u32::from_be_bytes(length) as usize).saturating_sub(4);
    let mut message = [kind, &length].concat();
    let head = message.len();
    message.resize(head + rest, 0);
    client.read_exact(&mut message[head..])?;
    Ok(message)
}
