//! The programs as a workspace of their own, built from the crates of this one. Knows nothing of what they answer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::page::Program;

pub struct Workspace {
    folder: PathBuf,
    target: PathBuf,
}

/// The addresses in the programs' text, and the variables by which a test tells others.
pub const ADDRESSES: &[(&str, &str)] = &[
    ("127.0.0.1:8080", "PROGRAM_ADDRESS"),
    ("redis://127.0.0.1:6379/", "PROGRAM_REDIS"),
    (
        "postgres://postgres@127.0.0.1:5432/shop",
        "PROGRAM_POSTGRES",
    ),
];

const CRATES: [&str; 3] = [
    "idempotency-actix",
    "idempotency-actix-macros",
    "idempotency-actix-sqlx",
];

impl Workspace {
    /// Writes it below the target folder, with the very versions of our own `Cargo.lock`.
    pub fn write(root: &Path, programs: &[Program]) -> Self {
        let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let target = temporary.parent().expect("the target folder").to_owned();
        let folder = temporary.join("quick_start");
        write(&folder.join("Cargo.toml"), &manifest(root, programs));
        fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).expect("versions to share");
        for program in programs {
            let Program { name, .. } = program;
            let package = folder.join(name);
            let head = format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n\n");
            write(&package.join("Cargo.toml"), &(head + &program.dependencies));
            write(&package.join("src/main.rs"), &at_home(&program.code));
        }
        Self { folder, target }
    }

    /// # Panics
    ///
    /// If a program does not compile as it stands on its page.
    pub fn build(&self) {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--offline", "--target-dir"]);
        cargo.arg(&self.target).current_dir(&self.folder);
        let ended = cargo.status().expect("cargo");
        let advice =
            "a program of a page does not compile; or crates are missing: `cargo fetch --locked`";
        assert!(ended.success(), "{advice}");
    }

    pub fn binary(&self, program: &Program) -> PathBuf {
        self.target.join("debug").join(&program.name)
    }
}

/// Has the code ask for each address, so that it is compiled once whatever is free.
fn at_home(code: &str) -> String {
    let mut code = code.to_owned();
    for (address, variable) in ADDRESSES {
        let asked = format!("std::env::var(\"{variable}\").expect(\"an address\").leak() as &str");
        code = code.replace(&format!("\"{address}\""), &asked);
    }
    code
}

/// With the profiles of our own workspace, so that what is built there is not built twice.
fn manifest(root: &Path, programs: &[Program]) -> String {
    let ours = fs::read_to_string(root.join("Cargo.toml")).expect("our manifest");
    let (_, profiles) = ours.split_once("[profile").expect("a profile");
    let members: Vec<_> = programs.iter().map(|program| &program.name).collect();
    let patches = CRATES.map(|name| format!("{name} = {{ path = {:?} }}\n", root.join(name)));
    format!(
        "[workspace]\nresolver = \"3\"\nmembers = {members:?}\n\n[patch.crates-io]\n{}\n[profile{profiles}",
        patches.concat()
    )
}

/// Leaves a file alone that is so already: cargo goes by its time.
fn write(file: &Path, text: &str) {
    if fs::read_to_string(file).is_ok_and(|found| found == text) {
        return;
    }
    let folder = file.parent().expect("a folder");
    fs::create_dir_all(folder).expect("a folder that can be made");
    fs::write(file, text).expect("a file that can be written");
}
