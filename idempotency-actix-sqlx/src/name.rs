//! Names of schemas and tables, as they stand in statements. It knows no database.

use crate::error::SqlConfigError;

/// A checked identifier, which needs quotes at most for being a word of SQL's.
#[derive(Clone, Debug)]
pub(crate) struct Name(String);

impl Name {
    /// What the migrations call the table.
    pub(crate) fn default_table() -> Self {
        Self("idempotency_records".to_owned())
    }

    /// So long that names of indexes made of it stay within PostgreSQL's 63 octets.
    const MOST: usize = 48;

    pub(crate) fn new(option: &'static str, name: &str) -> Result<Self, SqlConfigError> {
        let is_start = |b: u8| b.is_ascii_lowercase() || b == b'_';
        let is_good = (1..=Self::MOST).contains(&name.len())
            && name.bytes().next().is_some_and(is_start)
            && name.bytes().all(|b| is_start(b) || b.is_ascii_digit());
        match is_good {
            true => Ok(Self(name.to_owned())),
            false => Err(SqlConfigError::Name {
                option,
                name: name.to_owned(),
            }),
        }
    }

    /// One that the server tells.
    #[cfg(feature = "postgres")]
    pub(crate) fn told(name: &str) -> Self {
        Self(name.replace('"', "\"\""))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where the records are, and what else is named after their table.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) schema: Option<Name>,
    pub(crate) table: Name,
}

impl Names {
    pub(crate) fn table(&self) -> String {
        self.with("")
    }

    pub(crate) fn view(&self) -> String {
        self.with("_view")
    }

    /// Alone, since an index stands in its table's schema.
    pub(crate) fn indexes(&self) -> [String; 2] {
        ["expires", "claims"].map(|index| format!("\"{}_{index}\"", self.table.as_str()))
    }

    /// The same where they have to be found.
    #[cfg(feature = "postgres")]
    pub(crate) fn indexes_in_schema(&self) -> [String; 2] {
        ["_expires", "_claims"].map(|end| self.with(end))
    }

    fn with(&self, end: &str) -> String {
        let table = self.table.as_str();
        match &self.schema {
            Some(schema) => format!("\"{}\".\"{table}{end}\"", schema.as_str()),
            None => format!("\"{table}{end}\""),
        }
    }

    /// A migration as it is shipped, for these names.
    pub(crate) fn in_migration(&self, sql: &str) -> String {
        let [expires, claims] = self.indexes();
        sql.replace("\"idempotency_records_expires\"", &expires)
            .replace("\"idempotency_records_claims\"", &claims)
            .replace("\"idempotency_records_view\"", &self.view())
            .replace("\"idempotency_records\"", &self.table())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_plain_identifier() {
        for good in ["idempotency_records", "_x1", "order"] {
            assert!(Name::new("table", good).is_ok(), "{good}");
        }
        let long = "x".repeat(49);
        for bad in ["", "1x", "X", "a b", "a\"b", "a.b", "a;--", "é", &long] {
            assert!(Name::new("table", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_migration_is_about_the_table_of_choice() {
        let schema = Name::new("schema", "shop").ok();
        let table = Name::new("table", "keys").expect("a name");
        let names = Names { schema, table };
        let sql =
            "\"idempotency_records\" \"idempotency_records_expires\" \"idempotency_records_view\"";
        assert_eq!(
            names.in_migration(sql),
            "\"shop\".\"keys\" \"keys_expires\" \"shop\".\"keys_view\""
        );
    }
}
