//! Statements in, statements out: the exchange between this machine's record and the shared log of a repository.

use countersign_domain::names::{ChangeId, CommitId, Digest, RepositoryId, StatementId};
use countersign_domain::statement::{Statement, StatementKind, StatementRefusal, Verified};
use countersign_forge::{Forge, ForgeError};
use countersign_git::Entries;
use countersign_seal::keys::SigningKey;
use countersign_seal::sshsig;
use countersign_store::statements::{Appended, NewStatement, Origin, RecordedStatement, StatementFilter};
use secrecy::SecretString;

use crate::blocking::blocking;
use crate::error::EngineError;
use crate::event::Event;
use crate::place::Place;
use crate::trunk::TrunkPolicy;
use crate::{Engine, now};

/// Statements of a repository, sorted by whether they verify against the keys on trunk.
#[derive(Debug, Clone, Default)]
pub struct Sorted {
    /// Those that verify.
    pub accepted: Vec<Verified>,
    /// Those that do not, with the reason.
    pub refused: Vec<(StatementId, StatementRefusal)>,
}

/// A statement that was recorded here, and whether it has reached the shared log.
#[derive(Debug)]
pub struct RecordedHere {
    /// Its id.
    pub id: StatementId,
    /// Why it is not published yet; it is kept and published later.
    pub unpublished: Option<EngineError>,
}

impl Engine {
    /// The repository's statements, verified against the keys on trunk.
    ///
    /// # Errors
    /// Fails when the record cannot be read.
    pub async fn verified(
        &self,
        policy: &TrunkPolicy,
        change: Option<&ChangeId>,
        kind: Option<StatementKind>,
    ) -> Result<Sorted, EngineError> {
        let filter = StatementFilter {
            repository: Some(policy.policy.repository.clone()),
            change: change.cloned(),
            kind,
            ..StatementFilter::default()
        };
        let rows = self.store().statements(&filter).await?;
        let signers = policy.signers.clone();
        blocking(move || {
            let verifier = signers.verifier(now());
            let mut sorted = Sorted::default();
            for row in rows {
                match Verified::accept(&verifier, row.id.clone(), &row.payload, &row.signature) {
                    Ok(verified) => sorted.accepted.push(verified),
                    Err(refusal) => sorted.refused.push((row.id, refusal)),
                }
            }
            Ok::<_, EngineError>(sorted)
        })
        .await
    }

    /// Fetches what others stated, publishes what was stated here, and raises an alarm and heals the log when somebody
    /// rewound it. Nothing happens while trunk has no policy: without it no statement belongs to a repository.
    ///
    /// # Errors
    /// The remote's reason; what was recorded here stays and is published next time.
    pub async fn exchange(&self, place: &Place) -> Result<(), EngineError> {
        let Ok(policy) = self.trunk_policy(place).await? else { return Ok(()) };
        let repository = policy.policy.repository.clone();
        {
            let _exclusive = self.inner.exchange.lock().await;
            self.take_in(place, &repository).await?;
        }
        self.announce_device(place, &policy).await?;
        let _exclusive = self.inner.exchange.lock().await;
        self.hand_out(place, &repository).await
    }

    /// The policy on trunk, or why it cannot be used.
    ///
    /// # Errors
    /// Fails when the clone has no trunk.
    pub async fn trunk_policy(&self, place: &Place) -> Result<Result<TrunkPolicy, String>, EngineError> {
        let git = place.git.clone();
        blocking(move || {
            let trunk = git.trunk(None)?;
            Ok::<_, EngineError>(TrunkPolicy::read(&git, &trunk.commit))
        })
        .await
    }

    async fn take_in(&self, place: &Place, repository: &RepositoryId) -> Result<(), EngineError> {
        let url = place.remote_url();
        let known = self.store().log_tip(repository, &url).await?;
        let (forge, since) = (place.forge.clone(), known.clone());
        let update = blocking(move || forge.fetch_log(since.as_ref())).await?;
        self.ingest(place, repository, &update.entries).await?;
        if update.rewound {
            self.heal(place, repository).await?;
        }
        if let Some(tip) = &update.tip {
            self.store().set_log_tip(repository, &url, tip, now()).await?;
        }
        Ok(())
    }

