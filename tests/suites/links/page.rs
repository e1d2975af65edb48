//! What a page links to, and what can be linked to in it. Knows no other page.

use std::collections::BTreeMap;

use pulldown_cmark::{BrokenLink, Event, LinkType, Options, Parser, Tag, TagEnd};

#[derive(Debug, Default)]
pub struct Page {
    pub links: Vec<String>,
    /// The headings, as a fragment of a URI names them.
    pub anchors: Vec<String>,
    /// The labels of links, with what they lead to.
    pub definitions: BTreeMap<String, String>,
    /// The labels that are used and not defined.
    pub undefined: Vec<String>,
}

impl Page {
    pub fn read(text: &str) -> Self {
        let mut page = Self::default();
        let mut undefined = Vec::new();
        let note = |link: BrokenLink<'_>| {
            if link.link_type == LinkType::Reference {
                undefined.push(link.reference.to_string());
            }
            None
        };
        let parser =
            Parser::new_with_broken_link_callback(text, Options::ENABLE_TABLES, Some(note));
        let definitions = parser.reference_definitions().iter();
        page.definitions = definitions
            .map(|(label, definition)| (label.to_owned(), definition.dest.to_string()))
            .collect();
        let mut heading = None;
        for event in parser {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(dest_url.to_string());
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    let anchor = heading.take().map(|text| page.anchor(&text));
                    page.anchors.extend(anchor);
                }
                Event::Text(part) | Event::Code(part) => {
                    if let Some(text) = &mut heading {
                        text.push_str(&part);
                    }
                }
                _ => {}
            }
        }
        page.undefined = undefined;
        page
    }

    /// As repository pages and rustdoc both name a heading: a second one of the same text gets a number.
    fn anchor(&self, heading: &str) -> String {
        let kept = |char: &char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_');
        let words: String = heading.to_lowercase().chars().filter(kept).collect();
        let anchor = words.replace(' ', "-");
        let is_same = |it: &&String| match it.strip_prefix(&anchor) {
            Some("") => true,
            Some(rest) => rest
                .strip_prefix('-')
                .is_some_and(|it| it.parse::<u16>().is_ok()),
            None => false,
        };
        match self.anchors.iter().filter(is_same).count() {
            0 => anchor,
            count => format!("{anchor}-{count}"),
        }
    }
}

#[test]
fn links_anchors_and_definitions_are_read() {
    let page = Page::read(
        "# One, and `two`\n## One\n## One, and two\n[a][b], [c](d.md#e) and ![f](g.svg), [h][i], [j]\n\n[b]: k.md\n",
    );
    assert_eq!(page.anchors, ["one-and-two", "one", "one-and-two-1"]);
    assert_eq!(page.links, ["k.md", "d.md#e", "g.svg"]);
    assert_eq!(page.definitions["b"], "k.md");
    assert_eq!(page.undefined, ["i"]);
}
