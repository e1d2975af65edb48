//! Where connections come in, and whether they do.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

use super::link::Link;
use super::traffic::Ledger;

/// What a test wants done with connections.
#[derive(Debug)]
pub(super) enum Order {
    Accept,
    AcceptAndClose,
    Refuse,
    Sever,
}

/// Lets connections in.
pub(super) struct Door {
    addr: SocketAddr,
    listener: Option<TcpListener>,
    closes: bool,
    server: SocketAddr,
    ledger: Arc<Ledger>,
    links: JoinSet<()>,
}

impl Door {
    pub(super) fn new(listener: TcpListener, server: SocketAddr, ledger: Arc<Ledger>) -> Self {
        Self {
            addr: listener.local_addr().expect("a bound socket"),
            listener: Some(listener),
            closes: false,
            server,
            ledger,
            links: JoinSet::new(),
        }
    }

    /// Goes on until nobody can give orders any more.
    pub(super) async fn attend(mut self, mut inbox: UnboundedReceiver<(Order, mpsc::Sender<()>)>) {
        loop {
            tokio::select! {
                biased;
                order = inbox.recv() => {
                    let Some((order, done)) = order else { return };
                    self.obey(order).await;
                    let _ = done.send(());
                }
                Some(ended) = self.links.join_next() => ended.expect("a link that does not panic"),
                client = accept(self.listener.as_ref()) => {
                    if let Ok((client, _)) = client {
                        self.let_in(client);
                    }
                }
            }
        }
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Accept | Order::AcceptAndClose => {
                self.closes = matches!(order, Order::AcceptAndClose);
                if self.listener.is_none() {
                    let listener = TcpListener::bind(self.addr).await;
                    self.listener = Some(listener.expect("a reserved port"));
                }
            }
            Order::Refuse => self.listener = None,
            Order::Sever => self.links.shutdown().await,
        }
    }

    fn let_in(&mut self, client: TcpStream) {
        let number = self.ledger.accepted();
        if self.closes {
            return;
        }
        let (server, ledger) = (self.server, Arc::clone(&self.ledger));
        self.links.spawn(async move {
            if let Ok(server) = TcpStream::connect(server).await {
                Link::new(number, ledger).run(client, server).await;
            }
        });
    }
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}
