//! What the demo prints in the end.

use std::fmt;

pub(crate) struct Row {
    pub(crate) scene: &'static str,
    pub(crate) attempt: usize,
    pub(crate) status: String,
    pub(crate) outcome: String,
    /// How often the card was charged for this payment up to then.
    pub(crate) charges: usize,
}

#[derive(Default)]
pub(crate) struct Table(Vec<Row>);

impl Table {
    pub(crate) fn push(&mut self, row: Row) {
        self.0.push(row);
    }

    /// The last row of each scene.
    pub(crate) fn ends(&self) -> impl Iterator<Item = &Row> {
        let scenes = self.0.chunk_by(|one, other| one.scene == other.scene);
        scenes.filter_map(<[Row]>::last)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |cells: [&dyn fmt::Display; 5]| {
            let [scene, attempt, status, outcome, charges] = cells;
            writeln!(
                f,
                "{scene:<20}  {attempt:>3}  {status:<6}  {outcome:<16}  {charges:>14}"
            )
        };
        line([&"scene", &"try", &"status", &"outcome", &"charges so far"])?;
        let mut last = "";
        for row in &self.0 {
            let scene = if row.scene == last { "" } else { row.scene };
            last = row.scene;
            line([
                &scene,
                &row.attempt,
                &row.status,
                &row.outcome,
                &row.charges,
            ])?;
        }
        Ok(())
    }
}
