//! One file's syntax, taken apart: names, `use` trees, paths in macros. Knows no other file.

use std::collections::BTreeSet;

use syn::buffer::{Cursor, TokenBuffer};
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Ident, Item, ItemMacro, ItemMod, ItemUse, Macro, Meta, Token, UseTree, Visibility,
};

/// One leaf of a `use` tree: `use a::{b as c}` imports the path `a::b` under the name `c`.
pub struct Import {
    pub path: Vec<String>,
    pub name: Name,
    /// Has a visibility, and so is there for others.
    pub exported: bool,
}

#[derive(PartialEq)]
pub enum Name {
    Is(String),
    /// `use a::Trait as _`
    Nothing,
    /// `use a::*`
    Everything,
}

/// The imports of a `use`, one for each leaf.
pub fn imports(item: &ItemUse) -> Vec<Import> {
    let mut found = Vec::new();
    let outside = item.leading_colon.map(|_| "::".to_owned());
    let exported = !matches!(item.vis, Visibility::Inherited);
    leaves(
        &item.tree,
        outside.into_iter().collect(),
        exported,
        &mut found,
    );
    found
}

fn leaves(tree: &UseTree, mut path: Vec<String>, exported: bool, found: &mut Vec<Import>) {
    let name = match tree {
        UseTree::Path(step) => {
            path.push(step.ident.to_string());
            return leaves(&step.tree, path, exported, found);
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                leaves(tree, path.clone(), exported, found);
            }
            return;
        }
        UseTree::Name(leaf) => {
            extend(&mut path, &leaf.ident);
            Name::Is(path[path.len() - 1].clone())
        }
        UseTree::Rename(leaf) => {
            extend(&mut path, &leaf.ident);
            if leaf.rename == "_" {
                Name::Nothing
            } else {
                Name::Is(leaf.rename.to_string())
            }
        }
        UseTree::Glob(_) => Name::Everything,
    };
    found.push(Import {
        path,
        name,
        exported,
    });
}

/// In `a::{self}` the `self` adds nothing to the path.
fn extend(path: &mut Vec<String>, ident: &Ident) {
    if ident != "self" || path.is_empty() {
        path.push(ident.to_string());
    }
}

/// Every `use` of a module, those inside of its functions included.
pub fn all_imports(items: &[Item]) -> Vec<Import> {
    #[derive(Default)]
    struct Uses(Vec<Import>);

    impl<'ast> Visit<'ast> for Uses {
        fn visit_item(&mut self, item: &'ast Item) {
            if !is_test(attributes(item)) {
                visit::visit_item(self, item);
            }
        }

        fn visit_item_mod(&mut self, _: &'ast ItemMod) {}

        fn visit_item_use(&mut self, item: &'ast ItemUse) {
            self.0.extend(imports(item));
        }
    }

    let mut uses = Uses::default();
    items.iter().for_each(|item| uses.visit_item(item));
    uses.0
}

/// The names that an item brings into its module; `use` and `mod` are not asked.
pub fn names(item: &Item) -> Vec<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        Item::Macro(ItemMacro {
            ident: Some(ident), ..
        }) => ident,
        Item::Macro(item) => return names_in_macro(&item.mac),
        _ => return Vec::new(),
    };
    vec![ident.to_string()]
}

/// What `pin_project! { struct X .. }` and its like define.
fn names_in_macro(mac: &Macro) -> Vec<String> {
    let keywords = [
        "const", "enum", "fn", "static", "struct", "trait", "type", "union",
    ];
    let words = words(mac);
    let defined = words
        .windows(2)
        .filter(|pair| keywords.contains(&pair[0].as_str()));
    defined.map(|pair| pair[1].clone()).collect()
}

/// The paths that a macro's tokens show; `$crate::` is read as `crate::`.
pub fn paths_in_macro(mac: &Macro) -> BTreeSet<Vec<String>> {
    let words = words(mac);
    let mut found = BTreeSet::new();
    let mut at = 0;
    while at < words.len() {
        let mut path = vec![words[at].clone()];
        let start = at;
        at += 1;
        while let [a, b, next, ..] = &words[at..]
            && a == ":"
            && b == ":"
            && is_name(next)
        {
            path.push(next.clone());
            at += 3;
        }
        // Behind a `.` stands a field or a method, behind a `$` a parameter of the macro, behind `::` what
        // belongs to a type in `<>`.
        let continues = match &words[..start] {
            [.., before] if before == "." => true,
            [.., before] if before == "$" => path[0] != "crate",
            [.., a, b] => a == ":" && b == ":",
            _ => false,
        };
        if is_name(&path[0]) && !continues {
            found.insert(path);
        }
    }
    found
}

fn is_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// A macro's tokens in one row: names and single marks, and a blank for literals, lifetimes and brackets.
fn words(mac: &Macro) -> Vec<String> {
    fn collect(mut at: Cursor, row: &mut Vec<String>) {
        while !at.eof() {
            if let Some((inside, _, _, next)) = at.any_group() {
                row.push(String::new());
                collect(inside, row);
                row.push(String::new());
                at = next;
            } else if let Some((_, next)) = at.lifetime() {
                row.push(String::new());
                at = next;
            } else if let Some((name, next)) = at.ident() {
                row.push(name.to_string());
                at = next;
            } else if let Some((mark, next)) = at.punct() {
                row.push(mark.as_char().to_string());
                at = next;
            } else if let Some((_, next)) = at.literal() {
                row.push(String::new());
                at = next;
            }
        }
    }
    let buffer = TokenBuffer::new2(mac.tokens.clone());
    let mut row = Vec::new();
    collect(buffer.begin(), &mut row);
    row
}

pub fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether these attributes make a macro one for other crates, which stands in the crate's root.
pub fn is_exported(attributes: &[Attribute]) -> bool {
    attributes
        .iter()
        .any(|attribute| attribute.path().is_ident("macro_export"))
}

/// Whether these attributes keep something for `cargo test` alone.
pub fn is_test(attributes: &[Attribute]) -> bool {
    fn asks_for_test(meta: &Meta) -> bool {
        let Meta::List(list) = meta else {
            return meta.path().is_ident("test");
        };
        let every = Punctuated::<Meta, Token![,]>::parse_terminated;
        let inner = list.parse_args_with(every).unwrap_or_default();
        (list.path.is_ident("all") && inner.iter().any(asks_for_test))
            || (list.path.is_ident("any") && inner.iter().all(asks_for_test))
    }
    let of_cfg = |attribute: &&Attribute| attribute.path().is_ident("cfg");
    let mut conditions = attributes.iter().filter(of_cfg);
    conditions.any(|cfg| cfg.parse_args().is_ok_and(|meta| asks_for_test(&meta)))
}
