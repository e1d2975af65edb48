//! What the layer logs, over all tests of this process.

use std::sync::{Mutex, Once};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Lines;

impl log::Log for Lines {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("idempotency_actix")
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = format!("{} {}", record.level(), record.args());
            LINES.lock().unwrap().push(line);
        }
    }

    fn flush(&self) {}
}

/// Starts to listen, for all tests of this process.
pub fn listen() {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        log::set_logger(&Lines).expect("no other logger");
        log::set_max_level(log::LevelFilter::Info);
    });
}

/// The lines so far that have all of these texts in them. Each begins with its level.
pub fn lines_with(texts: &[&str]) -> Vec<String> {
    let lines = LINES.lock().unwrap();
    let found = lines
        .iter()
        .filter(|line| texts.iter().all(|text| line.contains(text)));
    found.cloned().collect()
}
