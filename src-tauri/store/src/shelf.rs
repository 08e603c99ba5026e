//! What can be laid down and picked up by a key: settings, cache, viewed marks.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use countersign_domain::names::{ChangeId, CommitId, RepositoryId};

use crate::error::StoreError;
use crate::open::Store;
use crate::row::time_text;

impl Store {
    /// A setting, if it was ever set.
    ///
    /// # Errors
    /// [`StoreError::Setting`] when what was set is of another type.
    pub async fn setting<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, StoreError> {
        let text: Option<String> =
            sqlx::query_scalar("SELECT value FROM settings WHERE key = ?").bind(key).fetch_optional(&self.pool).await?;
        let read = text.map(|text| serde_json::from_str(&text)).transpose();
        read.map_err(|cause| StoreError::Setting { key: key.to_owned(), cause })
    }

    /// Sets a setting.
    ///
    /// # Errors
    /// [`StoreError::Setting`] when the value cannot be written as JSON.
    pub async fn set_setting<T: Serialize + Sync>(&self, key: &str, value: &T) -> Result<(), StoreError> {
        let text = serde_json::to_string(value).map_err(|cause| StoreError::Setting { key: key.to_owned(), cause })?;
        sqlx::query("INSERT INTO settings VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value")
            .bind(key)
            .bind(text)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Something computed before. `kind` names what, and its format's version with it, such as `module-graph/1`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn cached(&self, kind: &str, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let value = sqlx::query_scalar("SELECT value FROM cache WHERE kind = ? AND key = ?").bind(kind).bind(key);
        Ok(value.fetch_optional(&self.pool).await?)
    }

    /// Lays something down that can be computed again. It lies there in plain text: no plan, no log.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn cache(&self, kind: &str, key: &str, value: &[u8]) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO cache VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value")
            .bind(kind)
            .bind(key)
            .bind(value)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Drops everything that can be computed again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn clear_cache(&self) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM cache").execute(&self.pool).await?;
        Ok(())
    }

    /// Marks a file of a change, at this commit, as viewed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn mark_viewed(
        &self,
        repository: &RepositoryId,
        change: &ChangeId,
        head: &CommitId,
        file: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO viewed VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING")
            .bind(repository.as_str())
            .bind(change.as_str())
            .bind(head.as_str())
            .bind(file)
            .bind(time_text(at))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Takes the mark back.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unmark_viewed(
        &self,
        repository: &RepositoryId,
        change: &ChangeId,
        head: &CommitId,
        file: &str,
    ) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM viewed WHERE repository = ? AND change = ? AND head = ? AND file = ?")
            .bind(repository.as_str())
            .bind(change.as_str())
            .bind(head.as_str())
            .bind(file)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The files of a change that were viewed at this commit.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn viewed(
        &self,
        repository: &RepositoryId,
        change: &ChangeId,
        head: &CommitId,
    ) -> Result<BTreeSet<String>, StoreError> {
        let files: Vec<String> =
            sqlx::query_scalar("SELECT file FROM viewed WHERE repository = ? AND change = ? AND head = ?")
                .bind(repository.as_str())
                .bind(change.as_str())
                .bind(head.as_str())
                .fetch_all(&self.pool)
                .await?;
        Ok(files.into_iter().collect())
    }
}
