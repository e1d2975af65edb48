//! One connection through the proxy, and what happens to its commands.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::WriteHalf;
use tokio::sync::Notify;

use super::frames::Frames;
use super::rule::Harm;
use super::traffic::Ledger;
use crate::redis::reply::Reply;

/// One client's connection and the server's that belongs to it.
pub(super) struct Link {
    number: usize,
    ledger: Arc<Ledger>,
    /// What is to happen to the replies that are still to come.
    pending: Mutex<VecDeque<Option<Harm>>>,
    answered: Notify,
}

#[derive(PartialEq)]
enum End {
    Closed,
    Reset,
}

impl Link {
    pub(super) fn new(number: usize, ledger: Arc<Ledger>) -> Self {
        Self {
            number,
            ledger,
            pending: Mutex::default(),
            answered: Notify::new(),
        }
    }

    /// Carries commands and replies until one side ends or a rule cuts.
    pub(super) async fn run(self, mut client: TcpStream, mut server: TcpStream) {
        let _ = client.set_nodelay(true);
        let _ = server.set_nodelay(true);
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let end = tokio::select! {
            end = self.carry_commands(Frames::new(from_client), to_server) => end,
            end = self.carry_replies(Frames::new(from_server), to_client) => end,
        };
        if end.is_ok_and(|end| end == End::Reset) {
            for stream in [&client, &server] {
                let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
            }
        }
    }

    async fn carry_commands(
        &self,
        mut client: Frames<'_>,
        mut server: WriteHalf<'_>,
    ) -> io::Result<End> {
        while let Some((command, octets)) = client.next().await? {
            let harm = self.ledger.command(self.number, &arguments(command));
            match harm {
                Some(Harm::CutBefore) => {
                    while !self.pending().is_empty() {
                        self.answered.notified().await;
                    }
                    self.ledger.harm();
                    return Ok(End::Reset);
                }
                Some(Harm::DelayCommand(delay)) => {
                    self.ledger.harm();
                    tokio::time::sleep(delay).await;
                }
                _ => {}
            }
            self.pending().push_back(harm);
            server.write_all(&octets).await?;
        }
        Ok(End::Closed)
    }

    async fn carry_replies(
        &self,
        mut server: Frames<'_>,
        mut client: WriteHalf<'_>,
    ) -> io::Result<End> {
        let mut swallowed = false;
        while let Some((reply, octets)) = server.next().await? {
            let unasked = matches!(reply, Reply::Push(_));
            let harm = match unasked {
                true => None,
                false => self.pending().front().copied().flatten(),
            };
            match harm {
                Some(Harm::CutAfter) => {
                    self.ledger.harm();
                    return Ok(End::Closed);
                }
                Some(Harm::CutMidReply) => {
                    self.ledger.harm();
                    client.write_all(&octets[..octets.len() / 2]).await?;
                    client.shutdown().await?;
                    return Ok(End::Closed);
                }
                Some(Harm::DelayReply(delay)) => {
                    self.ledger.harm();
                    tokio::time::sleep(delay).await;
                }
                Some(Harm::Blackhole) => {
                    self.ledger.harm();
                    swallowed = true;
                }
                Some(Harm::CutBefore | Harm::DelayCommand(_)) | None => {}
            }
            // Counted before the client can see it, for a test that then asks.
            if !swallowed && !unasked {
                self.ledger.reply(self.number);
            }
            if !swallowed {
                client.write_all(&octets).await?;
            }
            if !unasked {
                self.pending().pop_front();
                self.answered.notify_one();
            }
        }
        Ok(End::Closed)
    }

    fn pending(&self) -> MutexGuard<'_, VecDeque<Option<Harm>>> {
        self.pending.lock().expect("no panic while held")
    }
}

fn arguments(command: Reply) -> Vec<Vec<u8>> {
    let args = command.items().into_iter().map(|arg| match arg {
        Reply::Bulk(octets) => octets,
        other => panic!("expected an argument, got {other:?}"),
    });
    args.collect()
}
