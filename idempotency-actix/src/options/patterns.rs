//! The scopes and resources of an application, and which of them could take a path, as far as it can be told before
//! routing. It knows no option.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::mem;

use actix_web::HttpRequest;
use actix_web::dev::ResourceDef;

use super::debug_form::{Value, read};

/// The scopes and resources that an application has registered.
///
/// actix-web tells only the first resource that matches a path, whatever the guards in its way. All of them stand in the
/// `Debug` form of its map. Where that cannot be read any more, nothing is known, and nobody is served by luck.
#[derive(Default)]
pub(crate) struct Patterns {
    /// `None` within until they are read, and where they cannot be.
    nodes: OnceCell<Option<Vec<Node>>>,
    /// What was found last, in memory that is used again.
    found: String,
}

/// A scope, with what is registered inside of it, or a resource, or a service of all that begins like it.
struct Node {
    patterns: Vec<(String, ResourceDef)>,
    inside: Option<Vec<Node>>,
}

impl Patterns {
    /// Every pattern, with those of the scopes before it, by which something could take the path of a request: a resource,
    /// or the default service of a scope that has no resource for it. `None` where that cannot be told.
    pub(super) fn taking(&self, request: &HttpRequest) -> Option<BTreeSet<String>> {
        let nodes = self.of(request)?;
        let mut found = BTreeSet::new();
        collect(nodes, request.match_info().as_str(), "", &mut found);
        Some(found)
    }

    /// The pattern of the first resource that could take the path of a request, with those of the scopes before it. Which
    /// one will, where guards choose, is not known yet.
    pub(crate) fn first(&mut self, request: &HttpRequest) -> Option<&str> {
        let mut found = mem::take(&mut self.found);
        found.clear();
        let nodes = self.of(request).unwrap_or_default();
        let is_found = find(nodes, request.match_info().as_str(), &mut found);
        self.found = found;
        is_found.then_some(&*self.found)
    }

    /// Whether the application has a scope that takes every path, or may have one: its default service answers what the
    /// router would.
    pub(crate) fn may_take_everything(&self, request: &HttpRequest) -> bool {
        let Some(nodes) = self.of(request) else {
            return true;
        };
        let is_open = |node: &Node| node.patterns.iter().any(|(pattern, _)| pattern.is_empty());
        nodes
            .iter()
            .any(|node| node.inside.is_some() && is_open(node))
    }

    fn of(&self, request: &HttpRequest) -> Option<&[Node]> {
        let nodes = self.nodes.get_or_init(|| {
            let map = read(&format!("{:?}", request.resource_map()))?;
            Node::of(&map)?.inside
        });
        nodes.as_deref()
    }
}

impl Node {
    /// `None` if it is not what actix-web 4 writes.
    fn of(map: &Value) -> Option<Self> {
        let resource = map.field("pattern")?;
        let is_prefix = resource.field("is_prefix")?.word()? == "true";
        let patterns = match resource.field("patterns")? {
            single if single.name() == Some("Single") => single.items().collect::<Vec<_>>(),
            list if list.name() == Some("List") => list.items().flat_map(Value::items).collect(),
            _ => return None,
        };
        let parse = |pattern: &Value| {
            let pattern = pattern.text()?;
            let parsed = match is_prefix {
                true => ResourceDef::prefix(pattern),
                false => ResourceDef::new(pattern),
            };
            Some((pattern.to_owned(), parsed))
        };
        let nodes = map.field("nodes")?;
        let inside = match nodes.name() {
            Some("Some") => {
                let nodes = nodes.items().flat_map(Value::items);
                Some(nodes.map(Self::of).collect::<Option<_>>()?)
            }
            _ if nodes.word() == Some("None") => None,
            _ => return None,
        };
        Some(Self {
            patterns: patterns.into_iter().map(parse).collect::<Option<_>>()?,
            inside,
        })
    }
}

