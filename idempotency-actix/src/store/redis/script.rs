//! The scripts that run on the server, and how they are called. What they are called for is not known here.

use std::sync::LazyLock;

use deadpool_redis::redis::{self, Cmd, FromRedisValue, ServerErrorKind};

use super::failure::Failure;
use super::session::{Ask, Session};

/// A script of ours, called by its hash.
pub(super) struct Script {
    code: &'static str,
    hash: String,
}

/// Changes a record if it still is what was seen.
pub(super) static SWAP: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("swap.lua")));

/// Reads a record with its time to live.
pub(super) static LOOK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("look.lua")));

impl Script {
    fn new(code: &'static str) -> Self {
        let hash = redis::Script::new(code).get_hash().to_owned();
        Self { code, hash }
    }

    /// The call by hash, which the server knows unless its cache was flushed.
    pub(super) fn by_hash(&self, keys: &[&[u8]], args: &[&[u8]]) -> Cmd {
        call("EVALSHA", &self.hash, keys, args)
    }

    /// Calls it; a server that does not know it gets it along.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        session: &mut Session<'_>,
        keys: &[&[u8]],
        args: &[&[u8]],
    ) -> Result<T, Failure> {
        match session.send(Ask::Command(&self.by_hash(keys, args))).await {
            Err(failure) if failure.is(ServerErrorKind::NoScript) => {
                let call = call("EVAL", self.code, keys, args);
                Box::pin(session.send(Ask::Command(&call))).await
            }
            answer => answer,
        }
    }
}

fn call(name: &str, script: &str, keys: &[&[u8]], args: &[&[u8]]) -> Cmd {
    let parts = || keys.iter().chain(args);
    let octets: usize = parts().map(|part| part.len()).sum();
    let mut call = Cmd::with_capacity(3 + parts().count(), name.len() + script.len() + octets + 8);
    call.arg(name).arg(script).arg(keys.len());
    parts().for_each(|part| {
        call.arg(*part);
    });
    call
}
