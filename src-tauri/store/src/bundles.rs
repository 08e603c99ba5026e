//! Sealed bundles, by the SHA-256 of their ciphertext. Nothing here can be read without a key that is not here.

use jiff::Timestamp;

use countersign_domain::names::{ChangeId, Digest, RepositoryId};

use crate::error::StoreError;
use crate::open::Store;
use crate::row::time_text;

impl Store {
    /// Keeps a sealed bundle, and returns the name to ask for it by. One that is there already stays as it is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_bundle(
        &self,
        repository: &RepositoryId,
        change: &ChangeId,
        ciphertext: &[u8],
        at: Timestamp,
    ) -> Result<Digest, StoreError> {
        let sha256 = crate::sha256(ciphertext);
        sqlx::query("INSERT INTO bundles VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING")
            .bind(sha256.as_str())
            .bind(repository.as_str())
            .bind(change.as_str())
            .bind(ciphertext)
            .bind(time_text(at))
            .execute(&self.pool)
            .await?;
        Ok(sha256)
    }

    /// The bundle with exactly this SHA-256.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] when its bytes have another SHA-256 by now.
    pub async fn bundle(&self, sha256: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let bytes: Option<Vec<u8>> = sqlx::query_scalar("SELECT bytes FROM bundles WHERE sha256 = ?")
            .bind(sha256.as_str())
            .fetch_optional(&self.pool)
            .await?;
        match bytes {
            Some(bytes) if crate::sha256(&bytes) != *sha256 => Err(StoreError::Unreadable {
                table: "bundles",
                problem: format!("bundle {} was altered", sha256.short()),
            }),
            bytes => Ok(bytes),
        }
    }

    /// Drops every bundle of a change, which has been applied or closed; how many there were.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn prune_bundles(&self, repository: &RepositoryId, change: &ChangeId) -> Result<u64, StoreError> {
        let pruned = sqlx::query("DELETE FROM bundles WHERE repository = ? AND change = ?")
            .bind(repository.as_str())
            .bind(change.as_str())
            .execute(&self.pool)
            .await?;
        Ok(pruned.rows_affected())
    }

    /// Drops every bundle that was kept before this time; how many there were.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn prune_bundles_before(&self, time: Timestamp) -> Result<u64, StoreError> {
        let pruned =
            sqlx::query("DELETE FROM bundles WHERE kept_at < ?").bind(time_text(time)).execute(&self.pool).await?;
        Ok(pruned.rows_affected())
    }
}
