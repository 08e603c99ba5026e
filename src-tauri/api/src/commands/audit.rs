//! The audit list and the check of the whole record.

use countersign_engine::audit::{AuditedStatement, in_words, verify_command};

use super::{count, safe};
use crate::Host;
use crate::dto::{Audit, AuditEntry, AuditFilter, AuditReport, Nothing, StatementDetail, StatementRef};
use crate::error::ApiError;

/// Every statement, verified on the spot, newest first.
///
/// # Errors
/// Fails when the record cannot be read.
pub async fn audit(host: &Host, args: AuditFilter) -> Result<Audit, ApiError> {
    let audited = host.engine.audit().await?;
    let total = count(audited.len());
    let invalid = count(audited.iter().filter(|entry| entry.verification.is_err()).count());
    let text = args.text.to_lowercase();
    let entries = audited.iter().map(entry).filter(|entry| matches(entry, &text, args.kind.as_deref())).collect();
    Ok(Audit { entries, total, invalid })
}

fn matches(entry: &AuditEntry, text: &str, kind: Option<&str>) -> bool {
    let fields = [
        Some(entry.statement.as_str()),
        Some(entry.text.as_str()),
        Some(entry.repository.as_str()),
        entry.change.as_deref(),
        entry.person.as_deref(),
        entry.fingerprint.as_deref(),
    ];
    let contains = fields.iter().flatten().any(|field| field.to_lowercase().contains(text));
    contains && kind.is_none_or(|kind| kind == entry.kind)
}

fn entry(audited: &AuditedStatement) -> AuditEntry {
    let row = &audited.row;
    let signer = audited.verification.as_ref().ok().map(countersign_domain::statement::Verified::signer);
    let issued = audited.statement.as_ref().map_or(row.received_at, countersign_domain::statement::Statement::issued);
    AuditEntry {
        statement: row.id.to_string(),
        kind: row.kind.word().to_owned(),
        repository: row.repository.to_string(),
        change: row.change.as_ref().map(ToString::to_string),
        person: signer.map(|signer| signer.person.to_string()),
        fingerprint: signer.map(|signer| signer.fingerprint.to_string()),
        issued: issued.to_string(),
        text: audited.statement.as_ref().map_or_else(|| "cannot be read".to_owned(), |s| safe(&in_words(s))),
        valid: audited.verification.is_ok(),
        problem: audited.verification.as_ref().err().map(|problem| safe(problem)),
    }
}

/// A statement's bytes, and how to check them without this program.
///
/// # Errors
/// Fails when there is no such statement.
pub async fn statement(host: &Host, args: StatementRef) -> Result<StatementDetail, ApiError> {
    let audited = host.engine.audited_statement(&args.statement).await?;
    let entry = entry(&audited);
    let person = entry.person.clone().unwrap_or_else(|| "PERSON".to_owned());
    let file = format!("{}.json", audited.row.id);
    Ok(StatementDetail {
        payload: String::from_utf8_lossy(&audited.row.payload).into_owned(),
        signature: safe(&String::from_utf8_lossy(&audited.row.signature)),
        verify_command: verify_command(audited.row.kind, &person, &file),
        entry,
    })
}

/// Checks the chain and every signature.
///
/// # Errors
/// Fails when the record cannot be read at all; what does not hold stands in the report.
pub async fn audit_verify(host: &Host, _: Nothing) -> Result<AuditReport, ApiError> {
    let findings = host.engine.audit_verify().await?;
    let mut lines = vec![match &findings.chain {
        Ok(hash) => format!("the chain of {} statements holds; its last hash is {hash}", findings.statements),
        Err(fault) => safe(fault),
    }];
    lines.push(format!("{} of {} signatures verify against the keys on trunk", findings.valid, findings.statements));
    lines.extend(findings.invalid.iter().map(|(id, why)| safe(&format!("{}: {why}", id.short()))));
    let first_invalid = findings.invalid.first().map(|(id, why)| safe(&format!("{}: {why}", id.short())));
    Ok(AuditReport {
        ok: findings.is_sound(),
        statements: u32::try_from(findings.statements).unwrap_or(u32::MAX),
        signatures_valid: u32::try_from(findings.valid).unwrap_or(u32::MAX),
        lines,
        first_bad: findings.chain.err().map(|fault| safe(&fault)).or(first_invalid),
    })
}
