//! The options that there are: their names, what they look like, and which exclude each other.

/// Every option, with an example of its use.
const KNOWN: [(&str, &str); 20] = [
    ("ttl", r#"ttl = "24h""#),
    ("lease", r#"lease = "30s""#),
    ("required", "required"),
    ("key_header", r#"key_header = "webhook-id""#),
    ("key", "key = event_id"),
    ("strict_keys", "strict_keys"),
    ("scope", "scope = tenant"),
    ("fingerprint", "fingerprint = payload"),
    ("vary", r#"vary = ["host"]"#),
    ("wait", r#"wait = "5s""#),
    ("max_in_flight", "max_in_flight = 10"),
    ("on_unknown", r#"on_unknown = "rerun""#),
    ("recover", "recover = look_up"),
    ("on_store_failure", r#"on_store_failure = "run""#),
    ("release_on", "release_on = [429, 500..=599]"),
    ("max_body", r#"max_body = "2MiB""#),
    ("max_response", r#"max_response = "1MiB""#),
    ("keep_cookies", "keep_cookies"),
    ("associated", "associated"),
    ("inner", "inner = charge_unprotected"),
];

const RIVALS: [(&str, &str); 2] = [("on_unknown", "recover"), ("key_header", "key")];

/// All the names, as a message lists them.
pub(crate) fn names() -> String {
    KNOWN.map(|(name, _)| format!("`{name}`")).join(", ")
}

/// An example of the option's use.
pub(crate) fn example(option: &str) -> Option<&'static str> {
    let known = KNOWN.iter().find(|(name, _)| *name == option);
    known.map(|(_, example)| *example)
}

/// The option that answers the same question.
pub(crate) fn rival(option: &str) -> Option<&'static str> {
    RIVALS.iter().find_map(|pair| match *pair {
        (one, other) | (other, one) if one == option => Some(other),
        _ => None,
    })
}

/// The option that was meant by a word that is none.
pub(crate) fn nearest(word: &str) -> Option<&'static str> {
    let by_distance = KNOWN.iter().map(|(name, _)| (distance(word, name), *name));
    let (distance, name) = by_distance.min()?;
    (distance <= 2).then_some(name)
}

/// How many letters must be added, removed or replaced to turn one word into the other.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.chars().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[row.len() - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documentation_has_one_row_for_each_option() {
        let (_, options) = include_str!("lib.rs")
            .split_once("/// # Options")
            .expect("a section for the options");
        let (table, _) = options.split_once("/// # ").expect("a section after it");
        let rows = table
            .lines()
            .filter_map(|line| line.strip_prefix("/// | `"));
        let documented: Vec<_> = rows
            .filter_map(|row| row.split([' ', '`']).next())
            .collect();
        assert_eq!(documented, KNOWN.map(|(name, _)| name));
    }

    #[test]
    fn rivals_exclude_each_other() {
        for (one, other) in RIVALS {
            assert_eq!((rival(one), rival(other)), (Some(other), Some(one)));
        }
        assert_eq!(rival("ttl"), None);
    }

    #[test]
    fn distance_counts_letters() {
        assert_eq!(distance("lease", "lease"), 0);
        assert_eq!(distance("leese", "lease"), 1);
        assert_eq!(distance("", "ttl"), 3);
        assert_eq!(distance("requires", "required"), 1);
    }
}