/// Whether a resource takes the path, whose whole pattern is then behind what was there.
fn find(nodes: &[Node], path: &str, found: &mut String) -> bool {
    let before = found.len();
    nodes.iter().any(|node| {
        node.patterns.iter().any(|(pattern, parsed)| {
            let Some(length) = parsed.find_match(path) else {
                return false;
            };
            found.push_str(pattern);
            let inside = node.inside.as_deref();
            let is_found = inside.is_none_or(|inside| find(inside, &path[length..], found));
            if !is_found {
                found.truncate(before);
            }
            is_found
        })
    })
}

fn collect(nodes: &[Node], path: &str, scopes: &str, found: &mut BTreeSet<String>) {
    for node in nodes {
        for (pattern, parsed) in &node.patterns {
            let Some(length) = parsed.find_match(path) else {
                continue;
            };
            let whole = format!("{scopes}{pattern}");
            let before = found.len();
            if let Some(inside) = &node.inside {
                collect(inside, &path[length..], &whole, found);
            }
            if found.len() == before {
                found.insert(whole);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::dev::ResourceMap;

    use super::*;

    fn node(add: impl FnOnce(&mut ResourceMap)) -> Option<Node> {
        let mut map = ResourceMap::new(ResourceDef::root_prefix(""));
        add(&mut map);
        Node::of(&read(&format!("{map:?}"))?)
    }

    fn taking(node: &Node, path: &str) -> Vec<String> {
        let mut found = BTreeSet::new();
        collect(
            node.inside.as_deref().expect("a scope"),
            path,
            "",
            &mut found,
        );
        found.into_iter().collect()
    }

    fn first(node: &Node, path: &str) -> Option<String> {
        let mut found = String::new();
        find(node.inside.as_deref().expect("a scope"), path, &mut found).then_some(found)
    }

    #[test]
    fn the_map_of_an_application_can_still_be_read() {
        let node = node(|map| {
            let mut scope = ResourceMap::new(ResourceDef::root_prefix("/v1"));
            scope.add(&mut ResourceDef::new(r#"/items/{id:\d+"?}"#), None);
            map.add(&mut ResourceDef::root_prefix("/v1"), Some(scope.into()));
            let mut odd = ResourceDef::new(["/one", "/two"]);
            odd.set_name("patterns: \"odd\"\u{7f}");
            map.add(&mut odd, None);
            map.add(&mut ResourceDef::root_prefix("/files"), None);
            let mut abroad = ResourceDef::new("https://example.org/{x}");
            abroad.set_name("abroad");
            map.add(&mut abroad, None);
        });
        let node = node.expect("a map that can be read");
        assert_eq!(taking(&node, "/v1/items/7"), [r#"/v1/items/{id:\d+"?}"#]);
        assert_eq!(taking(&node, "/v1/others/7"), ["/v1"]);
        assert_eq!(taking(&node, "/two"), ["/two"]);
        assert_eq!(taking(&node, "/files/a/b"), ["/files"]);
        assert!(taking(&node, "/three").is_empty());
        let pattern = first(&node, "/v1/items/7");
        assert_eq!(pattern.as_deref(), Some(r#"/v1/items/{id:\d+"?}"#));
        assert_eq!(first(&node, "/files/a/b").as_deref(), Some("/files"));
        // A scope alone is no route.
        assert_eq!(first(&node, "/v1/others/7"), None);
        assert_eq!(first(&node, "/three"), None);
    }

    #[test]
    fn resources_are_no_scopes_so_that_a_long_path_is_walked_once() {
        let node = node(|map| {
            let mut scope = ResourceMap::new(ResourceDef::root_prefix("/items"));
            scope.add(&mut ResourceDef::new("/{id}"), None);
            scope.add(&mut ResourceDef::new("/{id}/{sub}"), None);
            map.add(&mut ResourceDef::root_prefix("/items"), Some(scope.into()));
            map.add(&mut ResourceDef::new("/files/{tail}*"), None);
        });
        let path = format!("/files{}", "/a".repeat(10_000));
        assert_eq!(taking(&node.expect("a map"), &path), ["/files/{tail}*"]);
    }

    #[test]
    fn what_is_no_map_is_no_node() {
        for text in ["", "ResourceMap", "ResourceMap { pattern: 1, nodes: None }"] {
            assert!(read(text).is_none_or(|value| Node::of(&value).is_none()));
        }
    }
}
