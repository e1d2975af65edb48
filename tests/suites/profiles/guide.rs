//! The guide shows what is tested here: each `#[idempotent(..)]` of it stands in a file of this suite, too.

use std::fs;
use std::path::Path;

fn read(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a text");
    text.split_whitespace().collect()
}

#[test]
fn each_configuration_of_the_guide_is_tested() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = read(&tests.join("../idempotency-actix/guide/profiles.md"));
    let suite = fs::read_dir(tests.join("suites/profiles")).expect("a folder");
    let suite: String = suite
        .map(|file| read(&file.expect("a file").path()))
        .collect();
    let shown: Vec<_> = guide
        .match_indices("#[idempotent(")
        .map(|(start, _)| {
            let (attribute, _) = guide[start..].split_once(")]").expect("an end");
            attribute
        })
        .collect();
    assert_eq!(shown.len(), 5);
    for attribute in shown {
        // rustfmt ends a list of several lines with a comma.
        let attribute = attribute.trim_end_matches(',');
        assert!(suite.contains(attribute), "{attribute}");
    }
}
