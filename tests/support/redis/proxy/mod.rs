//! A proxy that breaks connections as told. It must not know whose commands they are.

mod door;
mod frames;
mod link;
mod rule;
mod traffic;

use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use self::door::{Door, Order};
use self::traffic::Ledger;
use crate::patience::until;
use crate::port::Port;

pub use self::rule::{Harm, Rule};
pub use self::traffic::Traffic;

/// A TCP proxy between clients and a server that counts commands and hurts them as told.
///
/// It has a thread of its own, and ends with its connections when dropped.
#[derive(Debug)]
pub struct Proxy {
    port: Port,
    ledger: Arc<Ledger>,
    orders: Option<UnboundedSender<(Order, mpsc::Sender<()>)>>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts one in front of a server. While that is down, its connections are closed at once.
    pub fn to(server: SocketAddr) -> Self {
        // On a thread of its own, as a caller may be within a runtime already.
        let proxy = std::thread::spawn(move || Self::start(server)).join();
        proxy.expect("a proxy")
    }

    fn start(server: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let (port, listener) = (0..10)
            .find_map(|_| {
                let port = Port::reserve();
                let listener = runtime.block_on(TcpListener::bind(port.addr())).ok()?;
                Some((port, listener))
            })
            .expect("a port that stays free until the proxy listens");
        let (orders, inbox) = unbounded_channel();
        let ledger = Arc::new(Ledger::default());
        let door = Door::new(listener, server, Arc::clone(&ledger));
        Self {
            port,
            ledger,
            orders: Some(orders),
            thread: Some(std::thread::spawn(move || {
                runtime.block_on(door.attend(inbox));
            })),
        }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.port.addr()
    }

    /// Where it listens, as clients want it.
    pub fn url(&self) -> String {
        format!("redis://{}", self.addr())
    }

    /// Sets the rule, in place of the one before.
    pub fn arm(&self, rule: Rule) {
        self.ledger.set_rule(Some(rule));
    }

    /// Removes the rule.
    pub fn disarm(&self) {
        self.ledger.set_rule(None);
    }

    /// Stops listening, so that connects are refused; open connections stay.
    pub fn refuse_connections(&self) {
        self.order(Order::Refuse);
    }

    /// Closes every new connection as soon as it is accepted; open connections stay.
    pub fn accept_and_close(&self) {
        self.order(Order::AcceptAndClose);
    }

    /// Serves new connections again.
    pub fn accept(&self) {
        self.order(Order::Accept);
    }

    /// Closes every open connection.
    pub fn sever(&self) {
        self.order(Order::Sever);
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        self.ledger.traffic().len()
    }

    /// What went over each accepted connection, in the order they came.
    pub fn traffic(&self) -> Vec<Traffic> {
        self.ledger.traffic()
    }

    /// How many commands of that name came from clients.
    pub fn commands(&self, name: &str) -> usize {
        self.ledger.commands(name)
    }

    /// How many commands the rules have hurt so far.
    pub fn harmed(&self) -> usize {
        self.ledger.harmed()
    }

    /// Waits until the rules have hurt that many commands.
    ///
    /// # Panics
    ///
    /// If that does not happen within 10 s.
    pub fn wait_until_harmed(&self, count: usize) {
        until(Duration::from_secs(10), || {
            (self.harmed() >= count).then_some(())
        })
        .unwrap_or_else(|| panic!("{} commands hurt within 10 s", self.harmed()));
    }

    /// Returns once it is carried out.
    fn order(&self, order: Order) {
        let (done, wait) = mpsc::channel();
        let orders = self.orders.as_ref().expect("open until dropped");
        orders.send((order, done)).expect("a running thread");
        wait.recv().expect("a running thread");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
