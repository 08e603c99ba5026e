//! Statements: the append-only record, the outbox of what is not yet in a shared log, and the tips of the shared logs.

use std::fmt;

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Sqlite, SqliteConnection, Transaction};

use countersign_domain::names::{ChangeId, CommitId, RepositoryId, StatementId};
use countersign_domain::statement::StatementKind;

use crate::chain::{GENESIS, Link};
use crate::error::StoreError;
use crate::open::Store;
use crate::row::{Read, time_text};

/// A statement to be recorded. Its signature has been verified by whoever hands it over.
#[derive(Clone, PartialEq, Eq)]
pub struct NewStatement {
    /// What its signature's namespace stands for.
    pub kind: StatementKind,
    /// The repository it is about.
    pub repository: RepositoryId,
    /// The change it is about, if any.
    pub change: Option<ChangeId>,
    /// The exact bytes that were signed.
    pub payload: Vec<u8>,
    /// The detached SSHSIG over them.
    pub signature: Vec<u8>,
    /// When it got here.
    pub received_at: Timestamp,
    /// Where it came from.
    pub origin: Origin,
}

impl fmt::Debug for NewStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewStatement({}, {} bytes)", self.kind.word(), self.payload.len())
    }
}

/// Where a statement came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Made on this machine: it has yet to be published to the repository's shared log.
    Here,
    /// Read from the shared log: it need not be published.
    SharedLog,
}

/// A statement's place in this machine's record, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub i64);

/// What became of a statement that was handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is new and now on disk.
    New(Seq),
    /// The same payload with the same signature was there already.
    AlreadyThere(Seq),
    /// The same payload was there with another signature. The first one stays.
    OtherSignatureKept(Seq),
}

impl Appended {
    /// Its place in the record.
    #[must_use]
    pub fn seq(self) -> Seq {
        match self {
            Self::New(seq) | Self::AlreadyThere(seq) | Self::OtherSignatureKept(seq) => seq,
        }
    }
}

/// A statement as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedStatement {
    /// Its place.
    pub seq: Seq,
    /// The SHA-256 of its payload.
    pub id: StatementId,
    /// Its kind.
    pub kind: StatementKind,
    /// The repository it is about.
    pub repository: RepositoryId,
    /// The change it is about, if any.
    pub change: Option<ChangeId>,
    /// The exact bytes that were signed.
    pub payload: Vec<u8>,
    /// The detached SSHSIG over them.
    pub signature: Vec<u8>,
    /// When it got here.
    pub received_at: Timestamp,
}

/// Which statements to read; nothing set means all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatementFilter {
    /// Only those about this repository.
    pub repository: Option<RepositoryId>,
    /// Only those about this change.
    pub change: Option<ChangeId>,
    /// Only those of this kind.
    pub kind: Option<StatementKind>,
    /// Only those recorded after this one.
    pub after: Option<Seq>,
    /// At most this many, the oldest first.
    pub limit: Option<u32>,
}

/// The usual question, worded so that SQLite answers it from an index.
const OF_ONE_CHANGE: &str = "SELECT * FROM statements
    WHERE repository = ?1 AND change = ?2 AND (?3 IS NULL OR kind = ?3) AND seq > ?4 ORDER BY seq LIMIT ?5";

/// Any other question.
const OF_ANY_CHANGE: &str = "SELECT * FROM statements
    WHERE (?1 IS NULL OR repository = ?1) AND (?2 IS NULL OR change = ?2) AND (?3 IS NULL OR kind = ?3) AND seq > ?4
    ORDER BY seq LIMIT ?5";

impl Store {
    /// Records one statement. When this returns, it is on disk.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was recorded then.
    pub async fn append_statement(&self, statement: &NewStatement) -> Result<Appended, StoreError> {
        let mut transaction = self.write().await?;
        let mut end = ChainEnd::read(&mut transaction).await?;
        let appended = append(&mut transaction, &mut end, statement).await?;
        end.write(&mut transaction).await?;
        transaction.commit().await?;
        Ok(appended)
    }

