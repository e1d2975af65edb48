//! The payments example: one that runs already, or one of its own that ends with this program.

use std::env;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde::Deserialize;

use crate::client::API_KEY;
use crate::journal::Order;

/// What a charge tells of itself, as far as it matters here.
#[derive(Deserialize)]
struct Charge {
    order: Order,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    own: Option<Child>,
}

impl Server {
    /// The one at the address, or one that is started.
    pub(crate) fn find(address: Option<SocketAddr>) -> io::Result<Self> {
        match address {
            Some(address) => Ok(Self { address, own: None }),
            None => Self::start(),
        }
    }

    fn start() -> io::Result<Self> {
        let program = env::current_exe()?.with_file_name("payments");
        let mut child = Command::new(&program)
            .args(["--bind", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| {
                let program = program.display();
                io::Error::other(format!("build the example payments: {program}: {error}"))
            })?;
        let mut line = String::new();
        if let Some(output) = &mut child.stdout {
            BufReader::new(output).read_line(&mut line)?;
        }
        let mut words = line.split([' ', '/']);
        let address = words.find_map(|word| word.trim_end_matches('.').parse().ok());
        let own = Some(child);
        match address {
            Some(address) => Ok(Self { address, own }),
            None => Err(io::Error::other(format!("payments says {line:?}"))),
        }
    }

    /// What is in the books.
    pub(crate) async fn charges(&self) -> reqwest::Result<Vec<Order>> {
        let url = format!("http://{}/charges", self.address);
        let request = reqwest::Client::new().get(url).header(API_KEY.0, API_KEY.1);
        let answer = request.send().await?.error_for_status()?;
        let charges: Vec<Charge> = answer.json().await?;
        Ok(charges.into_iter().map(|charge| charge.order).collect())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.own {
            _ = child.kill();
            _ = child.wait();
        }
    }
}
