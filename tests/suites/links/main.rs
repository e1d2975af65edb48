//! The links of all pages of the repository: that each leads to a file that is there, and to a heading in it. Asks no network.

mod page;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::page::Page;

const GUIDE: &str = "idempotency-actix/guide";

/// The links of the guide's pages as they are between modules.
const BETWEEN_MODULES: &str = "idempotency-actix/guide/links.md";

fn root() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the workspace")
}

/// Every page, by its path below the root.
fn pages() -> BTreeMap<PathBuf, Page> {
    fn collect(folder: &Path, pages: &mut BTreeMap<PathBuf, Page>) {
        for entry in fs::read_dir(folder).expect("a folder that can be read") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                collect(&path, pages);
            } else if name.ends_with(".md") {
                let text = fs::read_to_string(&path).expect("a page that can be read");
                let below = path.strip_prefix(root()).expect("it stands below the root");
                pages.insert(below.to_owned(), Page::read(&text));
            }
        }
    }
    let mut pages = BTreeMap::new();
    collect(root(), &mut pages);
    pages
}

/// Where a link of a page leads, below the root, without `.` and `..`.
fn below_root(page: &Path, link: &str) -> PathBuf {
    let mut path = page.to_owned();
    if !link.is_empty() {
        path.pop();
    }
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir => _ = path.pop(),
            Component::CurDir => {}
            part => path.push(part),
        }
    }
    path
}

/// What is wrong with a link, if anything is.
fn fault(pages: &BTreeMap<PathBuf, Page>, page: &Path, link: &str) -> Option<&'static str> {
    let (file, heading) = link.split_once('#').unwrap_or((link, ""));
    let path = below_root(page, file);
    if !root().join(&path).exists() {
        return Some("no such file");
    }
    let has = |page: &Page| page.anchors.iter().any(|anchor| anchor == heading);
    match pages.get(&path) {
        Some(page) if !heading.is_empty() && !has(page) => Some("no such heading"),
        _ => None,
    }
}

fn none(faults: Vec<String>) {
    assert!(faults.is_empty(), "\n  {}\n", faults.join("\n  "));
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let pages = pages();
    let mut faults = Vec::new();
    for (path, page) in &pages {
        let is_elsewhere = |link: &str| link.contains("://") || link.starts_with("mailto:");
        for link in page.links.iter().filter(|link| !is_elsewhere(link)) {
            let fault = fault(&pages, path, link);
            faults.extend(fault.map(|fault| format!("{}: {link}: {fault}", path.display())));
        }
    }
    none(faults);
}

#[test]
fn every_reference_has_a_definition() {
    let mut faults = Vec::new();
    for (path, page) in &pages() {
        let told = |label| format!("{}: [{label}] is not defined", path.display());
        faults.extend(page.undefined.iter().map(told));
    }
    none(faults);
}

#[test]
fn every_page_of_the_guide_is_a_module_and_stands_in_its_list() {
    let modules = fs::read_to_string(root().join("idempotency-actix/src/guide/mod.rs"));
    let modules = modules.expect("the modules of the guide");
    let pages = pages();
    let list = &pages[&Path::new(GUIDE).join("README.md")].links;
    let mut faults = Vec::new();
    let names = pages
        .keys()
        .filter_map(|path| path.strip_prefix(GUIDE).ok()?.to_str());
    for name in names.filter(|name| !["README.md", "links.md"].contains(name)) {
        let module = format!("pub mod {} {{}}", name.trim_end_matches(".md"));
        if !modules.contains(&module) {
            faults.push(format!("{name}: no `{module}`"));
        }
        if !list.iter().any(|link| link == name) {
            faults.push(format!("{name}: not in README.md"));
        }
    }
    none(faults);
}

/// A link of the guide is named by what it leads to: `[stores][stores.md]`.
#[test]
fn every_link_of_the_guide_has_its_counterpart_between_modules() {
    let pages = pages();
    let between_modules = &pages[Path::new(BETWEEN_MODULES)].definitions;
    let mut faults = Vec::new();
    for (path, page) in pages.iter().filter(|(path, _)| path.starts_with(GUIDE)) {
        let links = page
            .links
            .iter()
            .filter(|it| !it.contains("://") && !it.starts_with('#'));
        for link in links.filter(|link| !link.starts_with("pictures/")) {
            let is_named = page.definitions.get(link) == Some(link);
            if !is_named || !between_modules.contains_key(link) {
                let advice = format!("write [..][{link}], define it, and add it to links.md");
                faults.push(format!("{}: {advice}", path.display()));
            }
        }
    }
    none(faults);
}

#[test]
fn both_definitions_of_a_link_lead_to_the_same_place() {
    let pages = pages();
    let mut faults = Vec::new();
    for (label, target) in &pages[Path::new(BETWEEN_MODULES)].definitions {
        let file = match target.strip_prefix("crate::guide::") {
            Some(module) => match module.split_once('#') {
                Some((module, heading)) => format!("{module}.md#{heading}"),
                None => format!("{module}.md"),
            },
            None => target
                .rsplit("/guide/")
                .next()
                .unwrap_or_default()
                .to_owned(),
        };
        let fault = fault(&pages, Path::new(BETWEEN_MODULES), label);
        if file != *label || fault.is_some() {
            faults.push(format!(
                "{label} and {target}: {}",
                fault.unwrap_or("two places")
            ));
        }
    }
    none(faults);
}