    /// Records all of these or, on an error, none.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was recorded then.
    pub async fn append_statements(&self, statements: &[NewStatement]) -> Result<Vec<Appended>, StoreError> {
        let mut transaction = self.write().await?;
        let mut end = ChainEnd::read(&mut transaction).await?;
        let mut appended = Vec::with_capacity(statements.len());
        for statement in statements {
            appended.push(append(&mut transaction, &mut end, statement).await?);
        }
        end.write(&mut transaction).await?;
        transaction.commit().await?;
        Ok(appended)
    }

    /// The statements that pass `filter`, in the order they were recorded.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] for a row that something else has changed, and the database's own.
    pub async fn statements(&self, filter: &StatementFilter) -> Result<Vec<RecordedStatement>, StoreError> {
        let of_one_change = filter.repository.is_some() && filter.change.is_some();
        let rows = sqlx::query(if of_one_change { OF_ONE_CHANGE } else { OF_ANY_CHANGE })
            .bind(filter.repository.as_ref().map(RepositoryId::as_str))
            .bind(filter.change.as_ref().map(ChangeId::as_str))
            .bind(filter.kind.map(StatementKind::word))
            .bind(filter.after.map_or(0, |seq| seq.0))
            .bind(filter.limit.map_or(-1, i64::from))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(recorded).collect()
    }

    /// One statement.
    ///
    /// # Errors
    /// As [`statements`](Self::statements).
    pub async fn statement(&self, id: &StatementId) -> Result<Option<RecordedStatement>, StoreError> {
        let row = sqlx::query("SELECT * FROM statements WHERE id = ?").bind(id.as_str());
        row.fetch_optional(&self.pool).await?.as_ref().map(recorded).transpose()
    }

    /// What was made here and is not yet in the repository's shared log, the oldest first.
    ///
    /// # Errors
    /// As [`statements`](Self::statements).
    pub async fn pending(&self, repository: &RepositoryId) -> Result<Vec<RecordedStatement>, StoreError> {
        let rows = sqlx::query(
            "SELECT s.* FROM pending p JOIN statements s ON s.id = p.statement WHERE p.repository = ? ORDER BY s.seq",
        )
        .bind(repository.as_str())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(recorded).collect()
    }

    /// Every repository that something is pending for.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn repositories_with_pending(&self) -> Result<Vec<RepositoryId>, StoreError> {
        let rows = sqlx::query("SELECT DISTINCT repository FROM pending ORDER BY repository");
        let rows = rows.fetch_all(&self.pool).await?;
        rows.iter().map(|row| Read { table: "pending", row }.name("repository")).collect()
    }

    /// The shared log has these now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn mark_published(&self, ids: &[StatementId]) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        for id in ids {
            settle(&mut transaction, id).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// These have to be published (again): the shared log was found without them.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when one of them was never recorded; nothing is marked then.
    pub async fn mark_pending(&self, repository: &RepositoryId, ids: &[StatementId]) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        for id in ids {
            enqueue(&mut transaction, id, repository).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// The newest commit seen of the repository's shared log on this remote. A log that does not contain it was rewound.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn log_tip(&self, repository: &RepositoryId, remote: &str) -> Result<Option<CommitId>, StoreError> {
        let row = sqlx::query("SELECT tip FROM log_tips WHERE repository = ? AND remote = ?")
            .bind(repository.as_str())
            .bind(remote)
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| Read { table: "log_tips", row: &row }.name("tip")).transpose()
    }

    /// Remembers `tip`, which the caller has checked to contain the one before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_log_tip(
        &self,
        repository: &RepositoryId,
        remote: &str,
        tip: &CommitId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO log_tips VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET tip = excluded.tip, seen_at = excluded.seen_at",
        )
        .bind(repository.as_str())
        .bind(remote)
        .bind(tip.as_str())
        .bind(time_text(at))
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

/// The last row, as it stands while a transaction appends.
struct ChainEnd {
    seq: i64,
    hash: String,
    grown: bool,
}

