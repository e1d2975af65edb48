//! What is printed: a line for each request, and how often the handler ran for each key.

use std::collections::BTreeMap;
use std::fmt;

use crate::client::Answer;

pub(crate) struct Report {
    /// What makes the keys of this run new.
    suffix: String,
    rows: Vec<[String; 4]>,
    /// Runs by key, and by replica.
    runs: BTreeMap<String, BTreeMap<&'static str, usize>>,
}

impl Report {
    pub(crate) fn new(suffix: String) -> Self {
        let head = ["key", "request", "replica", "answer"];
        Self {
            suffix,
            rows: vec![head.map(str::to_owned)],
            runs: BTreeMap::new(),
        }
    }

    /// The key to send, and from now on to count.
    pub(crate) fn key(&mut self, name: &str) -> String {
        self.runs.entry(name.to_owned()).or_default();
        format!("{name}{}", self.suffix)
    }

    /// Adds a request and its answers; the same answers are counted.
    pub(crate) fn row(&mut self, key: &str, request: &str, replica: &str, answers: &[Answer]) {
        let mut kinds: Vec<(String, usize)> = Vec::new();
        for answer in answers.iter().map(Answer::to_string) {
            match kinds.iter_mut().find(|(kind, _)| *kind == answer) {
                Some((_, count)) => *count += 1,
                None => kinds.push((answer, 1)),
            }
        }
        kinds.sort();
        if kinds.is_empty() {
            kinds.push(("none, the client is gone".into(), 1));
        }
        let mut left = [key, request, replica];
        for (kind, count) in kinds {
            let answer = match answers.len() {
                0 | 1 => kind,
                _ => format!("{count:>2} x {kind}"),
            };
            let [key, request, replica] = left.map(str::to_owned);
            self.rows.push([key, request, replica, answer]);
            left = [""; 3];
        }
    }

    /// Notes what a replica counted.
    pub(crate) fn count(&mut self, replica: &'static str, counts: BTreeMap<String, usize>) {
        for (name, runs) in &mut self.runs {
            let count = counts.get(&format!("{name}{}", self.suffix));
            runs.insert(replica, count.copied().unwrap_or(0));
        }
    }

    pub(crate) fn is_once_each(&self) -> bool {
        let mut runs = self.runs.values();
        runs.all(|runs| runs.values().sum::<usize>() == 1)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        table(f, &self.rows)?;
        f.write_str("\nHow often the handler ran:\n\n")?;
        let head = ["key", "at A", "at B", "runs"];
        let mut rows = vec![head.map(str::to_owned)];
        for (name, runs) in &self.runs {
            let at = |replica| runs.get(replica).copied().unwrap_or(0).to_string();
            let sum: usize = runs.values().sum();
            rows.push([name.clone(), at("A"), at("B"), sum.to_string()]);
        }
        table(f, &rows)
    }
}

/// Columns as wide as their widest cell, and a rule below the head.
fn table<const N: usize>(f: &mut fmt::Formatter<'_>, rows: &[[String; N]]) -> fmt::Result {
    let widths: [usize; N] = std::array::from_fn(|column| {
        let cells = rows.iter().map(|row| row[column].len());
        cells.max().unwrap_or(0)
    });
    let mut line = |cells: [&str; N]| {
        let padded: Vec<_> = std::iter::zip(cells, widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        writeln!(f, "{}", padded.join("  ").trim_end())
    };
    for (number, row) in rows.iter().enumerate() {
        line(row.each_ref().map(String::as_str))?;
        if number == 0 {
            let rule = widths.map(|width| "-".repeat(width));
            line(rule.each_ref().map(String::as_str))?;
        }
    }
    Ok(())
}
