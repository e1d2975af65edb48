//! What an application's resources match, as far as it can be told before routing. It knows no option.

use std::collections::BTreeSet;

use actix_web::HttpRequest;
use actix_web::dev::ResourceDef;

/// The patterns that an application's scopes and resources are registered by.
///
/// actix-web tells only the first resource that matches a path, whatever the guards in its way. All of them stand in the
/// `Debug` form of its map. Where that cannot be read any more, nothing is known, and nobody is served by luck.
#[derive(Default)]
pub(crate) struct Patterns(Option<Vec<Registered>>);

struct Registered {
    pattern: String,
    as_scope: ResourceDef,
    as_resource: ResourceDef,
}

impl Patterns {
    /// Every pattern, with the scopes before it, by which a resource could take the path of a request. It may be some more
    /// than there are, as if each scope held every resource, and never fewer. Empty where that cannot be told.
    pub(super) fn taking(&mut self, request: &HttpRequest) -> BTreeSet<String> {
        let registered = self.0.get_or_insert_with(|| {
            let map = format!("{:?}", request.resource_map());
            let patterns: BTreeSet<_> = written(&map).into_iter().flatten().collect();
            let registered = patterns.into_iter().map(|pattern| Registered {
                as_scope: ResourceDef::prefix(pattern.as_str()),
                as_resource: ResourceDef::new(pattern.as_str()),
                pattern,
            });
            registered.collect()
        });
        let mut found = BTreeSet::new();
        collect(registered, request.match_info().as_str(), "", &mut found);
        found
    }
}

fn collect(all: &[Registered], path: &str, scopes: &str, found: &mut BTreeSet<String>) {
    for one in all {
        if one.as_resource.is_match(path) {
            found.insert(format!("{scopes}{}", one.pattern));
        }
        if let Some(length @ 1..) = one.as_scope.find_match(path) {
            let scopes = format!("{scopes}{}", one.pattern);
            collect(all, &path[length..], &scopes, found);
        }
    }
}

/// The texts of all `patterns` fields; `None` if one of them cannot be read.
fn written(map: &str) -> Option<Vec<String>> {
    let mut patterns = Vec::new();
    for field in map.split("patterns: ").skip(1) {
        let mut rest = match (field.strip_prefix("Single("), field.strip_prefix("List([")) {
            (Some(rest), _) | (None, Some(rest)) => rest,
            (None, None) => return None,
        };
        loop {
            let (pattern, behind) = literal(rest)?;
            patterns.push(pattern);
            match behind.strip_prefix(", ") {
                Some(next) if next.starts_with('"') => rest = next,
                _ => break,
            }
        }
    }
    Some(patterns)
}

/// Reads a string literal without escapes other than of a quote or a backslash.
fn literal(text: &str) -> Option<(String, &str)> {
    let text = text.strip_prefix('"')?;
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                escaped @ ('"' | '\\') => value.push(escaped),
                _ => return None,
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use actix_web::dev::ResourceMap;

    use super::*;

    #[test]
    fn the_map_of_an_application_can_still_be_read() {
        let mut map = ResourceMap::new(ResourceDef::root_prefix(""));
        let mut scope = ResourceMap::new(ResourceDef::root_prefix("/v1"));
        scope.add(&mut ResourceDef::new(r#"/items/{id:\d+"?}"#), None);
        map.add(&mut ResourceDef::root_prefix("/v1"), Some(scope.into()));
        map.add(&mut ResourceDef::new(["/one", "/two"]), None);
        let read = written(&format!("{map:?}")).expect("a map that can be read");
        assert_eq!(read, ["", "/v1", r#"/items/{id:\d+"?}"#, "/one", "/two"]);
    }

    #[test]
    fn what_cannot_be_read_is_no_pattern() {
        assert_eq!(written(r#"patterns: Other("/x")"#), None);
        assert_eq!(written(r#"patterns: Single("/\u{7f}")"#), None);
        assert_eq!(written(r#"patterns: Single("/x"#), None);
    }
}
