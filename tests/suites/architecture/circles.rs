//! Files that use each other in a circle. Knows no rooms.

use std::collections::{BTreeMap, BTreeSet};

use crate::arrows::Arrow;

/// The circles, each with the arrows that run inside of it; no file is in two of them.
pub fn circles(arrows: &BTreeSet<Arrow>) -> BTreeMap<BTreeSet<&str>, Vec<&Arrow>> {
    let mut uses = BTreeMap::<&str, BTreeSet<&str>>::new();
    for Arrow { from, to, .. } in arrows {
        uses.entry(from).or_default().insert(to);
    }
    let reached: BTreeMap<_, _> = uses
        .keys()
        .map(|file| (*file, reach(file, &uses)))
        .collect();
    let reaches = |from: &str, to: &str| reached.get(from).is_some_and(|files| files.contains(to));

    let mut circles = BTreeMap::new();
    for (file, others) in reached.iter().filter(|(file, _)| reaches(file, file)) {
        let files: BTreeSet<_> = others
            .iter()
            .copied()
            .filter(|it| reaches(it, file))
            .collect();
        let inside = |arrow: &&Arrow| files.contains(&*arrow.from) && files.contains(&*arrow.to);
        let arrows = arrows.iter().filter(inside).collect();
        circles.insert(files, arrows);
    }
    circles
}

/// Every file that a file uses, by whatever way.
fn reach<'a>(file: &'a str, uses: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![file]);
    while let Some(file) = next.pop() {
        let new = uses.get(file).into_iter().flatten();
        next.extend(new.filter(|file| reached.insert(**file)));
    }
    reached
}
