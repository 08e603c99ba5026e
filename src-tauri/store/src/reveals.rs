//! Who looked at which sensitive value. Append-only, and never the value itself.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

use countersign_domain::names::{ChangeId, Fingerprint, PersonId, RepositoryId, UnitPath};

use crate::error::StoreError;
use crate::open::Store;
use crate::row::{Read, time_text};

/// A person had a masked value shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reveal {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub person: PersonId,
    /// The key the person is known by here, if any.
    pub fingerprint: Option<Fingerprint>,
    /// The repository.
    pub repository: RepositoryId,
    /// The change.
    pub change: ChangeId,
    /// The unit.
    pub unit: UnitPath,
    /// The resource's or output's address.
    pub address: String,
    /// Where in it the value stands, such as `triggers.password`.
    pub path: String,
}

impl Store {
    /// Records a reveal. To be called before the value is shown.
    ///
    /// # Errors
    /// [`StoreError`]; nothing may be shown then.
    pub async fn record_reveal(&self, reveal: &Reveal) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO reveals (at, person, fingerprint, repository, change, unit, address, path)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(time_text(reveal.at))
        .bind(reveal.person.as_str())
        .bind(reveal.fingerprint.as_ref().map(Fingerprint::as_str))
        .bind(reveal.repository.as_str())
        .bind(reveal.change.as_str())
        .bind(reveal.unit.as_str())
        .bind(&reveal.address)
        .bind(&reveal.path)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Every reveal in a change, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn reveals(&self, repository: &RepositoryId, change: &ChangeId) -> Result<Vec<Reveal>, StoreError> {
        let rows = sqlx::query("SELECT * FROM reveals WHERE repository = ? AND change = ? ORDER BY id")
            .bind(repository.as_str())
            .bind(change.as_str())
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(reveal).collect()
    }
}

fn reveal(row: &SqliteRow) -> Result<Reveal, StoreError> {
    let row = Read { table: "reveals", row };
    Ok(Reveal {
        at: row.time("at")?,
        person: row.name("person")?,
        fingerprint: row.name_if_any("fingerprint")?,
        repository: row.name("repository")?,
        change: row.name("change")?,
        unit: row.name("unit")?,
        address: row.column("address")?,
        path: row.column("path")?,
    })
}
