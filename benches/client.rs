use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Which idempotency key the requests have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// No header at all.
    None,
    /// The same one in all requests.
    Same,
    /// Another one in each request.
    Fresh,
}

/// Sends one prepared request over and over, on connections that are kept open.
///
/// One thread goes round the connections. On each it reads one answer and sends the next request, so
/// that the server always finds work, and no connection has two requests under way.
#[derive(Debug)]
pub struct Client {
    connections: Vec<TcpStream>,
    request: Vec<u8>,
    /// Where the digits of a fresh key stand in the request.
    digits: Option<usize>,
    sent: u64,
    answer: Vec<u8>,
    /// Room for an answer.
    buffer: Vec<u8>,
}

/// What was measured in one slice of time.
#[derive(Clone, Copy, Debug)]
pub struct Slice {
    /// Requests answered.
    pub requests: u64,
    /// Time on the wall.
    pub wall: Duration,
    /// CPU time of the server's worker.
    pub cpu: Duration,
}

const DIGITS: usize = 16;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

impl Client {
    /// Connects, and sends two requests: the answer to the second is what all others must look like.
    ///
    /// # Errors
    ///
    /// If the server cannot be reached or does not answer as expected.
    pub fn connect(
        server: SocketAddr,
        connections: usize,
        path: &str,
        body: &str,
        key: Key,
    ) -> io::Result<Self> {
        let line = match key {
            Key::None => String::new(),
            _ => format!("idempotency-key: benchmark-key-{:0DIGITS$}\r\n", 0),
        };
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {server}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n{line}\r\n",
            body.len(),
        );
        let digits = (key == Key::Fresh).then(|| head.len() - 4 - DIGITS);
        let open = |_| {
            let connection = TcpStream::connect(server)?;
            connection.set_nodelay(true)?;
            connection.set_nonblocking(true)?;
            Ok(connection)
        };
        let mut client = Self {
            connections: (0..connections).map(open).collect::<io::Result<_>>()?,
            request: [head.as_bytes(), body.as_bytes()].concat(),
            digits,
            sent: 0,
            answer: Vec::new(),
            buffer: Vec::new(),
        };
        for _ in 0..2 {
            client.send(0)?;
            client.answer = read_whole(&mut client.connections[0])?;
        }
        client.buffer = vec![0; client.answer.len()];
        Ok(client)
    }

    /// Sleeps while it waits for an answer, where others need its core.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn sleeping(self) -> io::Result<Self> {
        for connection in &self.connections {
            connection.set_nonblocking(false)?;
            connection.set_read_timeout(Some(PATIENCE))?;
        }
        Ok(self)
    }

    /// The answer that is expected, head and body.
    pub fn answer(&self) -> String {
        String::from_utf8_lossy(&self.answer).into_owned()
    }

    /// How many octets the body of the expected answer has.
    pub fn body_length(&self) -> usize {
        let answer = self.answer();
        answer
            .split_once("\r\n\r\n")
            .map_or(0, |(_, body)| body.len())
    }

    /// Keeps the server busy for some time.
    ///
    /// # Errors
    ///
    /// If an answer has another status line than the expected one, or takes seconds.
    pub fn run(&mut self, time: Duration) -> io::Result<Slice> {
        let cpu = self.cpu()?;
        let all = 0..self.connections.len();
        let start = Instant::now();
        let mut requests = 0;
        for i in all.clone() {
            self.send(i)?;
        }
        while start.elapsed() < time {
            for i in all.clone() {
                self.receive(i)?;
                self.send(i)?;
                requests += 1;
            }
        }
        for i in all {
            self.receive(i)?;
            requests += 1;
        }
        Ok(Slice {
            requests,
            wall: start.elapsed(),
            cpu: self.cpu()? - cpu,
        })
    }

    fn send(&mut self, i: usize) -> io::Result<()> {
        self.sent += 1;
        if let Some(at) = self.digits {
            let mut rest = self.sent;
            for digit in self.request[at..at + DIGITS].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
        self.connections[i].write_all(&self.request)
    }

    fn receive(&mut self, i: usize) -> io::Result<()> {
        read_exact(&mut self.connections[i], &mut self.buffer)?;
        let is_expected = self.buffer.starts_with(&self.answer[..STATUS_LINE]);
        if !is_expected {
            let text = String::from_utf8_lossy(&self.buffer).into_owned();
            return Err(io::Error::other(format!("unexpected answer: {text}")));
        }
        Ok(())
    }

    fn cpu(&mut self) -> io::Result<Duration> {
        let connection = &mut self.connections[0];
        connection.write_all(b"GET /cpu HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
        let answer = String::from_utf8_lossy(&read_whole(connection)?).into_owned();
        let nanos = answer.rsplit("\r\n").next().unwrap_or_default();
        nanos
            .parse()
            .map(Duration::from_nanos)
            .map_err(io::Error::other)
    }
}

/// As far as `HTTP/1.1 201`.
const STATUS_LINE: usize = 12;

/// Asks again and again rather than sleep: to wake a sleeper would be a cost of the server's.
fn read_exact(connection: &mut TcpStream, mut buffer: &mut [u8]) -> io::Result<()> {
    let start = Instant::now();
    while !buffer.is_empty() {
        match connection.read(buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => buffer = &mut buffer[read..],
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            Err(error) if start.elapsed() > PATIENCE => return Err(error),
            Err(_) => std::hint::spin_loop(),
        }
    }
    Ok(())
}

/// Reads one answer that declares its length.
fn read_whole(connection: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") {
        read_exact(connection, &mut byte)?;
        answer.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&answer).to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length = length.and_then(|length| length.trim().parse::<usize>().ok());
    let length = length.ok_or_else(|| io::Error::other(format!("no content-length: {head}")))?;
    let mut body = vec![0; length];
    read_exact(connection, &mut body)?;
    answer.extend(body);
    Ok(answer)
}
