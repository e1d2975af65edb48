//! The server's programs, how to install them where they are missing, and as whom they run.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::geteuid;

/// Where Debian puts them, by version, and where others do.
const FOLDERS: [&str; 3] = ["/usr/lib/postgresql", "/usr/local/pgsql", "/usr/pgsql"];

/// Finds one of the server's programs.
///
/// # Panics
///
/// If it is missing, with the command that installs it.
pub(super) fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir(FOLDERS[0]).into_iter().flatten().flatten();
    let mut versions: Vec<_> = versions.map(|entry| entry.path()).collect();
    versions.sort();
    let by_version = versions
        .into_iter()
        .rev()
        .map(|version| version.join("bin"));
    let others = FOLDERS.iter().map(|folder| Path::new(folder).join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).collect::<Vec<_>>();
    let mut programs = by_version
        .chain(others)
        .chain(on_path)
        .map(|folder| folder.join(name));
    programs.find(|file| file.is_file()).expect(
        "no PostgreSQL: on Debian `apt-get install -y postgresql`, elsewhere install its server, 13 or later",
    )
}

/// A command as the user that the server runs as: this one, or `postgres` where this one is root.
pub(super) fn command(name: &str) -> Command {
    as_its_user(program(name))
}

/// The pooler, as the same user.
///
/// # Panics
///
/// If it is missing, with the command that installs it.
pub(super) fn bouncer() -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let mut files = folders.map(|folder| folder.join("pgbouncer"));
    as_its_user(
        files
            .find(|file| file.is_file())
            .expect("no pgbouncer: on Debian `apt-get install -y pgbouncer`, elsewhere install it"),
    )
}

fn as_its_user(program: PathBuf) -> Command {
    let mut command = Command::new(program);
    if let Some((user, group)) = other_user() {
        command.uid(user).gid(group);
    }
    command
}

/// User and group of whoever runs the server, if that is not this process's user.
fn other_user() -> Option<(u32, u32)> {
    if !geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("a list of users");
    let ids = |name: &str| {
        let mut fields = users
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>());
        let user = fields.find(|fields| fields.first() == Some(&name))?;
        Some((user.get(2)?.parse().ok()?, user.get(3)?.parse().ok()?))
    };
    let ids = ids("postgres").or_else(|| ids("nobody"));
    Some(ids.expect("a user who is not root, `postgres` or `nobody`"))
}

/// Gives a folder to the user that the server runs as.
pub(super) fn give(dir: &Path) {
    if let Some((user, group)) = other_user() {
        let files = fs::read_dir(dir)
            .expect("a folder")
            .flatten()
            .map(|file| file.path());
        for path in files.filter(|path| path.is_file()).chain([dir.to_owned()]) {
            chown(path, Some(user), Some(group)).expect("root may do this");
        }
    }
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).expect("a folder of ours");
}
