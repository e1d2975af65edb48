//! The operations and their keys, in a file that outlives the process. It knows no server.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What is asked for, as the server takes it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Order {
    pub(crate) amount_cents: u64,
    pub(crate) currency: String,
    pub(crate) source: String,
}

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Operation {
    pub(crate) order: Order,
    pub(crate) state: State,
}

/// How far an operation came, as far as its client knows.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Nothing was sent.
    Planned,
    /// It may have been sent with this key, and is sent with no other.
    Sent(Uuid),
    /// The answer was taken in, and the key is not needed any more.
    Done(u16),
}

/// The file, and what is in it.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    pub(crate) operations: Vec<Operation>,
}

impl Journal {
    /// Reads the file, or begins it with those orders.
    pub(crate) fn open(path: PathBuf, plan: impl FnOnce() -> Vec<Order>) -> io::Result<Self> {
        match fs::read(&path) {
            Ok(octets) => Ok(Self {
                operations: serde_json::from_slice(&octets)?,
                path,
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let state = State::Planned;
                let operations = plan().into_iter().map(|order| Operation {
                    order,
                    state: state.clone(),
                });
                let journal = Self {
                    path,
                    operations: operations.collect(),
                };
                journal.write()?;
                Ok(journal)
            }
            Err(error) => Err(error),
        }
    }

    /// The key of an operation, which is on the disk when this returns. A UUID of version 7 tells when it was made.
    pub(crate) fn key(&mut self, number: usize) -> io::Result<Uuid> {
        if let State::Sent(key) = self.operations[number].state {
            return Ok(key);
        }
        let key = Uuid::now_v7();
        self.operations[number].state = State::Sent(key);
        self.write()?;
        Ok(key)
    }

    /// Notes the answer, and forgets the key.
    pub(crate) fn take_in(&mut self, number: usize, status: u16) -> io::Result<()> {
        self.operations[number].state = State::Done(status);
        self.write()
    }

    /// The file is the old one or the new one, whatever happens meanwhile.
    fn write(&self) -> io::Result<()> {
        let new = self.path.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(&self.operations)?)?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        let folder = self.path.parent().filter(|it| !it.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

/// How long ago a key was made.
pub(crate) fn age(key: Uuid) -> Duration {
    let (seconds, nanos) = key.get_timestamp().map_or((0, 0), |it| it.to_unix());
    let made = UNIX_EPOCH + Duration::new(seconds, nanos);
    SystemTime::now().duration_since(made).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_kept_until_its_answer_is_taken_in() {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let path = folder.path().join("journal.json");
        let open = || {
            let order = Order {
                amount_cents: 7,
                currency: "EUR".into(),
                source: "tok_visa".into(),
            };
            Journal::open(path.clone(), || vec![order]).expect("a journal")
        };
        let key = open().key(0).expect("a key");
        assert_eq!(open().key(0).expect("the same key"), key);
        assert!(age(key) < Duration::from_secs(60));
        open().take_in(0, 201).expect("a line");
        assert!(matches!(open().operations[0].state, State::Done(201)));
        let text = fs::read_to_string(&path).expect("a file");
        assert!(!text.contains(&key.to_string()));
    }
}
