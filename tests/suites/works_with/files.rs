//! `actix-files`: what is only read is never covered.

use actix_files::Files;
use actix_web::App;
use actix_web::http::Method;
use idempotency_actix::KeyScope;
use idempotency_actix_tests::app::{Mode, Site};
use idempotency_actix_tests::{Request, in_both_modes};

use crate::modes::made;
use crate::table::Row;

pub(crate) const ROW: Row = Row {
    name: "`actix-files`",
    package: "actix-files",
    marked: "either",
    all_routes: "either",
    holds: "GET and HEAD pass untouched, with conditions and ranges, also where keys are required.",
    tests: &["works_with/files.rs"],
};

in_both_modes! {
    a_file_is_read_at_each_request
    heads_conditions_and_ranges_are_as_ever
}

fn site(mode: Mode) -> (Site, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.txt"), "first").expect("a file");
    let layer = made(mode, KeyScope::everyone(), |layer| layer.required(true));
    let path = folder.path().to_owned();
    let site = Site::serve(move |_| {
        App::new()
            .wrap(layer.clone())
            .service(Files::new("/files", &path))
    });
    (site, folder)
}

fn get(key: Option<&str>) -> Request {
    let request = Request::new(Method::GET, "/files/a.txt");
    match key {
        Some(key) => request.key(key),
        None => request,
    }
}

fn a_file_is_read_at_each_request(mode: Mode) {
    let (site, folder) = site(mode);
    assert_eq!(site.send(get(Some("k"))).text(), "first");
    std::fs::write(folder.path().join("a.txt"), "second").expect("a file");
    for key in [Some("k"), None] {
        let answer = site.send(get(key));
        assert_eq!(
            (answer.text().as_str(), answer.is_replay()),
            ("second", false)
        );
    }
}

fn heads_conditions_and_ranges_are_as_ever(mode: Mode) {
    let (site, _folder) = site(mode);
    let whole = site.send(get(Some("k")));
    let mut head = site.connect();
    head.send(&Request::new(Method::HEAD, "/files/a.txt").key("k"));
    let head = head.receive_head().expect("a head");
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("5"))
    );
    let tag = whole.header("etag").expect("a tag");
    let same = site.send(get(Some("k")).header("If-None-Match", tag));
    assert_eq!(same.status, 304);
    let part = site.send(get(Some("k")).header("Range", "bytes=1-2"));
    assert_eq!((part.status, part.text().as_str()), (206, "ir"));
}
