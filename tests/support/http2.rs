//! A client that speaks HTTP/2 with prior knowledge.

use std::net::SocketAddr;

use actix_web::web::Bytes;

/// A request over HTTP/2, sent and not answered, and the connection that it went over.
pub struct Http2 {
    pub runtime: tokio::runtime::Runtime,
    pub answer: h2::client::ResponseFuture,
    pub stream: h2::SendStream<Bytes>,
    pub requests: h2::client::SendRequest<Bytes>,
}

impl Http2 {
    /// Posts with this key and body.
    pub fn post(addr: SocketAddr, path: &str, key: &str, body: &'static str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let uri = format!("http://{addr}{path}");
        let request = http::Request::post(uri).header("idempotency-key", key);
        let request = request.body(()).unwrap();
        let (requests, answer, stream) = runtime.block_on(async move {
            let socket = tokio::net::TcpStream::connect(addr).await.unwrap();
            let (requests, connection) = h2::client::handshake(socket).await.unwrap();
            tokio::spawn(connection);
            let mut requests = requests.ready().await.unwrap();
            let (answer, mut stream) = requests.send_request(request, false).unwrap();
            stream.send_data(body.into(), true).unwrap();
            (requests, answer, stream)
        });
        Self {
            runtime,
            answer,
            stream,
            requests,
        }
    }
}