    /// The log lost something: say so, and put everything that this machine knows of back in line for publishing.
    async fn heal(&self, place: &Place, repository: &RepositoryId) -> Result<(), EngineError> {
        let forge = place.forge.clone();
        let there = blocking(move || forge.fetch_log(None)).await?;
        let there = pair_up(&there.entries);
        let filter = StatementFilter { repository: Some(repository.clone()), ..StatementFilter::default() };
        let rows = self.store().statements(&filter).await?;
        let is_there = |row: &RecordedStatement| there.iter().any(|pair| pair.id == row.id);
        let lost: Vec<StatementId> = rows.iter().filter(|row| !is_there(row)).map(|row| row.id.clone()).collect();
        self.store().mark_pending(repository, &lost).await?;
        self.emit(Event::Alarm {
            clone: place.id(),
            message: format!(
                "the shared log of {repository} was rewound; {} statements that this machine had seen are being put back",
                lost.len()
            ),
        });
        Ok(())
    }

    async fn hand_out(&self, place: &Place, repository: &RepositoryId) -> Result<(), EngineError> {
        let pending = self.store().pending(repository).await?;
        if pending.is_empty() {
            return Ok(());
        }
        let files: Vec<(String, Vec<u8>)> = pending.iter().flat_map(files_of).collect();
        self.push(place, repository, files, Veto::None).await?;
        let ids: Vec<StatementId> = pending.into_iter().map(|row| row.id).collect();
        Ok(self.store().mark_published(&ids).await?)
    }

    async fn push(
        &self,
        place: &Place,
        repository: &RepositoryId,
        files: Vec<(String, Vec<u8>)>,
        veto: Veto,
    ) -> Result<(), EngineError> {
        let url = place.remote_url();
        // A veto has to see the whole log, not only what is new to this machine.
        let known = if veto == Veto::None { self.store().log_tip(repository, &url).await? } else { None };
        let forge = place.forge.clone();
        let (tip, seen) = blocking(move || {
            let mut seen = Entries::default();
            let tip = forge.publish(known.as_ref(), &files, &mut |entries| {
                seen.files.extend(entries.files.iter().cloned());
                veto.inspect(entries)
            })?;
            Ok::<(CommitId, Entries), ForgeError>((tip, seen))
        })
        .await?;
        self.ingest(place, repository, &seen).await?;
        Ok(self.store().set_log_tip(repository, &url, &tip, now()).await?)
    }

    /// Records statements from a shared log: those whose bytes have their name's hash, whose signature holds and that
    /// are about this repository. Whether the signer may say so is asked at each use, against trunk as it is then.
    async fn ingest(&self, place: &Place, repository: &RepositoryId, entries: &Entries) -> Result<(), EngineError> {
        let pairs = pair_up(entries);
        if pairs.is_empty() {
            return Ok(());
        }
        let repository = repository.clone();
        let statements: Vec<NewStatement> = blocking(move || {
            let received = now();
            Ok::<_, EngineError>(pairs.into_iter().filter_map(|pair| pair.check(&repository, received)).collect())
        })
        .await?;
        let appended = self.store().append_statements(&statements).await?;
        let new = appended.iter().filter(|appended| matches!(appended, Appended::New(_))).count();
        if new > 0 {
            let count = u32::try_from(new).unwrap_or(u32::MAX);
            self.emit(Event::StatementsAdded { clone: place.id(), count });
        }
        Ok(())
    }

    /// Signs a statement with the key in use and records it; publishing follows with the next exchange.
    ///
    /// # Errors
    /// Fails when it cannot be signed or recorded.
    pub(crate) async fn sign_and_record(
        &self,
        place: &Place,
        statement: Statement,
        passphrase: Option<SecretString>,
    ) -> Result<StatementId, EngineError> {
        let payload = statement.to_payload().map_err(|error| EngineError::Defect(error.to_string()))?;
        let key = self.signing_key(passphrase).await?;
        self.sign_payload(place, &statement, payload, key).await
    }

    pub(crate) async fn sign_payload(
        &self,
        place: &Place,
        statement: &Statement,
        payload: Vec<u8>,
        key: SigningKey,
    ) -> Result<StatementId, EngineError> {
        let kind = statement.kind();
        let (payload, signature) = blocking(move || {
            let signature = key.sign(kind, &payload)?;
            Ok::<_, EngineError>((payload, signature))
        })
        .await?;
        let id = countersign_seal::digest(&payload);
        let new = NewStatement {
            kind,
            repository: statement.repository().clone(),
            change: statement.change().cloned(),
            payload,
            signature,
            received_at: now(),
            origin: Origin::Here,
        };
        self.store().append_statement(&new).await?;
        self.emit(Event::StatementsAdded { clone: place.id(), count: 1 });
        Ok(id)
    }

