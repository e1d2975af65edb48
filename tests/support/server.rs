//! A real HTTP server on a free port. It must not know what it serves.

use std::net::SocketAddr;
use std::sync::mpsc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServerHandle, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::{App, Error, HttpServer};

use crate::client::Client;
use crate::request::Request;
use crate::response::Response;

/// A server with two workers, stopped when dropped.
pub struct Server {
    addr: SocketAddr,
    handle: ServerHandle,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// The routes of an `App` that can be served.
pub trait Routes<B>:
    ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<B>,
        Error = Error,
        InitError = (),
    > + 'static
{
}

impl<T, B> Routes<B> for T where
    T: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<B>,
            Error = Error,
            InitError = (),
        > + 'static
{
}

/// What a server makes of a client that has ended its writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HalfClosed {
    /// It waits for its answer.
    Served,
    /// It has left.
    Gone,
}

/// Starts a server on a free loopback port; it also speaks HTTP/2 with prior knowledge.
pub fn serve<T: Routes<B>, B: MessageBody + 'static>(
    app: impl Fn() -> App<T> + Send + Clone + 'static,
) -> Server {
    serve_half_closed(HalfClosed::Served, app)
}

/// Starts a server that treats half-closed connections like that.
pub fn serve_half_closed<T: Routes<B>, B: MessageBody + 'static>(
    half_closed: HalfClosed,
    app: impl Fn() -> App<T> + Send + Clone + 'static,
) -> Server {
    let (started, start) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let server = HttpServer::new(app)
                .workers(2)
                .disable_signals()
                .h1_allow_half_closed(half_closed == HalfClosed::Served)
                .shutdown_timeout(1)
                .bind_auto_h2c(("127.0.0.1", 0))
                .expect("a free port");
            let addr = server.addrs()[0];
            let server = server.run();
            started
                .send((addr, server.handle()))
                .expect("a waiting test");
            server.await.expect("a server that stops in peace");
        });
    });
    let (addr, handle) = start.recv().expect("a server that starts");
    Server {
        addr,
        handle,
        thread: Some(thread),
    }
}

impl Server {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops in peace, and fails the test if it does not.
    pub fn stop(mut self) {
        drop(self.handle.stop(true));
        let thread = self.thread.take().expect("a server that runs");
        thread.join().expect("a server that stops in peace");
    }

    /// A connection, all of whose requests are served by the same worker.
    pub fn connect(&self) -> Client {
        Client::connect(self.addr)
    }

    /// One request on a connection of its own.
    pub fn send(&self, request: Request) -> Response {
        let mut client = self.connect();
        client.send(&request);
        client.receive()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
