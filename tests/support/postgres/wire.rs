//! What goes over the wire between a client and its server, counted on the way.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

/// A proxy that counts round trips: how often a client waits for the server's answer.
#[derive(Debug)]
pub struct Wire {
    addr: SocketAddr,
    trips: Arc<AtomicUsize>,
}

impl Wire {
    /// Stands before the server at that address, for as long as the process lives.
    pub fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let addr = listener.local_addr().expect("an address");
        let trips = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&trips);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(server) else {
                    continue;
                };
                let answers = (server.try_clone(), client.try_clone());
                let (Ok(from), Ok(to)) = answers else {
                    continue;
                };
                let counted = Arc::clone(&counted);
                thread::spawn(move || _ = forward(from, to));
                thread::spawn(move || _ = count(client, server, &counted));
            }
        });
        Self { addr, trips }
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

fn forward(mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
    io::copy(&mut from, &mut to)?;
    to.shutdown(Shutdown::Both)
}

/// Passes on whole messages. The first has no type; after `Sync` and `Query` a client waits.
fn count(mut client: TcpStream, mut server: TcpStream, trips: &AtomicUsize) -> io::Result<()> {
    let first = message(&mut client, &[])?;
    server.write_all(&first)?;
    loop {
        let mut kind = [0];
        client.read_exact(&mut kind)?;
        let message = message(&mut client, &kind)?;
        if matches!(kind, [b'S' | b'Q']) {
            trips.fetch_add(1, SeqCst);
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
