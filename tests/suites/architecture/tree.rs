//! The module tree of a crate: which file holds a module, and what a path in it leads to. Knows no rooms.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::{Item, ItemMod};

use crate::source::{self, Import, Name};

/// A crate's files, and its modules without those of `cargo test`.
pub struct Tree {
    pub files: BTreeMap<String, File>,
    pub modules: Vec<Module>,
    /// What could not be read, each with the name of its file.
    pub failures: Vec<String>,
    source: PathBuf,
    tests: Vec<String>,
}

/// A file, and whether a `//!` line opens it.
pub struct File {
    pub lines: usize,
    pub introduced: bool,
}

pub struct Module {
    pub file: String,
    pub items: Vec<Item>,
    parent: Option<usize>,
    names: BTreeMap<String, Vec<Meaning>>,
    globs: Vec<Vec<String>>,
}

/// What a name of a module stands for; it may stand for a module and a function at once.
enum Meaning {
    Module(usize),
    Item { file: String },
    Import(Vec<String>),
}

/// Where a path leads.
#[derive(Clone, PartialEq)]
pub enum Place {
    Module(usize),
    /// Something that `file` defines by the name of `item`.
    Item {
        file: String,
        item: String,
    },
    OtherCrate,
}

const ROOT: usize = 0;

impl Tree {
    /// Reads the crate whose `lib.rs` stands in `source`.
    pub fn read(source: &Path) -> Self {
        let mut tree = Self {
            files: BTreeMap::new(),
            modules: Vec::new(),
            failures: Vec::new(),
            source: source.to_owned(),
            tests: Vec::new(),
        };
        tree.list(source);
        tree.file("lib.rs", "", None);
        let reached: BTreeSet<_> = tree
            .modules
            .iter()
            .map(|module| module.file.clone())
            .collect();
        for file in tree.files.keys().filter(|file| !reached.contains(*file)) {
            if !tree.is_test(file) {
                tree.failures.push(format!("{file}: no `mod` leads to it"));
            }
        }
        tree
    }

