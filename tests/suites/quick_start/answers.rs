//! What is printed on a page against what `curl` prints. Header lines count as a set, since their order is nobody's promise;
//! the date varies.

use std::collections::BTreeSet;

/// Status, header lines and body of what `curl -i` prints.
#[derive(PartialEq, Eq)]
struct Answer<'a> {
    status: &'a str,
    headers: BTreeSet<&'a str>,
    body: &'a str,
}

impl<'a> Answer<'a> {
    fn read(printed: &'a str) -> Self {
        let (head, body) = printed.split_once("\n\n").unwrap_or((printed, ""));
        let mut lines = head.lines();
        Self {
            status: lines.next().unwrap_or_default().trim_end(),
            headers: lines.filter(|line| !line.starts_with("date: ")).collect(),
            body: body.trim_end_matches('\n'),
        }
    }
}

/// Fails with both, where they differ in more than may vary.
pub fn compare(printed: &str, answered: &str) -> Result<(), String> {
    let answered = answered.replace("\r\n", "\n");
    if Answer::read(printed) == Answer::read(&answered) {
        return Ok(());
    }
    Err(format!(
        "the page prints\n{printed}\nbut it answers\n{answered}"
    ))
}

#[test]
fn date_and_order_may_vary() {
    let one = "HTTP/1.1 200 OK\na: 1\nb: 2\ndate: now\n\nbody\n";
    let other = "HTTP/1.1 200 OK\r\ndate: then\r\nb: 2\r\na: 1\r\n\r\nbody";
    assert_eq!(compare(one, other), Ok(()));
}

#[test]
fn nothing_else_may() {
    let printed = "HTTP/1.1 200 OK\na: 1\n\nbody\n";
    for answered in [
        "HTTP/1.1 201 Created\na: 1\n\nbody\n",
        "HTTP/1.1 200 OK\na: 2\n\nbody\n",
        "HTTP/1.1 200 OK\n\nbody\n",
        "HTTP/1.1 200 OK\na: 1\nb: 2\n\nbody\n",
        "HTTP/1.1 200 OK\na: 1\n\nother\n",
        "",
    ] {
        assert!(compare(printed, answered).is_err(), "{answered}");
    }
}