    /// Publishes what is pending, and says when it could not be.
    pub(crate) async fn publish(&self, place: &Place, id: StatementId) -> RecordedHere {
        let unpublished = self.exchange(place).await.err();
        RecordedHere { id, unpublished }
    }

    /// Signs a consumption and pushes it onto the shared log, if and only if nobody consumed the same plan before.
    ///
    /// # Errors
    /// [`ForgeError::Vetoed`] when the plan was consumed already; nothing may be applied on any error.
    pub(crate) async fn consume(
        &self,
        place: &Place,
        statement: &Statement,
        commitment: &Digest,
    ) -> Result<StatementId, EngineError> {
        let payload = statement.to_payload().map_err(|error| EngineError::Defect(error.to_string()))?;
        let key = self.signing_key(None).await?;
        let kind = statement.kind();
        let (payload, signature) = blocking(move || {
            let signature = key.sign(kind, &payload)?;
            Ok::<_, EngineError>((payload, signature))
        })
        .await?;
        let id = countersign_seal::digest(&payload);
        let files = statement_files(&id, &payload, &signature);
        let _exclusive = self.inner.exchange.lock().await;
        self.push(place, statement.repository(), files, Veto::Consumed(commitment.clone())).await?;
        let new = NewStatement {
            kind,
            repository: statement.repository().clone(),
            change: statement.change().cloned(),
            payload,
            signature,
            received_at: now(),
            origin: Origin::SharedLog,
        };
        self.store().append_statement(&new).await?;
        Ok(id)
    }
}

/// What forbids publishing.
#[derive(PartialEq, Eq)]
enum Veto {
    /// Nothing.
    None,
    /// Somebody consumed this plan.
    Consumed(Digest),
}

impl Veto {
    fn inspect(&self, entries: &Entries) -> Result<(), String> {
        let Self::Consumed(commitment) = self else { return Ok(()) };
        let consumed = pair_up(entries).into_iter().any(|pair| pair.consumes(commitment));
        if consumed { Err("this plan was consumed before; it is not applied again".to_owned()) } else { Ok(()) }
    }
}

fn files_of(row: &RecordedStatement) -> Vec<(String, Vec<u8>)> {
    statement_files(&row.id, &row.payload, &row.signature)
}

fn statement_files(id: &StatementId, payload: &[u8], signature: &[u8]) -> Vec<(String, Vec<u8>)> {
    let stem = stem(id);
    vec![(format!("{stem}.json"), payload.to_vec()), (format!("{stem}.json.sig"), signature.to_vec())]
}

/// Where a statement stands in the shared log, without its ending.
fn stem(id: &StatementId) -> String {
    format!("statements/{}/{id}", &id.as_str()[..2])
}

/// A payload and its signature as the shared log holds them.
struct Pair {
    id: StatementId,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// The statements among a log's files: both halves present, under the name their hash gives.
fn pair_up(entries: &Entries) -> Vec<Pair> {
    let signatures: std::collections::HashMap<&str, &[u8]> = entries
        .files
        .iter()
        .filter_map(|file| file.path.strip_suffix(".sig").map(|stem| (stem, file.content.as_slice())))
        .collect();
    entries
        .files
        .iter()
        .filter_map(|file| {
            let signature = signatures.get(file.path.as_str())?;
            let id = countersign_seal::digest(&file.content);
            let named = format!("{}.json", stem(&id));
            (named == file.path).then(|| Pair { id, payload: file.content.clone(), signature: signature.to_vec() })
        })
        .collect()
}

impl Pair {
    fn check(self, repository: &RepositoryId, received_at: jiff::Timestamp) -> Option<NewStatement> {
        let kind = sshsig::verify(&self.payload, &self.signature).ok()?.kind;
        let statement = Statement::parse(kind, &self.payload).ok()?;
        (statement.repository() == repository).then(|| NewStatement {
            kind,
            repository: repository.clone(),
            change: statement.change().cloned(),
            payload: self.payload,
            signature: self.signature,
            received_at,
            origin: Origin::SharedLog,
        })
    }

    /// A consumption by anybody whose signature holds: an outsider who could write to the log could stop an apply this
    /// way, but never cause a second one.
    fn consumes(&self, commitment: &Digest) -> bool {
        let Ok(authentic) = sshsig::verify(&self.payload, &self.signature) else { return false };
        match Statement::parse(authentic.kind, &self.payload) {
            Ok(Statement::Consumption(consumption)) => consumption.commitment == *commitment,
            _ => false,
        }
    }
}
