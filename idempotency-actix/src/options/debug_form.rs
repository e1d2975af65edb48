//! The text that `{:?}` derives, read back. It does not know whose it is.

/// A value as its text shows it.
#[derive(Debug, PartialEq)]
pub(super) struct Value {
    /// A type's or variant's name, a number or a word; empty for text and for lists.
    word: String,
    text: Option<String>,
    /// What stands between brackets, by the field's name where it has one.
    items: Option<Vec<(Option<String>, Value)>>,
}

impl Value {
    /// The word where that is all.
    pub(super) fn word(&self) -> Option<&str> {
        (self.items.is_none() && self.text.is_none()).then_some(&self.word)
    }

    /// The name of what has items.
    pub(super) fn name(&self) -> Option<&str> {
        self.items.is_some().then_some(&self.word)
    }

    pub(super) fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    pub(super) fn items(&self) -> impl Iterator<Item = &Self> {
        self.items.iter().flatten().map(|(_, value)| value)
    }

    pub(super) fn field(&self, name: &str) -> Option<&Self> {
        let mut items = self.items.iter().flatten();
        items.find_map(|(field, value)| (field.as_deref() == Some(name)).then_some(value))
    }
}

/// Reads a whole text; `None` if it is of another form.
pub(super) fn read(text: &str) -> Option<Value> {
    let mut rest = text;
    let value = value(&mut rest)?;
    rest.is_empty().then_some(value)
}

fn value(rest: &mut &str) -> Option<Value> {
    if rest.starts_with('"') {
        return Some(Value {
            word: String::new(),
            text: Some(literal(rest)?),
            items: None,
        });
    }
    let end = rest.find(|char| "{}[](),:\" ".contains(char));
    let (word, behind) = rest.split_at(end.unwrap_or(rest.len()));
    let open = behind.trim_start_matches(' ');
    let close = match open.chars().next() {
        Some('{') => '}',
        Some('[') => ']',
        Some('(') => ')',
        _ if word.is_empty() => return None,
        _ => {
            *rest = behind;
            return Some(Value {
                word: word.to_owned(),
                text: None,
                items: None,
            });
        }
    };
    *rest = &open[1..];
    Some(Value {
        word: word.to_owned(),
        text: None,
        items: Some(items(rest, close)?),
    })
}

fn items(rest: &mut &str, close: char) -> Option<Vec<(Option<String>, Value)>> {
    let mut items = Vec::new();
    loop {
        *rest = rest.trim_start_matches([' ', ',']);
        if let Some(behind) = rest.strip_prefix(close) {
            *rest = behind;
            return Some(items);
        }
        let first = value(rest)?;
        match rest.strip_prefix(": ") {
            Some(behind) => {
                *rest = behind;
                let name = first.text.unwrap_or(first.word);
                items.push((Some(name), value(rest)?));
            }
            None => items.push((None, first)),
        }
    }
}

/// Reads a string literal.
fn literal(rest: &mut &str) -> Option<String> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => {
                *rest = &rest[at + 1..];
                return Some(text);
            }
            '\\' => text.push(match chars.next()?.1 {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                '0' => '\0',
                'u' => {
                    let digits = chars.by_ref().skip(1).map(|(_, digit)| digit);
                    let digits: String = digits.take_while(|digit| *digit != '}').collect();
                    char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
                }
                other => other,
            }),
            other => text.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug)]
    #[expect(dead_code, reason = "it is only shown")]
    struct Shown {
        number: i32,
        texts: Vec<String>,
        map: BTreeMap<String, Option<(u8, String)>>,
        empty: (),
    }

    proptest! {
        #[test]
        fn what_was_shown_is_read(texts: Vec<String>, key: String, number: i32) {
            let map = BTreeMap::from([(key.clone(), Some((7, key.clone())))]);
            let shown = Shown { number, texts: texts.clone(), map, empty: () };
            let value = read(&format!("{shown:?}")).expect("a derived form");
            let read: Vec<_> = value.field("texts").expect("texts").items().map(Value::text).collect();
            prop_assert_eq!(read, texts.iter().map(|text| Some(&**text)).collect::<Vec<_>>());
            prop_assert_eq!(value.field("number").and_then(Value::word), Some(&*number.to_string()));
            let inside = value.field("map").and_then(|map| map.field(&key)).expect("a key");
            prop_assert_eq!(inside.name(), Some("Some"));
        }

        #[test]
        fn no_text_is_too_much(text: String) {
            let _ = read(&text);
        }
    }
}
