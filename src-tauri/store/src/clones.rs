//! The clones that are watched.

use std::fmt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;

use crate::error::StoreError;
use crate::open::Store;
use crate::row::{Read, time_text};

/// A clone's number; never used again after the clone was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CloneId(pub i64);

impl fmt::Display for CloneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a clone holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CloneKind {
    /// Reusable modules.
    Modules,
    /// Configuration of real environments.
    Live,
}

impl CloneKind {
    /// The kind's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Modules => "modules",
            Self::Live => "live",
        }
    }
}

/// A clone to be watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewClone {
    /// Its working directory, absolute and with links resolved, so that one clone has one path.
    pub path: PathBuf,
    /// What it holds.
    pub kind: CloneKind,
    /// What people call it.
    pub name: String,
    /// The remote that changes are proposed on, such as `origin`.
    pub remote: Option<String>,
    /// When it was added.
    pub added_at: Timestamp,
}

/// A clone that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedClone {
    /// Its number.
    pub id: CloneId,
    /// Its working directory.
    pub path: PathBuf,
    /// What it holds.
    pub kind: CloneKind,
    /// What people call it.
    pub name: String,
    /// The remote that changes are proposed on.
    pub remote: Option<String>,
    /// When it was added.
    pub added_at: Timestamp,
}

impl Store {
    /// Adds a clone.
    ///
    /// # Errors
    /// [`StoreError::CloneExists`], [`StoreError::PathNotUtf8`].
    pub async fn add_clone(&self, clone: &NewClone) -> Result<CloneId, StoreError> {
        let path = utf8(&clone.path)?;
        let added = sqlx::query(
            "INSERT INTO clones (path, kind, name, remote, added_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(path)
        .bind(clone.kind.word())
        .bind(&clone.name)
        .bind(clone.remote.as_deref())
        .bind(time_text(clone.added_at))
        .execute(&self.pool)
        .await?;
        if added.rows_affected() == 0 {
            return Err(StoreError::CloneExists { path: path.to_owned() });
        }
        Ok(CloneId(added.last_insert_rowid()))
    }

    /// Every clone, in the order they were added.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn clones(&self) -> Result<Vec<WatchedClone>, StoreError> {
        let rows = sqlx::query("SELECT * FROM clones ORDER BY id").fetch_all(&self.pool).await?;
        rows.iter().map(watched).collect()
    }

    /// One clone.
    ///
    /// # Errors
    /// [`StoreError::NoSuchClone`].
    pub async fn clone_by_id(&self, id: CloneId) -> Result<WatchedClone, StoreError> {
        let row = sqlx::query("SELECT * FROM clones WHERE id = ?").bind(id.0).fetch_optional(&self.pool).await?;
        watched(&row.ok_or(StoreError::NoSuchClone(id))?)
    }

    /// Stops watching a clone. Its directory, its statements and the log tips seen stay.
    ///
    /// # Errors
    /// [`StoreError::NoSuchClone`].
    pub async fn remove_clone(&self, id: CloneId) -> Result<(), StoreError> {
        let removed = sqlx::query("DELETE FROM clones WHERE id = ?").bind(id.0).execute(&self.pool).await?;
        if removed.rows_affected() == 0 { Err(StoreError::NoSuchClone(id)) } else { Ok(()) }
    }
}

fn utf8(path: &Path) -> Result<&str, StoreError> {
    path.to_str().ok_or_else(|| StoreError::PathNotUtf8(path.to_owned()))
}

fn watched(row: &SqliteRow) -> Result<WatchedClone, StoreError> {
    let row = Read { table: "clones", row };
    let path: String = row.column("path")?;
    Ok(WatchedClone {
        id: CloneId(row.column("id")?),
        path: PathBuf::from(path),
        kind: row.word("kind", |word| [CloneKind::Modules, CloneKind::Live].into_iter().find(|k| k.word() == word))?,
        name: row.column("name")?,
        remote: row.column("remote")?,
        added_at: row.time("added_at")?,
    })
}
