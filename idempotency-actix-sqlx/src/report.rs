//! What was found in a database's configuration, for start-up. Which configuration is safe is not known here.

use std::fmt;

/// How much a finding endangers the promise of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SqlSeverity {
    /// A loss that needs a rare accident, or something that costs time.
    Note,
    /// A common failure, such as a crash of the machine or a failover, loses claims.
    Warning,
    /// No failure is needed: claims are lost or refused in ordinary operation.
    Fatal,
}

impl fmt::Display for SqlSeverity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Fatal => "fatal",
        })
    }
}

/// One thing that bears on the promise; its message says what to change.
pub trait SqlFinding: fmt::Display {
    /// How much it endangers the promise.
    fn severity(&self) -> SqlSeverity;
}

/// What a database's configuration means for the promise of one run.
///
/// `Display` is one line for each finding, to be acted upon; the values are for a program, which may refuse to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlReport<F> {
    database: String,
    findings: Vec<F>,
}

impl<F: SqlFinding> SqlReport<F> {
    pub(crate) fn new(database: String, findings: Vec<F>) -> Self {
        Self { database, findings }
    }

    /// Which database: host, port and name, or the file.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// What was found.
    pub fn findings(&self) -> &[F] {
        &self.findings
    }

    /// The severity of the worst finding; `None` if nothing was found.
    pub fn worst(&self) -> Option<SqlSeverity> {
        self.findings.iter().map(SqlFinding::severity).max()
    }

    /// Whether there is nothing worse than a note.
    pub fn is_safe(&self) -> bool {
        self.worst() <= Some(SqlSeverity::Note)
    }
}

impl<F: SqlFinding> fmt::Display for SqlReport<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let database = &self.database;
        if self.findings.is_empty() {
            return write!(f, "{database}: nothing found that endangers a claim");
        }
        for (at, finding) in self.findings.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            write!(f, "{database}: {}: {finding}", finding.severity())?;
        }
        Ok(())
    }
}
