//! The hash chain over statements, and the check that finds the first bad row.
//!
//! # What a row's hash covers
//! SHA-256 over these fields in this order, each as one byte `01`, its length in bytes as an unsigned 64-bit big-endian
//! number, and its bytes; an absent field (a statement about no change) is the single byte `00`:
//!
//! 1. the text `countersign statement row v1`
//! 2. the row hash of the row before, 64 hexadecimal digits; 64 zeros for the first row
//! 3. the sequence number, in decimal
//! 4. id, 5. kind, 6. repository, 7. change, 8. payload, 9. signature, 10. `received_at`, as they stand in the row
//!
//! No two different rows have the same encoding, because every field says where it ends.
//!
//! # What the check proves
//! That nobody edited, removed, inserted or reordered rows without recomputing every hash after them. Who can write the
//! file can do that too; then the signatures decide, and every other device still has what was published.

use futures::TryStreamExt;
use ring::digest::{Context, SHA256};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use countersign_domain::names::Digest;

use crate::error::StoreError;
use crate::open::Store;
use crate::row::Read;

const VERSION: &str = "countersign statement row v1";

/// What the first row has in place of a hash before it.
pub(crate) const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The columns a row's hash covers, borrowed from a row that is written or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link<'a> {
    pub(crate) prev_hash: &'a str,
    pub(crate) seq: i64,
    pub(crate) id: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) repository: &'a str,
    pub(crate) change: Option<&'a str>,
    pub(crate) payload: &'a [u8],
    pub(crate) signature: &'a [u8],
    pub(crate) received_at: &'a str,
}

impl Link<'_> {
    pub(crate) fn row_hash(&self) -> Digest {
        let mut hash = Context::new(&SHA256);
        self.encode(|bytes| hash.update(bytes));
        crate::digest_of(hash.finish())
    }

    fn encode(&self, mut write: impl FnMut(&[u8])) {
        let seq = self.seq.to_string();
        let fields: [Option<&[u8]>; 10] = [
            Some(VERSION.as_bytes()),
            Some(self.prev_hash.as_bytes()),
            Some(seq.as_bytes()),
            Some(self.id.as_bytes()),
            Some(self.kind.as_bytes()),
            Some(self.repository.as_bytes()),
            self.change.map(str::as_bytes),
            Some(self.payload),
            Some(self.signature),
            Some(self.received_at.as_bytes()),
        ];
        for field in fields {
            let Some(bytes) = field else {
                write(&[0]);
                continue;
            };
            write(&[1]);
            write(&(bytes.len() as u64).to_be_bytes());
            write(bytes);
        }
    }
}

/// A chain that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainReport {
    /// How many statements there are.
    pub count: u64,
    /// The last row's hash; all zeros when there is no row. Two reports of the same record can be compared later.
    pub last_hash: Digest,
}

/// The first bad row, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("verify the chain of statements: row {seq}: {problem}")]
pub struct ChainFault {
    /// The row's sequence number.
    pub seq: i64,
    /// What is wrong.
    pub problem: ChainProblem,
}

/// What can be wrong with a row of the chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainProblem {
    /// The sequence has a hole: this row is gone.
    #[error("it is missing")]
    Missing,
    /// The row before it is not the one that was there when it was written.
    #[error("it does not follow the row before it: a row was inserted, removed or reordered")]
    WrongPredecessor,
    /// Its columns are not those that were hashed.
    #[error("it was edited")]
    Edited,
    /// Its payload has another SHA-256 than its id says.
    #[error("its id is not the SHA-256 of its payload")]
    WrongId,
    /// Rows after the chain's recorded end.
    #[error("it lies beyond the recorded end of the chain")]
    BeyondEnd,
    /// A column cannot be read at all.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
}

/// Why the chain was not found whole.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The first bad row.
    #[error(transparent)]
    Fault(#[from] ChainFault),
    /// The record could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for ChainError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Store {
    /// Walks the whole chain, one row in memory at a time. Signatures are not looked at: that is for who knows the keys.
    ///
    /// # Errors
    /// [`ChainError::Fault`] names the first bad row; [`ChainError::Store`] when the record cannot be read.
    pub async fn verify_chain(&self) -> Result<ChainReport, ChainError> {
        // One transaction, so that rows and recorded end are of the same moment.
        let mut snapshot = self.pool.begin().await?;
        let (count, end): (i64, String) =
            sqlx::query_as("SELECT count, row_hash FROM chain_head").fetch_one(&mut *snapshot).await?;
        let mut walk = Walk { seq: 0, hash: GENESIS.to_owned() };
        {
            let mut rows = sqlx::query("SELECT * FROM statements ORDER BY seq").fetch(&mut *snapshot);
            while let Some(row) = rows.try_next().await? {
                walk.step(&row)?;
            }
        }
        snapshot.rollback().await?;
        walk.end(count, &end)
    }
}

