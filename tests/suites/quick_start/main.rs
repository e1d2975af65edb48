//! The programs of the README and of the guide, taken from their text: built, started, asked by the printed commands, and
//! their answers compared with the printed ones.

mod answers;
mod page;
mod running;
mod workspace;

use std::collections::BTreeMap;
use std::path::Path;

use crate::page::Program;
use crate::running::Running;
use crate::workspace::Workspace;

/// How many programs stand where, so that none is lost in silence.
const PROGRAMS: &[(&str, usize)] = &[
    ("README.md", 2),
    ("idempotency-actix/guide/modes.md", 1),
    ("idempotency-actix/guide/operations.md", 1),
    ("idempotency-actix/guide/quick_start.md", 1),
    ("idempotency-actix/guide/redis.md", 1),
    ("idempotency-actix/guide/transactions.md", 1),
    ("idempotency-actix/guide/webhooks.md", 1),
];

fn root() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the workspace")
}

#[test]
fn every_program_answers_as_its_page_prints() {
    let programs = page::programs(root());
    let workspace = Workspace::write(root(), &programs);
    workspace.build();

    let mut wrong = Vec::new();
    for program in &programs {
        println!("{program}");
        let running = Running::start(&workspace.binary(program), program);
        for exchange in &program.exchanges {
            let answered = running.ask(&exchange.command);
            if let Err(difference) = answers::compare(&exchange.answer, &answered) {
                wrong.push(format!("{program}: `{}`\n{difference}", exchange.command));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_program_is_found() {
    let mut found = BTreeMap::<_, usize>::new();
    for program in page::programs(root()) {
        *found.entry(program.page).or_default() += 1;
    }
    let known = PROGRAMS
        .iter()
        .map(|&(page, count)| (page.to_owned(), count));
    assert_eq!(found, known.collect());
}

#[test]
fn every_program_is_asked_twice_with_one_key() {
    for program in page::programs(root()) {
        let Program { exchanges, .. } = &program;
        assert_eq!(exchanges.len(), 2, "{program}");
        assert!(!exchanges[0].answer.contains("replayed"), "{program}");
        assert!(
            exchanges[1].answer.contains("idempotent-replayed: true"),
            "{program}"
        );
    }
}
