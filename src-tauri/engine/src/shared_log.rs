//! Statements in, statements out: the exchange between this machine's record and the shared log of a repository.

use std::collections::BTreeSet;

use countersign_domain::names::{ChangeId, CommitId, Digest, RepositoryId, StatementId};
use countersign_domain::statement::{
    Consumption, MAX_PAYLOAD_BYTES, SignatureRefusal, Statement, StatementKind, StatementRefusal, Verified,
};
use countersign_forge::{Forge, ForgeError};
use countersign_git::Entries;
use countersign_seal::allowed_signers::AllowedSigners;
use countersign_seal::keys::SigningKey;
use countersign_seal::sshsig;
use countersign_store::statements::{Appended, NewStatement, Origin, RecordedStatement, StatementFilter};
use jiff::Timestamp;
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
            let at = now();
            let mut sorted = Sorted::default();
            for row in rows {
                match accept(&signers, &row, at) {
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
        let log = {
            let _exclusive = self.inner.exchange.lock().await;
            self.take_in(place, &policy).await?
        };
        self.announce_device(place, &policy).await?;
        let _exclusive = self.inner.exchange.lock().await;
        self.hand_out(place, &policy, log).await
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

    async fn take_in(&self, place: &Place, policy: &TrunkPolicy) -> Result<LogState, EngineError> {
        let repository = &policy.policy.repository;
        let url = place.remote_url().await?;
        let known = self.store().log_tip(repository, &url).await?;
        let read_under_setting = format!("log-read-under {repository} {url}");
        let read_under: Option<Digest> = self.store().setting(&read_under_setting).await?;
        let is_complete = read_under.as_ref() == Some(&policy.digest);
        let forge = place.forge.clone();
        let update = blocking(move || {
            let mut update = forge.fetch_log(known.as_ref())?;
            // A statement of a key that was not listed then was passed over, and halves of a statement may come in
            // different pushes: what is new since the last look is not enough.
            if known.is_some() && (!is_complete || has_halves(&update.entries)) {
                update.entries = forge.fetch_log(None)?.entries;
            }
            Ok::<_, ForgeError>(update)
        })
        .await?;
        self.ingest(place, policy, &update.entries).await?;
        if update.rewound {
            self.heal(place, repository).await?;
            // The tip from before stays remembered until what was lost is back.
            return Ok(LogState::Rewound);
        }
        if let Some(tip) = &update.tip {
            self.store().set_log_tip(repository, &url, tip, now()).await?;
        }
        if !is_complete {
            self.store().set_setting(&read_under_setting, &policy.digest).await?;
        }
        Ok(LogState::Whole)
    }

    /// The log lost something: say so, and put everything that this machine knows of back in line for publishing.
    async fn heal(&self, place: &Place, repository: &RepositoryId) -> Result<(), EngineError> {
        let forge = place.forge.clone();
        let there = blocking(move || forge.fetch_log(None)).await?;
        let there = pair_up(&there.entries);
        let there: std::collections::HashMap<&StatementId, &[u8]> =
            there.iter().map(|pair| (&pair.id, pair.signature.as_slice())).collect();
        let filter = StatementFilter { repository: Some(repository.clone()), ..StatementFilter::default() };
        let rows = self.store().statements(&filter).await?;
        let is_there = |row: &RecordedStatement| there.get(&row.id) == Some(&row.signature.as_slice());
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

    async fn hand_out(&self, place: &Place, policy: &TrunkPolicy, log: LogState) -> Result<(), EngineError> {
        let pending = self.store().pending(&policy.policy.repository).await?;
        if pending.is_empty() && log == LogState::Whole {
            return Ok(());
        }
        let files: Vec<(String, Vec<u8>)> = pending.iter().flat_map(files_of).collect();
        self.push(place, policy, files, Veto::None).await?;
        let ids: Vec<StatementId> = pending.into_iter().map(|row| row.id).collect();
        Ok(self.store().mark_published(&ids).await?)
    }

    async fn push(
        &self,
        place: &Place,
        policy: &TrunkPolicy,
        files: Vec<(String, Vec<u8>)>,
        veto: Veto,
    ) -> Result<(), EngineError> {
        let repository = &policy.policy.repository;
        let url = place.remote_url().await?;
        // A veto has to see the whole log, not only what is new to this machine.
        let known = match &veto {
            Veto::None => self.store().log_tip(repository, &url).await?,
            Veto::Unless(_) => None,
        };
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
        self.ingest(place, policy, &seen).await?;
        Ok(self.store().set_log_tip(repository, &url, &tip, now()).await?)
    }

    /// Records statements from a shared log: those whose bytes have their name's hash, whose signature holds and is of a
    /// key that trunk lists, and that are about this repository. Whether the signer may say so is asked at each use,
    /// against trunk as it is then.
    ///
    /// Keys that nobody is known by are passed over: the record keeps one signature for each payload, and whoever may
    /// write to the remote could otherwise sign somebody's revocation once more and have that recorded in its place.
    async fn ingest(&self, place: &Place, policy: &TrunkPolicy, entries: &Entries) -> Result<(), EngineError> {
        let pairs = pair_up(entries);
        if pairs.is_empty() {
            return Ok(());
        }
        let (repository, signers) = (policy.policy.repository.clone(), policy.signers.clone());
        let statements: Vec<NewStatement> = blocking(move || {
            let received = now();
            let checked = pairs.into_iter().filter_map(|pair| pair.check(&repository, &signers, received));
            Ok::<_, EngineError>(checked.collect())
        })
        .await?;
        let appended = self.store().append_statements(&statements).await?;
        if appended.iter().any(|appended| matches!(appended, Appended::OtherSignatureKept(_))) {
            let message = "the shared log holds a statement with another signature than the one recorded here; \
                           `countersign audit list` shows who signed what this machine goes by";
            self.emit(Event::Alarm { clone: place.id(), message: message.to_owned() });
        }
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

    /// Signs a consumption and pushes it onto the shared log, if and only if nobody consumed the same plan before, by the
    /// log or by this machine's own record, and nobody objected since the gate was judged. `note` is told the
    /// consumption's id before anything leaves this machine.
    ///
    /// # Errors
    /// [`ForgeError::Vetoed`] when the plan was consumed already; nothing may be applied on any error.
    pub(crate) async fn consume(
        &self,
        place: &Place,
        policy: &TrunkPolicy,
        consumption: Consumption,
        judged: &[Verified],
        note: impl FnOnce(&StatementId) -> Result<(), EngineError>,
    ) -> Result<StatementId, EngineError> {
        let claim = Claim {
            commitment: consumption.commitment.clone(),
            change: consumption.change.clone(),
            judged: judged.iter().map(|verified| verified.id().clone()).collect(),
            signers: policy.signers.clone(),
        };
        let statement = Statement::Consumption(consumption);
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
        self.must_be_unconsumed_here(&statement, &claim.commitment).await?;
        note(&id)?;
        self.push(place, policy, files, Veto::Unless(Box::new(claim))).await?;
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

    /// The log could have been emptied since this machine saw a consumption in it; the record cannot.
    async fn must_be_unconsumed_here(&self, statement: &Statement, commitment: &Digest) -> Result<(), EngineError> {
        let filter = StatementFilter {
            repository: Some(statement.repository().clone()),
            kind: Some(StatementKind::Consumption),
            ..StatementFilter::default()
        };
        let rows = self.store().statements(&filter).await?;
        let consumes = |row: &RecordedStatement| matches!(Statement::parse(row.kind, &row.payload), Ok(Statement::Consumption(c)) if c.commitment == *commitment);
        if rows.iter().any(consumes) {
            return Err(ForgeError::Vetoed(CONSUMED.to_owned()).into());
        }
        Ok(())
    }
}

/// Why a plan is not applied a second time.
const CONSUMED: &str = "this plan was consumed before; it is not applied again";

/// How the shared log was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LogState {
    /// It holds all that it held.
    Whole,
    /// It lost something, which has to be put back.
    Rewound,
}

/// A recorded statement, verified against the keys on trunk.
///
/// What can only close the gate keeps counting when its key's validity has run out: a revocation is for good, and time
/// passing must not open anything.
pub(crate) fn accept(
    signers: &AllowedSigners,
    row: &RecordedStatement,
    at: Timestamp,
) -> Result<Verified, StatementRefusal> {
    let verify = |at| Verified::accept(&signers.verifier(at), row.id.clone(), &row.payload, &row.signature);
    let closes = matches!(row.kind, StatementKind::Rejection | StatementKind::Revocation | StatementKind::Consumption);
    match verify(at) {
        Err(StatementRefusal::Signature(SignatureRefusal::NotValidAt { .. })) if closes => {
            let issued = Statement::parse(row.kind, &row.payload)?.issued();
            verify(issued)
        }
        verified => verified,
    }
}

/// What forbids publishing.
enum Veto {
    /// Nothing.
    None,
    /// Somebody consumed the same plan, or objected to its change.
    Unless(Box<Claim>),
}

/// A plan that is about to be consumed, and what the gate was judged on.
struct Claim {
    commitment: Digest,
    change: ChangeId,
    judged: BTreeSet<StatementId>,
    signers: AllowedSigners,
}

impl Veto {
    fn inspect(&self, entries: &Entries) -> Result<(), String> {
        let Self::Unless(claim) = self else { return Ok(()) };
        let at = now();
        for pair in pair_up(entries) {
            if pair.consumes(&claim.commitment) {
                return Err(CONSUMED.to_owned());
            }
            if !claim.judged.contains(&pair.id) && pair.objects(claim, at) {
                return Err(format!("{} was refused or an approval of it revoked meanwhile", claim.change));
            }
        }
        Ok(())
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

/// True when a statement's payload or signature came without the other.
fn has_halves(entries: &Entries) -> bool {
    let paths: BTreeSet<&str> = entries.files.iter().map(|file| file.path.as_str()).collect();
    paths.iter().any(|path| match path.strip_suffix(".sig") {
        Some(payload) => !paths.contains(payload),
        None => !paths.contains(format!("{path}.sig").as_str()),
    })
}

impl Pair {
    fn check(
        self,
        repository: &RepositoryId,
        signers: &AllowedSigners,
        received_at: Timestamp,
    ) -> Option<NewStatement> {
        if self.payload.len() > MAX_PAYLOAD_BYTES {
            return None;
        }
        let authentic = sshsig::verify(&self.payload, &self.signature).ok()?;
        signers.person(&authentic.key)?;
        let kind = authentic.kind;
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
        if self.payload.len() > MAX_PAYLOAD_BYTES {
            return false;
        }
        let Ok(authentic) = sshsig::verify(&self.payload, &self.signature) else { return false };
        match Statement::parse(authentic.kind, &self.payload) {
            Ok(Statement::Consumption(consumption)) => consumption.commitment == *commitment,
            _ => false,
        }
    }

    /// A refusal of the change, or a revocation of one of its approvals, by somebody whom trunk knows.
    fn objects(&self, claim: &Claim, at: Timestamp) -> bool {
        let verifier = claim.signers.verifier(at);
        let Ok(verified) = Verified::accept(&verifier, self.id.clone(), &self.payload, &self.signature) else {
            return false;
        };
        let objects = matches!(verified.statement().kind(), StatementKind::Rejection | StatementKind::Revocation);
        objects && verified.statement().change() == Some(&claim.change)
    }
}
