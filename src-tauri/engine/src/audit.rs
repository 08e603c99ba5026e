//! The audit: every statement with its verification, and the check of the whole record.

use countersign_domain::statement::{Statement, StatementKind, Verified};
use countersign_seal::allowed_signers::AllowedSigners;
use countersign_store::chain::ChainError;
use countersign_store::statements::{RecordedStatement, StatementFilter};

use crate::attention::outcome_words;
use crate::error::EngineError;
use crate::place::Place;
use crate::trunk::TrunkPolicy;
use crate::{Engine, now};

/// A statement and how its verification went.
#[derive(Debug, Clone)]
pub struct AuditedStatement {
    /// As it was recorded.
    pub row: RecordedStatement,
    /// What it says, read without proof, for display beside the verification.
    pub statement: Option<Statement>,
    /// The verified statement, or why it does not verify.
    pub verification: Result<Verified, String>,
}

/// What checking the whole record found.
#[derive(Debug, Clone)]
pub struct AuditFindings {
    /// How many statements there are.
    pub statements: u64,
    /// How many signatures verify against trunk's keys as they are now.
    pub valid: u64,
    /// The chain's last hash, when it holds.
    pub chain: Result<String, String>,
    /// Statements that do not verify, with the reason, oldest first.
    pub invalid: Vec<(countersign_domain::names::StatementId, String)>,
}

impl AuditFindings {
    /// True when the chain holds and every signature verifies.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.chain.is_ok() && self.invalid.is_empty()
    }
}

impl Engine {
    /// Every recorded statement, newest first, verified on the spot.
    ///
    /// # Errors
    /// Fails when the record cannot be read.
    pub async fn audit(&self) -> Result<Vec<AuditedStatement>, EngineError> {
        let policies = self.policies().await?;
        let rows = self.store().statements(&StatementFilter::default()).await?;
        let audited = crate::blocking::blocking(move || {
            let at = now();
            let mut audited: Vec<AuditedStatement> = rows.into_iter().map(|row| verify(row, &policies, at)).collect();
            audited.reverse();
            Ok::<_, EngineError>(audited)
        });
        audited.await
    }

    /// Which watched clone is of which repository.
    ///
    /// # Errors
    /// Fails when the record cannot be read.
    pub async fn clone_of_repository(
        &self,
    ) -> Result<std::collections::BTreeMap<countersign_domain::names::RepositoryId, String>, EngineError> {
        let mut clones = std::collections::BTreeMap::new();
        for (_, place) in self.places().await? {
            let Ok(place) = place else { continue };
            if let Ok(Ok(policy)) = self.trunk_policy(&place).await {
                clones.entry(policy.policy.repository).or_insert_with(|| place.id());
            }
        }
        Ok(clones)
    }

    pub(crate) async fn policies(&self) -> Result<Vec<TrunkPolicy>, EngineError> {
        let mut policies = Vec::new();
        for (_, place) in self.places().await? {
            let Ok(place) = place else { continue };
            if let Ok(Ok(policy)) = self.trunk_policy(&place).await {
                policies.push(policy);
            }
        }
        Ok(policies)
    }

    /// Checks the chain of the record and every signature in it.
    ///
    /// # Errors
    /// Fails when the record cannot be read at all; what does not hold stands in the findings.
    pub async fn audit_verify(&self) -> Result<AuditFindings, EngineError> {
        let chain = match self.store().verify_chain().await {
            Ok(report) => Ok(report.last_hash.to_string()),
            Err(ChainError::Fault(fault)) => Err(fault.to_string()),
            Err(ChainError::Store(error)) => return Err(error.into()),
        };
        let audited = match self.audit().await {
            Ok(audited) => audited,
            // A row that cannot be read is what the chain check names; the rest of the report still counts.
            Err(EngineError::Store(_)) if chain.is_err() => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut invalid: Vec<_> = audited
            .iter()
            .filter_map(|entry| entry.verification.as_ref().err().map(|why| (entry.row.id.clone(), why.clone())))
            .collect();
        invalid.reverse();
        let statements = audited.len() as u64;
        Ok(AuditFindings { statements, valid: statements - invalid.len() as u64, chain, invalid })
    }

    /// The statement whose id begins with `wanted`, and a clone of its repository.
    ///
    /// # Errors
    /// [`EngineError::NoSuchStatement`] when none or several do.
    pub async fn find_statement(&self, wanted: &str) -> Result<(Place, RecordedStatement), EngineError> {
        let none = || EngineError::NoSuchStatement(wanted.to_owned());
        if wanted.len() < 6 {
            return Err(none());
        }
        let rows = self.store().statements(&StatementFilter::default()).await?;
        let mut found = rows.into_iter().filter(|row| row.id.as_str().starts_with(wanted));
        let (Some(row), None) = (found.next(), found.next()) else { return Err(none()) };
        for (_, place) in self.places().await? {
            let Ok(place) = place else { continue };
            if let Ok(Ok(policy)) = self.trunk_policy(&place).await
                && policy.policy.repository == row.repository
            {
                return Ok((place, row));
            }
        }
        Err(none())
    }

    /// The audited statement of this id.
    ///
    /// # Errors
    /// [`EngineError::NoSuchStatement`].
    pub async fn audited_statement(&self, wanted: &str) -> Result<AuditedStatement, EngineError> {
        let audited = self.audit().await?;
        let mut found = audited.into_iter().filter(|entry| entry.row.id.as_str().starts_with(wanted));
        match (found.next(), found.next()) {
            (Some(entry), None) if wanted.len() >= 6 => Ok(entry),
            _ => Err(EngineError::NoSuchStatement(wanted.to_owned())),
        }
    }
}

fn verify(row: RecordedStatement, policies: &[TrunkPolicy], at: jiff::Timestamp) -> AuditedStatement {
    let statement = Statement::parse(row.kind, &row.payload).ok();
    let signers: Option<&AllowedSigners> =
        policies.iter().find(|policy| policy.policy.repository == row.repository).map(|policy| &policy.signers);
    let verification = match signers {
        None => Err("no watched clone has a readable policy for its repository".to_owned()),
        Some(signers) => Verified::accept(&signers.verifier(at), row.id.clone(), &row.payload, &row.signature)
            .map_err(|refusal| refusal.to_string()),
    };
    AuditedStatement { row, statement, verification }
}

/// What a statement says, in a sentence.
#[must_use]
pub fn in_words(statement: &Statement) -> String {
    match statement {
        Statement::Plan(s) => match s.units.as_slice() {
            [only] => format!("planned {} at {}", only.unit, s.head.short()),
            units => format!("planned {} units at {}", units.len(), s.head.short()),
        },
        Statement::Approval(s) => format!("approves {} until {}", s.head.short(), s.expires.strftime("%F %R UTC")),
        Statement::Rejection(s) => format!("refuses {}: {}", s.head.short(), s.reason),
        Statement::Revocation(s) if s.reason.is_empty() => format!("revokes {}", s.statement.short()),
        Statement::Revocation(s) => format!("revokes {}: {}", s.statement.short(), s.reason),
        Statement::Consumption(s) => format!("is about to apply {}", s.unit),
        Statement::Apply(s) => format!("{}: {}", s.unit, outcome_words(s.outcome)),
        Statement::Device(s) => format!("announces the device {}", s.name),
    }
}

/// The command that verifies a statement without this program.
#[must_use]
pub fn verify_command(kind: StatementKind, person: &str, file: &str) -> String {
    format!("ssh-keygen -Y verify -f allowed_signers -I {person} -n {} -s {file}.sig < {file}", kind.namespace())
}