    fn list(&mut self, folder: &Path) {
        let entries = fs::read_dir(folder).expect("the folder can be read");
        for path in entries.map(|entry| entry.expect("an entry can be read").path()) {
            if path.is_dir() {
                self.list(&path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("the file can be read");
                let name = path
                    .strip_prefix(&self.source)
                    .expect("it stands in the source");
                let file = File {
                    lines: text.lines().count(),
                    introduced: text.starts_with("//!"),
                };
                self.files.insert(name.to_string_lossy().into_owned(), file);
            }
        }
    }

    fn is_test(&self, file: &str) -> bool {
        self.tests.iter().any(|module| {
            let rest = file.strip_prefix(module.as_str()).unwrap_or_default();
            rest == ".rs" || rest.starts_with('/')
        })
    }

    /// Adds the module that a file holds; its children stand in `folder`, which is empty or ends with `/`.
    fn file(&mut self, file: &str, folder: &str, parent: Option<usize>) -> usize {
        let text = fs::read_to_string(self.source.join(file)).unwrap_or_default();
        let items = match syn::parse_file(&text) {
            Ok(parsed) => parsed.items,
            Err(error) => {
                self.failures.push(format!("{file}: {error}"));
                Vec::new()
            }
        };
        self.module(file, folder, parent, items)
    }

    fn module(
        &mut self,
        file: &str,
        folder: &str,
        parent: Option<usize>,
        items: Vec<Item>,
    ) -> usize {
        let id = self.modules.len();
        let (names, globs) = Default::default();
        self.modules.push(Module {
            file: file.to_owned(),
            items: Vec::new(),
            parent,
            names,
            globs,
        });
        for item in &items {
            if let Item::Mod(module) = item {
                self.child(id, folder, module);
            } else if !source::is_test(source::attributes(item)) {
                let exported = source::is_exported(source::attributes(item));
                for name in source::names(item) {
                    let holder = if exported { ROOT } else { id };
                    self.name(
                        holder,
                        name,
                        Meaning::Item {
                            file: file.to_owned(),
                        },
                    );
                }
            }
        }
        for Import { path, name, .. } in source::all_imports(&items) {
            match name {
                Name::Is(name) => self.name(id, name, Meaning::Import(path)),
                Name::Everything => self.modules[id].globs.push(path),
                Name::Nothing => {}
            }
        }
        self.modules[id].items = items;
        id
    }

    fn child(&mut self, parent: usize, folder: &str, module: &ItemMod) {
        let name = module.ident.to_string();
        let inner = format!("{folder}{name}");
        if source::is_test(&module.attrs) {
            self.tests.push(inner);
            return;
        }
        let below = format!("{inner}/");
        let child = if let Some((_, items)) = &module.content {
            let file = self.modules[parent].file.clone();
            self.module(&file, &below, Some(parent), items.clone())
        } else {
            let places = [format!("{inner}.rs"), format!("{inner}/mod.rs")];
            let Some(file) = places
                .into_iter()
                .find(|file| self.files.contains_key(file))
            else {
                let file = &self.modules[parent].file;
                self.failures
                    .push(format!("{file}: `mod {name};` has no file"));
                return;
            };
            self.file(&file, &below, Some(parent))
        };
        self.name(parent, name, Meaning::Module(child));
    }

    fn name(&mut self, module: usize, name: String, meaning: Meaning) {
        self.modules[module]
            .names
            .entry(name)
            .or_default()
            .push(meaning);
    }

    /// Where a path leads that stands in a module: each import and re-export is followed to the item.
    ///
    /// Several places, where conditional compilation has several; none, where the path leads nowhere.
    pub fn resolve(&self, module: usize, path: &[String]) -> Vec<Place> {
        self.follow(module, path, &mut Vec::new())
    }

    /// `trail` holds the imports that are being followed, for a name may be imported in terms of itself.
    fn follow(
        &self,
        module: usize,
        path: &[String],
        trail: &mut Vec<(usize, Vec<String>)>,
    ) -> Vec<Place> {
        let parent = |module: usize| self.modules[module].parent.map(Place::Module);
        let mut places = match path[0].as_str() {
            "crate" => vec![Place::Module(ROOT)],
            "self" => vec![Place::Module(module)],
            "super" => parent(module).into_iter().collect(),
            name => match self.meanings(module, name, trail) {
                places if places.is_empty() => return vec![Place::OtherCrate],
                places => places,
            },
        };
        for name in &path[1..] {
            // Of a module and a function that share a name, only the module leads on.
            if places.iter().any(|place| matches!(place, Place::Module(_))) {
                places.retain(|place| matches!(place, Place::Module(_)));
            }
            let step = |place| match place {
                Place::Module(module) if name == "super" => parent(module).into_iter().collect(),
                Place::Module(module) => self.meanings(module, name, trail),
                // What belongs to a type stands where the type does.
                place => vec![place],
            };
            places = places.into_iter().flat_map(step).collect();
        }
        places
    }

    fn meanings(
        &self,
        module: usize,
        name: &str,
        trail: &mut Vec<(usize, Vec<String>)>,
    ) -> Vec<Place> {
        let holder = &self.modules[module];
        let mut places = Vec::new();
        let mut import = |path: Vec<String>, places: &mut Vec<Place>| {
            if !trail.contains(&(module, path.clone())) {
                trail.push((module, path.clone()));
                places.extend(self.follow(module, &path, trail));
                trail.pop();
            }
        };
        for meaning in holder.names.get(name).into_iter().flatten() {
            match meaning {
                Meaning::Module(child) => places.push(Place::Module(*child)),
                Meaning::Item { file } => {
                    places.push(Place::Item {
                        file: file.clone(),
                        item: name.to_owned(),
                    });
                }
                Meaning::Import(path) => import(path.clone(), &mut places),
            }
        }
        if places.is_empty() {
            for glob in &holder.globs {
                import([glob.as_slice(), &[name.to_owned()]].concat(), &mut places);
            }
        }
        places
    }
}
