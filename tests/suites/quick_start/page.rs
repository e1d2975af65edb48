//! Programs as a page of the documentation has them: a block of dependencies, one of code, and one of commands with their
//! answers. Knows nothing of how they are run.

use std::fmt;
use std::fs;
use std::path::Path;

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag};

/// One program, and what its page says that it answers.
#[derive(Debug)]
pub struct Program {
    /// Of the package that it becomes: the page, and which program of it.
    pub name: String,
    /// Below the root of the repository.
    pub page: String,
    /// Of the code's first line.
    pub line: usize,
    pub dependencies: String,
    pub code: String,
    pub exchanges: Vec<Exchange>,
}

/// A command, and what is printed below it.
#[derive(Debug)]
pub struct Exchange {
    pub command: String,
    pub answer: String,
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} ({})", self.page, self.line, self.name)
    }
}

/// Those of the README and of the guide's pages, in order.
pub fn programs(root: &Path) -> Vec<Program> {
    let mut pages = vec!["README.md".to_owned()];
    if let Ok(entries) = fs::read_dir(root.join(GUIDE)) {
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let names = names.map(|name| format!("{GUIDE}/{}", name.to_string_lossy()));
        pages.extend(names.filter(|name| name.ends_with(".md")));
    }
    pages.sort();
    let of_page = |page: String| {
        let text = fs::read_to_string(root.join(&page)).expect("a page that can be read");
        of_text(&page, &text)
    };
    pages.into_iter().flat_map(of_page).collect()
}

const GUIDE: &str = "idempotency-actix/guide";

/// A program is code above a console that asks it; its dependencies are the last that stand above it.
fn of_text(page: &str, text: &str) -> Vec<Program> {
    let title = page.rsplit('/').next().expect("a name");
    let title = title.trim_end_matches(".md").to_lowercase();
    let mut programs = Vec::new();
    let (mut dependencies, mut code) = (String::new(), None);
    for (language, line, block) in blocks(text) {
        match &*language {
            "toml" if block.starts_with("[dependencies]") => dependencies = block,
            "console" if block.starts_with(PROMPT) => {
                let (line, code) = code.take().expect("code above a console that asks");
                programs.push(Program {
                    name: format!("{title}-{}", programs.len() + 1),
                    page: page.to_owned(),
                    line,
                    dependencies: dependencies.clone(),
                    code,
                    exchanges: exchanges(&block),
                });
            }
            "rust" => code = Some((line, block)),
            _ => {}
        }
    }
    programs
}

const PROMPT: &str = "$ curl ";

/// The code blocks: language, line, text.
fn blocks(text: &str) -> Vec<(String, usize, String)> {
    let mut blocks = Vec::new();
    let mut inside = false;
    for (event, range) in Parser::new(text).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                let language = info.split(',').next().unwrap_or_default().to_owned();
                let line = text[..range.start].lines().count() + 2;
                blocks.push((language, line, String::new()));
                inside = true;
            }
            Event::Text(part) if inside => {
                let (_, _, block) = blocks.last_mut().expect("a block that was begun");
                block.push_str(&part);
            }
            Event::End(_) => inside = false,
            _ => {}
        }
    }
    blocks
}

/// Commands begin with a prompt, and go on where a line ends with a backslash.
fn exchanges(console: &str) -> Vec<Exchange> {
    let mut exchanges = Vec::<Exchange>::new();
    let mut goes_on = false;
    for line in console.lines() {
        let begun = line.strip_prefix("$ ");
        if let Some(command) = begun {
            exchanges.push(Exchange {
                command: command.to_owned(),
                answer: String::new(),
            });
        } else {
            let last = exchanges.last_mut().expect("a command first");
            let part = if goes_on {
                &mut last.command
            } else {
                &mut last.answer
            };
            part.push_str(&format!("{}{line}", if goes_on { "\n" } else { "" }));
            part.push_str(if goes_on { "" } else { "\n" });
        }
        goes_on = (begun.is_some() || goes_on) && line.ends_with('\\');
    }
    exchanges
}
