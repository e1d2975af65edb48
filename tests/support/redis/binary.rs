//! The programs of the servers, and how to install the one that is missing.

use std::path::{Path, PathBuf};

/// Whose server it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Product {
    Redis,
    Valkey,
}

impl Product {
    /// Finds the server's program.
    ///
    /// # Panics
    ///
    /// If it is missing, with the command that installs it.
    pub(super) fn binary(self) -> PathBuf {
        match self {
            Self::Redis => on_path("redis-server").expect(
                "no redis-server on the PATH: on Debian `apt-get install -y redis-server`, \
                 elsewhere install Redis 7.0 or later",
            ),
            Self::Valkey => std::env::var_os("VALKEY_SERVER")
                .map(PathBuf::from)
                .or_else(|| on_path("valkey-server"))
                .or_else(|| fetched().is_file().then(fetched))
                .expect(
                    "no valkey-server: run `scripts/test`, which puts one into target/valkey, \
                     or let VALKEY_SERVER name one of 8.1 or later",
                ),
        }
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let mut files = std::env::split_paths(&folders).map(|folder| folder.join(name));
    files.find(|file| file.is_file())
}

fn fetched() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/valkey/valkey-server")
}
