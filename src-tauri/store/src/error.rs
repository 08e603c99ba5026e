//! What can go wrong with the record, told apart by what a person can do about it.

use std::io;
use std::path::PathBuf;

use countersign_domain::names::NameError;

use crate::clones::CloneId;
use crate::runs::{RunId, RunStatus};

/// Why the record could not be opened, read or written. Whatever was acknowledged before is still there.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory for the record cannot be made or written to.
    #[error(
        "write to the data directory {}: {cause}; check its owner and permissions, or choose another with --data-dir",
        .dir.display()
    )]
    DirectoryNotWritable {
        /// The data directory.
        dir: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
    /// The file is no SQLite database, or its pages are damaged.
    #[error(
        "read the record: the file is not a database or is damaged ({problem}); move it away and start again: what was published comes back from the shared logs"
    )]
    Damaged {
        /// SQLite's words.
        problem: String,
    },
    /// A database, but some other program's.
    #[error("read the record: {} is another program's database; choose another directory with --data-dir", .file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
    },
    /// A newer program has written this file.
    #[error("read the record: it has schema {found} and this program knows up to {known}; use the newer program")]
    NewerSchema {
        /// The file's schema.
        found: i64,
        /// The newest this program knows.
        known: i64,
    },
    /// The schema carries a known number but is not the known one.
    #[error("bring the record's schema up to date: {0}")]
    Schema(#[source] sqlx::migrate::MigrateError),
    /// Another process holds the record for longer than a write should take.
    #[error("write to the record: another process has it locked; end that process, or try again")]
    Locked,
    /// No room left.
    #[error("write to the record: the disk is full; nothing of this write was kept, make room and try again")]
    DiskFull,
    /// The file or its directory became read-only.
    #[error("write to the record: it is read-only ({0}); check its permissions and the disk")]
    ReadOnly(String),
    /// A trigger or constraint refused a change of the record.
    #[error("write to the record: {0}")]
    Refused(String),
    /// A row holds what this program never writes.
    #[error(
        "read a row of {table}: {problem}; the record was changed by something else, `countersign audit verify` tells where"
    )]
    Unreadable {
        /// The table.
        table: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// A value that is not valid JSON for its type.
    #[error("read or write the setting {key}: {cause}")]
    Setting {
        /// The setting.
        key: String,
        /// The parser's words.
        cause: serde_json::Error,
    },
    /// The clone is there already.
    #[error("add the clone {path}: it is already there")]
    CloneExists {
        /// Its path.
        path: String,
    },
    /// No such clone.
    #[error("find clone {0}: there is none with this number; `countersign clone list` shows them")]
    NoSuchClone(CloneId),
    /// A path that is not valid UTF-8.
    #[error("add the clone {}: its path is not valid UTF-8", .0.display())]
    PathNotUtf8(PathBuf),
    /// No such run.
    #[error("find run {0}: there is none with this number")]
    NoSuchRun(RunId),
    /// The run has moved on.
    #[error("record that run {run} is {wanted}: it is {found} already")]
    RunMovedOn {
        /// The run.
        run: RunId,
        /// What it is.
        found: RunStatus,
        /// What it was to become.
        wanted: RunStatus,
    },
    /// Random numbers are not to be had.
    #[error("name this session: the system gives no random numbers")]
    NoRandomness,
    /// Anything else that SQLite or its driver report.
    #[error("use the record: {0}")]
    Database(#[source] sqlx::Error),
}

/// SQLite's primary result codes (sqlite.org/rescode.html).
mod code {
    pub(super) const BUSY: u32 = 5;
    pub(super) const LOCKED: u32 = 6;
    pub(super) const READONLY: u32 = 8;
    pub(super) const CORRUPT: u32 = 11;
    pub(super) const FULL: u32 = 13;
    pub(super) const CANTOPEN: u32 = 14;
    pub(super) const CONSTRAINT: u32 = 19;
    pub(super) const NOTADB: u32 = 26;
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let Some(database) = error.as_database_error() else { return Self::Database(error) };
        let extended: Option<u32> = database.code().and_then(|code| code.parse().ok());
        let problem = || database.message().to_owned();
        match extended.map(|code| code & 0xff) {
            Some(code::BUSY | code::LOCKED) => Self::Locked,
            Some(code::FULL) => Self::DiskFull,
            Some(code::READONLY | code::CANTOPEN) => Self::ReadOnly(problem()),
            Some(code::CORRUPT | code::NOTADB) => Self::Damaged { problem: problem() },
            Some(code::CONSTRAINT) => Self::Refused(problem()),
            _ => Self::Database(error),
        }
    }
}

impl StoreError {
    /// A value in `table` that is not what this program writes.
    pub(crate) fn unreadable(table: &'static str) -> impl Fn(NameError) -> Self {
        move |error| Self::Unreadable { table, problem: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqliteConnectOptions;
    use sqlx::{Connection, SqliteConnection};

    use super::*;

    async fn connection(dir: &tempfile::TempDir) -> SqliteConnection {
        let file = dir.path().join("file");
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
        let options = options.busy_timeout(std::time::Duration::ZERO);
        SqliteConnection::connect_with(&options).await.unwrap()
    }

    #[tokio::test]
    async fn a_full_disk_a_lock_and_a_read_only_file_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let (mut one, mut other) = (connection(&dir).await, connection(&dir).await);
        let run = async |sql: &'static str, connection: &mut SqliteConnection| {
            sqlx::raw_sql(sql).execute(connection).await.map(drop).map_err(StoreError::from)
        };
        run("CREATE TABLE t (x BLOB); BEGIN IMMEDIATE", &mut one).await.unwrap();
        assert!(matches!(run("INSERT INTO t VALUES (1)", &mut other).await, Err(StoreError::Locked)));
        run("ROLLBACK; PRAGMA max_page_count = 3", &mut one).await.unwrap();
        let full = run("INSERT INTO t VALUES (zeroblob(100000))", &mut one).await;
        assert!(matches!(full, Err(StoreError::DiskFull)), "{full:?}");
        run("PRAGMA query_only = ON", &mut one).await.unwrap();
        let read_only = run("INSERT INTO t VALUES (1)", &mut one).await;
        assert!(matches!(read_only, Err(StoreError::ReadOnly(_))), "{read_only:?}");
    }
}
