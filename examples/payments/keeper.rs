//! The process that starts the service, and starts it anew when it dies; it knows nothing of what is served.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use actix_web::{HttpResponse, Responder, post};
use idempotency_actix_examples::cli::say;
use idempotency_actix_examples::folder::Folder;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::cli::Asked;
use crate::{introduction, stop};

/// What a service says that wants to be killed.
const KILL: &str = "kill me";

/// Has this process killed, whatever it is about.
#[post("/kill")]
pub(crate) async fn kill() -> impl Responder {
    say(KILL);
    HttpResponse::Accepted()
}

/// Serves until this process is asked to stop.
pub(crate) async fn keep(asked: &Asked) -> io::Result<()> {
    let mut keeper = Keeper::start(asked).await?;
    introduction::introduce(keeper.address());
    tokio::select! {
        ended = keeper.attend() => return ended,
        () = stop::asked() => {}
    }
    keeper.stop().await
}

/// Keeps a service running.
pub(crate) struct Keeper {
    asked: Asked,
    books: PathBuf,
    service: Service,
    _folder: Folder,
}

impl Keeper {
    pub(crate) async fn start(asked: &Asked) -> io::Result<Self> {
        let folder = Folder::new("payments")?;
        // What goes with this process for a store that does; beside the records where they stay.
        let books = match &asked.db {
            Some(db) => beside(db),
            None => folder.file("charges"),
        };
        let service = Service::start(asked, &books).await?;
        let mut asked = asked.clone();
        asked.bind = service.address.to_string();
        Ok(Self {
            asked,
            books,
            service,
            _folder: folder,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.service.address
    }

    /// Starts the service anew each time that it dies, until it ends by itself.
    pub(crate) async fn attend(&mut self) -> io::Result<()> {
        loop {
            self.service.pass_on().await?;
            let status = self.service.process.wait().await?;
            if status.success() {
                return Ok(());
            }
            say(&format!(
                "The service has died: {status}. It is started anew."
            ));
            self.service = Service::start(&self.asked, &self.books).await?;
        }
    }

    /// Has the service finish what is under way.
    pub(crate) async fn stop(mut self) -> io::Result<()> {
        drop(self.service.process.stdin.take());
        self.service.pass_on().await?;
        self.service.process.wait().await?;
        Ok(())
    }
}

fn beside(db: &Path) -> PathBuf {
    let mut name = db.as_os_str().to_owned();
    name.push(".charges");
    name.into()
}

/// A process that serves, killed when dropped.
struct Service {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    address: SocketAddr,
}

impl Service {
    /// Starts this program once more; returns when it listens.
    async fn start(asked: &Asked, books: &Path) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(asked.args(books.into())).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let output = process.stdout.take().expect("a pipe");
        let mut lines = BufReader::new(output).lines();
        let address = lines.next_line().await?.and_then(|line| line.parse().ok());
        Ok(Self {
            process,
            lines,
            address: address.ok_or_else(|| io::Error::other("the service has not started"))?,
        })
    }

    /// Prints what it says until it ends, and kills it when it asks for that.
    async fn pass_on(&mut self) -> io::Result<()> {
        while let Some(line) = self.lines.next_line().await? {
            match line.as_str() {
                KILL => self.process.start_kill()?,
                line => say(line),
            }
        }
        Ok(())
    }
}
