//! A network that loses requests and answers, by a fixed plan. It does not know what they are.

use std::io;
use std::net::SocketAddr;

use tokio::io::{copy, copy_bidirectional, sink};
use tokio::net::{TcpListener, TcpStream};

/// What becomes of a connection, which has one request.
#[derive(Clone, Copy)]
enum Fate {
    Arrives,
    /// It is cut before the server hears of it.
    RequestIsLost,
    /// The server answers, and nobody hears it.
    AnswerIsLost,
}

/// The fates of the connections, one after the other and again from the start.
const PLAN: [Fate; 7] = [
    Fate::RequestIsLost,
    Fate::AnswerIsLost,
    Fate::Arrives,
    Fate::AnswerIsLost,
    Fate::AnswerIsLost,
    Fate::Arrives,
    Fate::Arrives,
];

/// Starts the proxy before a server, and tells its address.
pub(crate) async fn start(server: SocketAddr) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        for fate in PLAN.into_iter().cycle() {
            let Ok((client, _)) = listener.accept().await else {
                return;
            };
            // An error of one side is the end of the other.
            tokio::spawn(async move { _ = pass(client, server, fate).await });
        }
    });
    Ok(address)
}

async fn pass(mut client: TcpStream, server: SocketAddr, fate: Fate) -> io::Result<()> {
    if let Fate::RequestIsLost = fate {
        return Ok(());
    }
    let mut server = TcpStream::connect(server).await?;
    if let Fate::AnswerIsLost = fate {
        let (mut requests, _client) = client.split();
        let (mut answers, mut to_server) = server.split();
        let mut nobody = sink();
        // The server closes the connection behind its answer.
        tokio::select! {
            _ = copy(&mut answers, &mut nobody) => {}
            _ = async {
                _ = copy(&mut requests, &mut to_server).await;
                std::future::pending::<()>().await
            } => {}
        }
        return Ok(());
    }
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}
