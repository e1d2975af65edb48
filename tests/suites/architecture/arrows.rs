//! The arrows between files: who uses an item that another file defines. Knows no rooms.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use syn::visit::{self, Visit};
use syn::{Attribute, ImplItemFn, Item, ItemMacro, ItemMod, ItemUse, Macro, VisRestricted};

use crate::source::{self, Name};
use crate::tree::{Place, Tree};

/// `from` uses `item`, which `to` defines; both are files.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrow {
    pub from: String,
    pub to: String,
    pub item: String,
}

impl fmt::Display for Arrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {} ({})", self.from, self.to, self.item)
    }
}

/// What the files of a tree name.
#[derive(Default)]
pub struct Arrows {
    pub all: BTreeSet<Arrow>,
    /// Every path that a file spells, those of other crates included.
    pub paths: BTreeMap<String, BTreeSet<String>>,
    /// Paths that lead nowhere, each with the name of its file.
    pub failures: Vec<String>,
}

impl Arrows {
    pub fn of(tree: &Tree) -> Self {
        let mut arrows = Self::default();
        for (module, parsed) in tree.modules.iter().enumerate() {
            let (file, arrows) = (&parsed.file, &mut arrows);
            let mut reader = Reader {
                tree,
                module,
                file,
                arrows,
            };
            parsed.items.iter().for_each(|item| reader.visit_item(item));
        }
        arrows
    }
}

/// Reads one module. Child modules are read for themselves.
struct Reader<'a> {
    tree: &'a Tree,
    module: usize,
    file: &'a str,
    arrows: &'a mut Arrows,
}

impl Reader<'_> {
    fn read(&mut self, path: &[String]) {
        for place in self.look(path) {
            // A module alone is no use of anything: what is reached through it is read for itself.
            if let Place::Item { file, item } = place {
                self.point(file, item);
            }
        }
    }

    /// Where a path leads; it is noted what the file spells.
    fn look(&mut self, path: &[String]) -> Vec<Place> {
        let text = path.join("::");
        let Arrows {
            paths, failures, ..
        } = &mut *self.arrows;
        let places = self.tree.resolve(self.module, path);
        if places.is_empty() {
            failures.push(format!("{}: `{text}` leads nowhere", self.file));
        }
        paths.entry(self.file.to_owned()).or_default().insert(text);
        places
    }

    fn point(&mut self, to: String, item: String) {
        let from = self.file.to_owned();
        if from != to {
            self.arrows.all.insert(Arrow { from, to, item });
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !source::is_test(source::attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        if !source::is_test(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_mod(&mut self, _: &'ast ItemMod) {}

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        for import in source::imports(item) {
            for place in self.look(&import.path) {
                match place {
                    _ if import.exported => {}
                    Place::Item { file, item } => self.point(file, item),
                    Place::Module(module) if import.name == Name::Everything => {
                        self.point(self.tree.modules[module].file.clone(), "*".to_owned());
                    }
                    Place::Module(_) | Place::OtherCrate => {}
                }
            }
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let names = path.segments.iter().map(|name| name.ident.to_string());
            self.read(&names.collect::<Vec<_>>());
        }
        visit::visit_path(self, path);
    }

    fn visit_item_macro(&mut self, item: &'ast ItemMacro) {
        // An exported macro is a text for other crates: its paths are theirs.
        if !source::is_exported(&item.attrs) {
            visit::visit_item_macro(self, item);
        }
    }

    fn visit_macro(&mut self, mac: &'ast Macro) {
        visit::visit_macro(self, mac);
        for path in source::paths_in_macro(mac) {
            self.read(&path);
        }
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_vis_restricted(&mut self, _: &'ast VisRestricted) {}
}
