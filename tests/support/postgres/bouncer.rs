//! A pooler before a server.

use std::fs;
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use idempotency_actix_sqlx::sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;

use super::binary::{bouncer, give};
use super::server::PgServer;
use crate::patience::until;
use crate::port::Port;
use crate::process::Process;
use crate::watchdog::Watchdog;

/// A pgbouncer, ended when dropped.
#[derive(Debug)]
pub struct PgBouncer {
    _process: Process,
    port: Port,
    _dir: TempDir,
}

impl PgBouncer {
    /// Starts one in that mode (`session`, `transaction`, `statement`), and waits until it takes connections.
    pub fn before(server: &PgServer, mode: &str) -> Self {
        let dir = TempDir::with_prefix("pgbouncer-").expect("a folder for temporary files");
        let port = Port::reserve();
        let config = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {}\nunix_socket_dir =\nauth_type = trust\nauth_file = {users}\n\
             pool_mode = {mode}\nignore_startup_parameters = extra_float_digits\n",
            server.addr().port(),
            port.number(),
            users = dir.path().join("users").display(),
        );
        fs::write(dir.path().join("config"), config).expect("a writable folder");
        fs::write(dir.path().join("users"), "\"postgres\" \"\"\n").expect("a writable folder");
        give(dir.path());
        let watchdog = Arc::new(Watchdog::of(dir.path()));
        let mut command = bouncer();
        command
            .arg(dir.path().join("config"))
            .current_dir(dir.path());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = Process::spawn(&mut command, watchdog);
        let up = until(Duration::from_secs(20), || {
            assert!(process.status().is_none(), "pgbouncer does not start");
            TcpStream::connect(port.addr()).ok()
        });
        assert!(up.is_some(), "pgbouncer is not up within 20 s");
        Self {
            _process: process,
            port,
            _dir: dir,
        }
    }

    /// How the server behind it is connected to.
    pub fn options(&self, server: &PgServer) -> PgConnectOptions {
        server.options().port(self.port.number())
    }
}
