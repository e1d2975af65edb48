//! What the integration tests share: a real server on a free port, and a raw client that sends
//! exactly the bytes it is told and reads exactly the bytes that come.

pub mod redis;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, ServerHandle, Service, ServiceFactory};
use actix_web::http::Method;
use actix_web::{App, Error, HttpServer, dev};

/// A server with two workers, stopped when dropped.
pub struct Server {
    addr: SocketAddr,
    handle: ServerHandle,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Starts a server on a free loopback port; it also speaks HTTP/2 with prior knowledge.
pub fn serve<F, T, B>(app: F) -> Server
where
    F: Fn() -> App<T> + Send + Clone + 'static,
    T: ServiceFactory<
            dev::ServiceRequest,
            Config = (),
            Response = dev::ServiceResponse<B>,
            Error = Error,
            InitError = (),
        > + 'static,
    T::Service: Service<dev::ServiceRequest>,
    B: MessageBody + 'static,
    AppConfig: Clone,
{
    serve_half_closed(app, true)
}

/// Starts a server that may take the end of a client's writing for its departure.
pub fn serve_half_closed<F, T, B>(app: F, allowed: bool) -> Server
where
    F: Fn() -> App<T> + Send + Clone + 'static,
    T: ServiceFactory<
            dev::ServiceRequest,
            Config = (),
            Response = dev::ServiceResponse<B>,
            Error = Error,
            InitError = (),
        > + 'static,
    T::Service: Service<dev::ServiceRequest>,
    B: MessageBody + 'static,
    AppConfig: Clone,
{
    let (started, start) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let server = HttpServer::new(app)
                .workers(2)
                .disable_signals()
                .h1_allow_half_closed(allowed)
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

    /// One request on a connection of its own.
    pub fn send(&self, request: Request) -> Response {
        let mut client = Client::connect(self.addr);
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

/// A request, line by line.
#[derive(Clone, Debug)]
pub struct Request {
    head: String,
    body: Vec<u8>,
    sized: bool,
}

impl Request {
    /// `POST`, `PUT` and so on.
    pub fn new(method: Method, target: &str) -> Self {
        Self {
            head: format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n"),
            body: Vec::new(),
            sized: true,
        }
    }

    /// The most common one.
    pub fn post(target: &str) -> Self {
        Self::new(Method::POST, target)
    }

    /// Adds a header line as it is.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// Adds the key as a bare value.
    pub fn key(self, key: &str) -> Self {
        self.header("Idempotency-Key", key)
    }

    /// Sets a body of declared length.
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// Sets a chunked body.
    pub fn chunked(mut self, chunks: &[&[u8]]) -> Self {
        self.sized = false;
        self.body.clear();
        for chunk in chunks {
            self.body.extend(format!("{:x}\r\n", chunk.len()).bytes());
            self.body.extend_from_slice(chunk);
            self.body.extend(b"\r\n");
        }
        self.body.extend(b"0\r\n\r\n");
        self.header("Transfer-Encoding", "chunked")
    }

    /// The bytes on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head.clone().into_bytes();
        if self.sized {
            bytes.extend(format!("Content-Length: {}\r\n", self.body.len()).bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// One connection.
pub struct Client {
    stream: TcpStream,
    /// What was read past the end of the last answer.
    buffer: Vec<u8>,
}

impl Client {
    /// Connects; a read that takes over 30 s fails the test.
    pub fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).expect("a listening server");
        let limit = Some(Duration::from_secs(30));
        stream.set_read_timeout(limit).expect("a valid timeout");
        stream.set_nodelay(true).expect("a TCP stream");
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// Sends a request.
    pub fn send(&mut self, request: &Request) {
        self.write(&request.bytes());
    }

    /// Sends bytes.
    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("an open connection");
    }

    /// The socket, to shut it down or to set options.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Closes the connection by RST instead of FIN.
    pub fn reset(self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket
            .set_linger(Some(Duration::ZERO))
            .expect("a TCP stream");
    }

    /// Reads one answer to its end.
    pub fn receive(&mut self) -> Response {
        self.try_receive().expect("a whole answer")
    }

    /// Reads one answer, or fails where the connection ended before it.
    pub fn try_receive(&mut self) -> std::io::Result<Response> {
        let mut response = self.receive_head()?;
        let length = response
            .header("content-length")
            .map(|n| n.parse::<usize>());
        if response.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.receive_chunk()? {
                response.body.extend(chunk);
            }
        } else if let (Some(Ok(length)), true) = (length, response.status != 304) {
            response.body = self.take(length)?;
        }
        Ok(response)
    }

    /// Reads status and header lines.
    pub fn receive_head(&mut self) -> std::io::Result<Response> {
        let head = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break self.take(end + 4)?;
            }
            self.fill()?;
        };
        let text: String = head.iter().map(|&b| char::from(b)).collect();
        let mut lines = text.trim_end().split("\r\n");
        let status = lines.next().unwrap_or_default();
        Ok(Response {
            status: status.split(' ').nth(1).unwrap_or("").parse().unwrap_or(0),
            headers: lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect(),
            body: Vec::new(),
        })
    }

    /// Reads one chunk of a chunked answer; `None` is the terminator.
    pub fn receive_chunk(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let line = loop {
            if let Some(end) = find(&self.buffer, b"\r\n") {
                break self.take(end + 2)?;
            }
            self.fill()?;
        };
        let digits = String::from_utf8_lossy(&line);
        let length = usize::from_str_radix(digits.trim(), 16).expect("a chunk's length");
        let mut chunk = self.take(length + 2)?;
        chunk.truncate(length);
        Ok((length > 0).then_some(chunk))
    }

    /// Reads that many bytes.
    pub fn take(&mut self, length: usize) -> std::io::Result<Vec<u8>> {
        while self.buffer.len() < length {
            self.fill()?;
        }
        let rest = self.buffer.split_off(length);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }

    fn fill(&mut self) -> std::io::Result<()> {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk)? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => {
                self.buffer.extend_from_slice(&chunk[..read]);
                Ok(())
            }
        }
    }
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    let mut windows = bytes.windows(pattern.len());
    windows.position(|window| window == pattern)
}

/// An answer as it came; header values are latin-1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Lines in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body's octets, unchunked.
    pub body: Vec<u8>,
}

impl Response {
    /// The first line of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.headers.iter();
        lines.find(|(n, _)| n == name).map(|(_, value)| &**value)
    }

    /// Every line of that name, in order.
    pub fn lines(&self, name: &str) -> Vec<&str> {
        let lines = self.headers.iter().filter(|(n, _)| n == name);
        lines.map(|(_, value)| &**value).collect()
    }

    /// Whether it is marked as a replay.
    pub fn is_replay(&self) -> bool {
        self.header("idempotent-replayed") == Some("true")
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The last part of the problem's type, if it is a problem of ours.
    pub fn problem(&self) -> Option<String> {
        let json: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        let kind = json.get("type")?.as_str()?;
        Some(kind.rsplit([':', '/', '#']).next()?.to_owned())
    }
}
