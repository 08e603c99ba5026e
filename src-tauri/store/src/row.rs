//! Reading columns into the types of the domain.

use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use countersign_domain::names::NameError;

use crate::error::StoreError;

/// A row of a known table; every column that cannot be read names it.
pub(crate) struct Read<'a> {
    pub(crate) table: &'static str,
    pub(crate) row: &'a SqliteRow,
}

impl Read<'_> {
    pub(crate) fn column<'r, T>(&'r self, column: &'static str) -> Result<T, StoreError>
    where
        T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    {
        self.row.try_get(column).map_err(|error| self.unreadable(&error))
    }

    /// A validated name.
    pub(crate) fn name<T: TryFrom<String, Error = NameError>>(&self, column: &'static str) -> Result<T, StoreError> {
        T::try_from(self.column(column)?).map_err(|error| self.unreadable(&error))
    }

    /// A validated name, or none.
    pub(crate) fn name_if_any<T: TryFrom<String, Error = NameError>>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, StoreError> {
        let text: Option<String> = self.column(column)?;
        text.map(T::try_from).transpose().map_err(|error| self.unreadable(&error))
    }

    /// A time, or none.
    pub(crate) fn time_if_any(&self, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
        let text: Option<String> = self.column(column)?;
        text.map(|text| text.parse()).transpose().map_err(|error: jiff::Error| self.unreadable(&error))
    }

    /// A time.
    pub(crate) fn time(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        let text: String = self.column(column)?;
        text.parse().map_err(|error: jiff::Error| self.unreadable(&error))
    }

    /// One of a closed set of words.
    pub(crate) fn word<T>(&self, column: &'static str, read: impl Fn(&str) -> Option<T>) -> Result<T, StoreError> {
        let text: String = self.column(column)?;
        read(&text).ok_or_else(|| self.unreadable(&format!("{column} holds an unknown word")))
    }

    fn unreadable(&self, problem: &dyn std::fmt::Display) -> StoreError {
        StoreError::Unreadable { table: self.table, problem: problem.to_string() }
    }
}

/// A time as it is written: RFC 3339 in UTC with nine digits, so that texts sort as times do.
pub(crate) fn time_text(time: Timestamp) -> String {
    format!("{time:.9}")
}
