//! What trunk says: the policy, the keys and the digest that approvals bind them by.

use countersign_domain::gate::PolicyInForce;
use countersign_domain::names::{CommitId, Digest, UnitPath};
use countersign_domain::policy::{ALLOWED_SIGNERS_FILE, MAX_POLICY_BYTES, POLICY_FILE, Policy};
use countersign_git::Clone;
use countersign_seal::allowed_signers::AllowedSigners;

/// The policy files of one trunk commit, read and understood.
#[derive(Debug, Clone)]
pub struct TrunkPolicy {
    /// The commit they were read from.
    pub commit: CommitId,
    /// Who may sign, how many, for what.
    pub policy: Policy,
    /// Whose keys are whose.
    pub signers: AllowedSigners,
    /// SHA-256 over both files, each preceded by its name and length.
    pub digest: Digest,
}

impl TrunkPolicy {
    /// Reads both files from `commit`, never from a working tree and never through a symbolic link.
    ///
    /// # Errors
    /// Says in words what is missing or wrong, with line and column where there is one.
    pub fn read(git: &Clone, commit: &CommitId) -> Result<Self, String> {
        let policy_bytes = read(git, commit, POLICY_FILE)?;
        let signer_bytes = read(git, commit, ALLOWED_SIGNERS_FILE)?;
        let text = std::str::from_utf8(&policy_bytes).map_err(|_| format!("{POLICY_FILE} on trunk is not UTF-8"))?;
        let policy = Policy::parse(text).map_err(|error| error.to_string())?;
        let signers =
            AllowedSigners::parse(&signer_bytes).map_err(|error| format!("{ALLOWED_SIGNERS_FILE}, {error}"))?;
        let digest = digest_of(&[(POLICY_FILE, &policy_bytes), (ALLOWED_SIGNERS_FILE, &signer_bytes)]);
        Ok(Self { commit: commit.clone(), policy, signers, digest })
    }

    /// As the gate takes it.
    #[must_use]
    pub fn in_force(&self) -> PolicyInForce<'_> {
        PolicyInForce { policy: &self.policy, digest: &self.digest }
    }
}

fn read(git: &Clone, commit: &CommitId, name: &str) -> Result<Vec<u8>, String> {
    let path = UnitPath::new(name).map_err(|error| error.to_string())?;
    match git.read_file(commit, &path, MAX_POLICY_BYTES as u64) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(format!("{name} is missing at the root of trunk")),
        Err(error) => Err(format!("{name} on trunk cannot be used: {error}")),
    }
}

/// SHA-256 over named parts, each framed by its lengths so that no two lists of parts give the same bytes.
pub(crate) fn digest_of(parts: &[(&str, &[u8])]) -> Digest {
    let mut bytes = Vec::new();
    for (name, content) in parts {
        bytes.extend_from_slice(&(name.len() as u64).to_be_bytes());
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(&(content.len() as u64).to_be_bytes());
        bytes.extend_from_slice(content);
    }
    countersign_seal::digest(&bytes)
}
