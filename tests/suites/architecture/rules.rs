//! The rules of a house, and what a source tree does against them. Knows no house.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::arrows::{Arrow, Arrows};
use crate::circles::circles;
use crate::tree::{File, Tree};

/// A folder of the source.
pub struct Room {
    name: &'static str,
    uses: &'static [&'static str],
    never_names: &'static [&'static str],
}

/// A room that uses others, whose files never name certain parts of paths: `HttpRequest`, `actix_web::http`.
pub const fn room(
    name: &'static str,
    uses: &'static [&'static str],
    never_names: &'static [&'static str],
) -> Room {
    Room {
        name,
        uses,
        never_names,
    }
}

pub struct Rules {
    pub rooms: &'static [Room],
    /// Files or folders that every room may use.
    pub ground: &'static [&'static str],
    pub root: &'static str,
}

/// Where a file stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Spot {
    Room(usize),
    Ground,
    Root,
    Nowhere,
}

/// A source tree as it was read, held against the rules. Each finding is a line.
pub struct House {
    rules: Rules,
    files: BTreeMap<String, File>,
    arrows: Arrows,
    failures: Vec<String>,
}

impl House {
    pub fn read(rules: Rules, source: &Path) -> Self {
        let tree = Tree::read(source);
        let mut arrows = Arrows::of(&tree);
        arrows.all.retain(|arrow| arrow.from != rules.root);
        let (files, mut failures) = (tree.files, tree.failures);
        failures.append(&mut arrows.failures);
        Self {
            rules,
            files,
            arrows,
            failures,
        }
    }

    fn spot(&self, file: &str) -> Spot {
        let (first, in_folder) = match file.split_once('/') {
            Some((folder, _)) => (folder, true),
            None => (file.strip_suffix(".rs").unwrap_or(file), false),
        };
        let room = self.rules.rooms.iter().position(|room| room.name == first);
        match room {
            _ if file == self.rules.root => Spot::Root,
            Some(room) if in_folder => Spot::Room(room),
            _ if self.rules.ground.contains(&first) => Spot::Ground,
            _ => Spot::Nowhere,
        }
    }

    fn may_use(&self, from: Spot, to: Spot) -> bool {
        match (from, to) {
            (Spot::Nowhere | Spot::Root, _) | (_, Spot::Ground) => true,
            (Spot::Room(room), Spot::Room(_)) => {
                let below = self.rules.rooms[room].uses.iter();
                let below = below.map(|name| self.spot(&format!("{name}/mod.rs")));
                from == to || below.into_iter().any(|room| self.may_use(room, to))
            }
            _ => false,
        }
    }

    /// What the checker could not read; as long as there is any, no other answer is worth anything.
    pub fn unread(&self) -> Vec<String> {
        self.failures.clone()
    }

    pub fn without_room(&self) -> Vec<String> {
        let files = self.files.keys();
        files
            .filter(|file| self.spot(file) == Spot::Nowhere)
            .cloned()
            .collect()
    }

    pub fn without_introduction(&self) -> Vec<String> {
        let files = self.files.iter().filter(|(_, file)| !file.introduced);
        files.map(|(name, _)| name.clone()).collect()
    }

    pub fn against_the_direction(&self) -> Vec<String> {
        let against = |arrow: &&Arrow| !self.may_use(self.spot(&arrow.from), self.spot(&arrow.to));
        let arrows = self.arrows.all.iter().filter(against);
        arrows.map(Arrow::to_string).collect()
    }

    pub fn in_circles(&self) -> Vec<String> {
        let told = |(files, arrows): (BTreeSet<&str>, Vec<&Arrow>)| {
            let names = Vec::from_iter(files).join(", ");
            let arrows = arrows.iter().map(|arrow| format!("\n    {arrow}"));
            names + &arrows.collect::<String>()
        };
        circles(&self.arrows.all).into_iter().map(told).collect()
    }

    pub fn out_of_place(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (file, paths) in &self.arrows.paths {
            let Spot::Room(room) = self.spot(file) else {
                continue;
            };
            let never = self.rules.rooms[room].never_names;
            let has = |path: &str, part| format!("::{path}::").contains(&format!("::{part}::"));
            let bad = paths
                .iter()
                .filter(|path| never.iter().any(|part| has(path, part)));
            found.extend(bad.map(|path| format!("{file} names {path}")));
        }
        found
    }

    /// How many items each room uses of each, and the size of each.
    pub fn table(&self) -> String {
        let rooms = self.rules.rooms.iter().enumerate();
        let mut spots: Vec<_> = rooms
            .map(|(at, room)| (Spot::Room(at), room.name))
            .collect();
        spots.extend([(Spot::Ground, "ground"), (Spot::Nowhere, "nowhere")]);

        let mut count = BTreeMap::<_, usize>::new();
        for Arrow { from, to, .. } in &self.arrows.all {
            *count.entry((self.spot(from), self.spot(to))).or_default() += 1;
        }
        let heads = spots.iter().map(|(_, name)| format!("{name:>9}"));
        let mut table = format!("uses     {}  files  longest\n", heads.collect::<String>());
        for (from, name) in &spots {
            let files = self
                .files
                .iter()
                .filter(|(file, _)| self.spot(file) == *from);
            let Some((longest, file)) = files.clone().max_by_key(|(_, file)| file.lines) else {
                continue;
            };
            let counts = spots.iter().map(|(to, _)| match count.get(&(*from, *to)) {
                Some(count) => format!("{count:>9}"),
                None => format!("{:>9}", "-"),
            });
            let (counts, files, lines) = (counts.collect::<String>(), files.count(), file.lines);
            table += &format!("{name:9}{counts}{files:>7}  {longest}, {lines} lines\n");
        }
        table
    }
}