struct Walk {
    seq: i64,
    hash: String,
}

impl Walk {
    fn step(&mut self, row: &SqliteRow) -> Result<(), ChainFault> {
        let seq = row.try_get("seq").unwrap_or(self.seq + 1);
        self.seq += 1;
        if seq != self.seq {
            return Err(ChainFault { seq: self.seq, problem: ChainProblem::Missing });
        }
        let fault = |problem| ChainFault { seq, problem };
        let unreadable = |error: StoreError| fault(ChainProblem::Unreadable(error.to_string()));
        let row = Read { table: "statements", row };
        let (link, row_hash) = link(&row, seq).map_err(unreadable)?;
        if link.row_hash().as_str() != row_hash {
            return Err(fault(ChainProblem::Edited));
        }
        if link.prev_hash != self.hash {
            return Err(fault(ChainProblem::WrongPredecessor));
        }
        if crate::sha256(link.payload).as_str() != link.id {
            return Err(fault(ChainProblem::WrongId));
        }
        row_hash.clone_into(&mut self.hash);
        Ok(())
    }

    fn end(self, count: i64, end: &str) -> Result<ChainReport, ChainError> {
        let fault = |seq, problem| Err(ChainFault { seq, problem }.into());
        if self.seq < count {
            return fault(self.seq + 1, ChainProblem::Missing);
        }
        if self.seq > count {
            return fault(count + 1, ChainProblem::BeyondEnd);
        }
        if self.hash != end {
            return fault(self.seq, ChainProblem::WrongPredecessor);
        }
        let last_hash = Digest::new(self.hash).map_err(StoreError::unreadable("statements"))?;
        Ok(ChainReport { count: self.seq.unsigned_abs(), last_hash })
    }
}

fn link<'r>(row: &'r Read<'_>, seq: i64) -> Result<(Link<'r>, &'r str), StoreError> {
    let link = Link {
        prev_hash: row.column("prev_hash")?,
        seq,
        id: row.column("id")?,
        kind: row.column("kind")?,
        repository: row.column("repository")?,
        change: row.column("change")?,
        payload: row.column("payload")?,
        signature: row.column("signature")?,
        received_at: row.column("received_at")?,
    };
    Ok((link, row.column("row_hash")?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Row = (i64, [String; 5], Option<String>, [Vec<u8>; 2]);

    fn encoded((seq, [prev_hash, id, kind, repository, received_at], change, [payload, signature]): &Row) -> Vec<u8> {
        let change = change.as_deref();
        let link = Link { prev_hash, seq: *seq, id, kind, repository, change, payload, signature, received_at };
        let mut bytes = Vec::new();
        link.encode(|part| bytes.extend_from_slice(part));
        bytes
    }

    fn row() -> impl Strategy<Value = Row> {
        // Few letters and short texts, so that the same bytes cut differently come up often.
        let text = || "[ab\u{0}\u{1}]{0,3}";
        let texts = [text(), text(), text(), text(), text()];
        let bytes = || proptest::collection::vec(0..3_u8, 0..4);
        (0..12_i64, texts, proptest::option::of(text()), [bytes(), bytes()])
    }

    proptest! {
        #[test]
        fn different_rows_have_different_encodings(one in row(), other in row()) {
            prop_assert_eq!(one == other, encoded(&one) == encoded(&other));
        }

        #[test]
        fn moving_a_boundary_between_columns_changes_the_encoding(row in row(), from in 0..4_usize) {
            let mut moved = row.clone();
            if let Some(last) = moved.1[from].pop() {
                moved.1[from + 1].insert(0, last);
                prop_assert_ne!(encoded(&row), encoded(&moved));
            }
            let mut moved = row.clone();
            if let Some(last) = moved.3[0].pop() {
                moved.3[1].insert(0, last);
                prop_assert_ne!(encoded(&row), encoded(&moved));
            }
        }
    }

    #[test]
    fn the_hash_is_the_documented_one() {
        let link = Link {
            prev_hash: GENESIS,
            seq: 1,
            id: "id",
            kind: "approval",
            repository: "live",
            change: None,
            payload: b"{}",
            signature: b"s",
            received_at: "2026-01-02T03:04:05.000000000Z",
        };
        let field = |text: &str| [&[1, 0, 0, 0, 0, 0, 0, 0, text.len() as u8], text.as_bytes()].concat();
        let expected = [
            field("countersign statement row v1"),
            field(GENESIS),
            field("1"),
            field("id"),
            field("approval"),
            field("live"),
            vec![0],
            field("{}"),
            field("s"),
            field("2026-01-02T03:04:05.000000000Z"),
        ]
        .concat();
        assert_eq!(link.row_hash(), crate::sha256(&expected));
    }
}