impl ChainEnd {
    async fn read(transaction: &mut Transaction<'_, Sqlite>) -> Result<Self, StoreError> {
        let last: Option<(i64, String)> =
            sqlx::query_as("SELECT seq, row_hash FROM statements ORDER BY seq DESC LIMIT 1")
                .fetch_optional(&mut **transaction)
                .await?;
        let (seq, hash) = last.unwrap_or((0, GENESIS.to_owned()));
        Ok(Self { seq, hash, grown: false })
    }

    async fn write(self, transaction: &mut Transaction<'_, Sqlite>) -> Result<(), StoreError> {
        if !self.grown {
            return Ok(());
        }
        let head = sqlx::query("UPDATE chain_head SET count = ?, row_hash = ?").bind(self.seq).bind(self.hash);
        head.execute(&mut **transaction).await?;
        Ok(())
    }
}

async fn append(
    transaction: &mut Transaction<'_, Sqlite>,
    end: &mut ChainEnd,
    statement: &NewStatement,
) -> Result<Appended, StoreError> {
    let id = crate::sha256(&statement.payload);
    let known: Option<(i64, Vec<u8>)> = sqlx::query_as("SELECT seq, signature FROM statements WHERE id = ?")
        .bind(id.as_str())
        .fetch_optional(&mut **transaction)
        .await?;
    let appended = match known {
        Some((seq, signature)) if signature == statement.signature => Appended::AlreadyThere(Seq(seq)),
        Some((seq, _)) => Appended::OtherSignatureKept(Seq(seq)),
        None => insert(transaction, end, statement, &id).await?,
    };
    match (statement.origin, appended) {
        (Origin::Here, Appended::New(_)) => enqueue(transaction, &id, &statement.repository).await?,
        (Origin::SharedLog, _) => settle(transaction, &id).await?,
        (Origin::Here, _) => {}
    }
    Ok(appended)
}

async fn insert(
    connection: &mut SqliteConnection,
    end: &mut ChainEnd,
    statement: &NewStatement,
    id: &StatementId,
) -> Result<Appended, StoreError> {
    let received_at = time_text(statement.received_at);
    let link = Link {
        prev_hash: &end.hash,
        seq: end.seq + 1,
        id: id.as_str(),
        kind: statement.kind.word(),
        repository: statement.repository.as_str(),
        change: statement.change.as_ref().map(ChangeId::as_str),
        payload: &statement.payload,
        signature: &statement.signature,
        received_at: &received_at,
    };
    let row_hash = link.row_hash();
    sqlx::query("INSERT INTO statements VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        .bind(link.seq)
        .bind(link.id)
        .bind(link.kind)
        .bind(link.repository)
        .bind(link.change)
        .bind(link.payload)
        .bind(link.signature)
        .bind(link.received_at)
        .bind(link.prev_hash)
        .bind(row_hash.as_str())
        .execute(connection)
        .await?;
    *end = ChainEnd { seq: link.seq, hash: row_hash.into(), grown: true };
    Ok(Appended::New(Seq(end.seq)))
}

async fn enqueue(
    connection: &mut SqliteConnection,
    id: &StatementId,
    repository: &RepositoryId,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO pending VALUES (?, ?) ON CONFLICT DO NOTHING")
        .bind(id.as_str())
        .bind(repository.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

async fn settle(connection: &mut SqliteConnection, id: &StatementId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM pending WHERE statement = ?").bind(id.as_str()).execute(connection).await?;
    Ok(())
}

fn recorded(row: &SqliteRow) -> Result<RecordedStatement, StoreError> {
    let row = Read { table: "statements", row };
    Ok(RecordedStatement {
        seq: Seq(row.column("seq")?),
        id: row.name("id")?,
        kind: row.word("kind", |word| StatementKind::ALL.into_iter().find(|kind| kind.word() == word))?,
        repository: row.name("repository")?,
        change: row.name_if_any("change")?,
        payload: row.column("payload")?,
        signature: row.column("signature")?,
        received_at: row.time("received_at")?,
    })
}
