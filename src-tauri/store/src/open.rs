//! Opening the record.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, SqliteConnection, SqlitePool};

use crate::error::StoreError;
use crate::session::{DoorLock, Session};

/// The record's file in the data directory.
pub const FILE_NAME: &str = "countersign.sqlite";

/// "CSGN", as the first migration sets it.
const APPLICATION_ID: i64 = 0x4353_474e;

/// How long a write waits for another process's write. A commit takes about a millisecond.
const PATIENCE: Duration = Duration::from_secs(10);

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// The record. Cheap to clone; all clones share one pool of connections.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) pool: SqlitePool,
    pub(crate) session: Arc<Session>,
    /// None for a record in memory.
    pub(crate) dir: Option<PathBuf>,
}

impl Store {
    /// Opens the record in `data_dir`; makes directory (mode 0700) and file (mode 0600) when they are missing, and brings
    /// the schema up to date. Several processes may have it open at once.
    ///
    /// # Errors
    /// [`StoreError::DirectoryNotWritable`], [`StoreError::Damaged`], [`StoreError::Foreign`],
    /// [`StoreError::NewerSchema`], [`StoreError::Schema`], [`StoreError::Locked`], [`StoreError::DiskFull`].
    pub async fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let dir = data_dir.to_owned();
        let prepared = tokio::task::spawn_blocking(move || prepare(&dir));
        let (_door, session) = prepared.await.unwrap_or_else(|ended| {
            Err(StoreError::DirectoryNotWritable { dir: data_dir.to_owned(), cause: io::Error::other(ended) })
        })?;
        let file = data_dir.join(FILE_NAME);
        let options = options().filename(&file);
        refuse_foreign(&file).await?;
        let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
        migrate(&pool).await?;
        Ok(Self { pool, session: Arc::new(session), dir: Some(data_dir.to_owned()) })
    }

    /// A record that ends with this value, for tests.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_in_memory() -> Result<Self, StoreError> {
        let one = SqlitePoolOptions::new().max_connections(1).min_connections(1).idle_timeout(None).max_lifetime(None);
        let pool = one.connect_with(options().in_memory(true)).await?;
        migrate(&pool).await?;
        Ok(Self { pool, session: Arc::new(Session::begin(None)?), dir: None })
    }

    /// Closes all connections after their work is done.
    pub async fn close(self) {
        self.pool.close().await;
    }

    /// A transaction that may write, begun as such, so that it never fails half-way for want of the lock.
    pub(crate) async fn write(&self) -> Result<sqlx::Transaction<'static, sqlx::Sqlite>, StoreError> {
        Ok(self.pool.begin_with("BEGIN IMMEDIATE").await?)
    }
}

fn options() -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .pragma("recursive_triggers", "ON")
        .pragma("trusted_schema", "OFF")
        .busy_timeout(PATIENCE)
}

fn prepare(dir: &Path) -> Result<(DoorLock, Session), StoreError> {
    let not_writable = |cause| StoreError::DirectoryNotWritable { dir: dir.to_owned(), cause };
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(not_writable)?;
    let door = DoorLock::take(dir).map_err(not_writable)?;
    private_file(&dir.join(FILE_NAME)).map_err(not_writable)?;
    Ok((door, Session::begin(Some(dir))?))
}

/// SQLite gives the write-ahead log the mode of the database.
fn private_file(file: &Path) -> io::Result<()> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(file)?;
    fs::set_permissions(file, Permissions::from_mode(0o600))
}

/// Refuses a database that has tables and is not ours, before anything of it is changed.
async fn refuse_foreign(file: &Path) -> Result<(), StoreError> {
    let looking = SqliteConnectOptions::new().filename(file).busy_timeout(PATIENCE);
    let mut connection = SqliteConnection::connect_with(&looking).await?;
    let id: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut connection).await?;
    // The migrator's own table comes first: a process killed right after it has left nothing else.
    let tables = "SELECT count(*) FROM sqlite_schema WHERE tbl_name <> '_sqlx_migrations'";
    let tables: i64 = sqlx::query_scalar(tables).fetch_one(&mut connection).await?;
    connection.close().await?;
    if id == APPLICATION_ID || tables == 0 { Ok(()) } else { Err(StoreError::Foreign { file: file.to_owned() }) }
}

async fn migrate(pool: &SqlitePool) -> Result<(), StoreError> {
    match MIGRATIONS.run(pool).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(found)) => {
            let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
            Err(StoreError::NewerSchema { found, known })
        }
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => Err(error.into()),
        Err(error) => Err(StoreError::Schema(error)),
    }
}

#[cfg(test)]
mod tests {
    use countersign_domain::names::RepositoryId;
    use countersign_domain::statement::StatementKind;
    use jiff::Timestamp;

    use super::*;
    use crate::statements::{NewStatement, Origin};

    #[tokio::test]
    async fn every_connection_is_durable_and_guarded() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let mut connections = Vec::new();
        for _ in 0..4 {
            let mut connection = store.pool.acquire().await.unwrap();
            let pragmas = [
                ("PRAGMA synchronous", 2),
                ("PRAGMA recursive_triggers", 1),
                ("PRAGMA foreign_keys", 1),
                ("PRAGMA trusted_schema", 0),
                ("PRAGMA application_id", APPLICATION_ID),
            ];
            for (pragma, expected) in pragmas {
                let value: i64 = sqlx::query_scalar(pragma).fetch_one(&mut *connection).await.unwrap();
                assert_eq!(value, expected, "{pragma}");
            }
            let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *connection).await.unwrap();
            assert_eq!(mode, "wal");
            connections.push(connection);
        }
    }

    #[tokio::test]
    async fn a_full_disk_keeps_nothing_of_the_write_and_all_before_it() {
        let store = Store::open_in_memory().await.unwrap();
        let statement = |payload: &[u8]| NewStatement {
            kind: StatementKind::Rejection,
            repository: RepositoryId::new("live").unwrap(),
            change: None,
            payload: payload.to_vec(),
            signature: b"signature".to_vec(),
            received_at: Timestamp::UNIX_EPOCH,
            origin: Origin::Here,
        };
        store.append_statement(&statement(b"one")).await.unwrap();
        let before = store.verify_chain().await.unwrap();
        let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&store.pool).await.unwrap();
        let limit = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {}", pages + 2));
        sqlx::query(limit).execute(&store.pool).await.unwrap();
        let refused = store.append_statements(&[statement(b"two"), statement(&[b'x'; 100_000])]).await;
        assert!(matches!(refused, Err(StoreError::DiskFull)), "{refused:?}");
        assert_eq!(store.verify_chain().await.unwrap(), before);
        store.append_statement(&statement(b"two")).await.unwrap();
        assert_eq!(store.verify_chain().await.unwrap().count, 2);
    }
}
