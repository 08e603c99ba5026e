//! The signing keys this data directory knows of, and the one in use.

use std::path::PathBuf;

use countersign_domain::names::{Fingerprint, PersonId};
use countersign_domain::statement::{Device, Statement, StatementKind};
use countersign_seal::keys::{Agent, AvailableKey, KeyError, KeyHome, SigningKey, Unlock, inspect_file};
use countersign_seal::public_key::PublicKey;
use secrecy::SecretString;

use crate::blocking::blocking;
use crate::error::EngineError;
use crate::place::Place;
use crate::trunk::TrunkPolicy;
use crate::{Engine, now};

/// The setting that names the key in use.
const KEY_SETTING: &str = "signing-key";

/// The setting that names a key file outside of the folders that are looked through.
const KEY_FILE_SETTING: &str = "signing-key-file";

/// Keys to choose from.
#[derive(Debug, Clone)]
pub struct KnownKeys {
    /// Keys in this data directory's `keys` folder, in the user's `~/.ssh`, and in the agent; each key once, the agent's
    /// first.
    pub keys: Vec<AvailableKey>,
    /// The one in use.
    pub in_use: Option<Fingerprint>,
    /// Why the agent's keys are not listed, when they are not.
    pub agent_problem: Option<String>,
}

impl Engine {
    fn keys_dir(&self) -> PathBuf {
        self.data_dir().join("keys")
    }

    /// The keys to choose from.
    ///
    /// # Errors
    /// Fails when the record cannot be read. A key file that cannot be used is left out.
    pub async fn known_keys(&self) -> Result<KnownKeys, EngineError> {
        let in_use: Option<Fingerprint> = self.store().setting(KEY_SETTING).await?;
        let named: Option<PathBuf> = self.store().setting(KEY_FILE_SETTING).await?;
        let mut dirs = vec![self.keys_dir()];
        dirs.extend(std::env::home_dir().map(|home| home.join(".ssh")));
        blocking(move || {
            let (mut keys, agent_problem) = match Agent::from_environment().and_then(|agent| agent.keys()) {
                Ok(found) => (found.usable, None),
                Err(error) => (Vec::new(), Some(error.to_string())),
            };
            let named = named.and_then(|file| inspect_file(&file).ok());
            for key in named.into_iter().chain(dirs.iter().flat_map(|dir| key_files(dir))) {
                if keys.iter().all(|known| known.public.fingerprint() != key.public.fingerprint()) {
                    keys.push(key);
                }
            }
            Ok::<_, EngineError>(KnownKeys { keys, in_use, agent_problem })
        })
        .await
    }

    /// Makes an ed25519 key in this data directory, and uses it if none is in use yet.
    ///
    /// # Errors
    /// Fails when a key of that name is there already; nothing is replaced.
    pub async fn new_key(&self, name: &str, passphrase: Option<SecretString>) -> Result<AvailableKey, EngineError> {
        let name = PersonId::new(name)?;
        let dir = self.keys_dir();
        let made = blocking(move || {
            std::fs::create_dir_all(&dir).map_err(|source| EngineError::Io {
                doing: "make",
                path: dir.clone(),
                source,
            })?;
            let path = dir.join(name.as_str());
            SigningKey::generate(&path, name.as_str(), passphrase.as_ref())?;
            Ok::<_, EngineError>(inspect_file(&path)?)
        })
        .await?;
        let in_use: Option<Fingerprint> = self.store().setting(KEY_SETTING).await?;
        if in_use.is_none() {
            self.store().set_setting(KEY_SETTING, made.public.fingerprint()).await?;
        }
        Ok(made)
    }

    /// Uses this key from now on. `wanted` is a fingerprint or the beginning of one.
    ///
    /// # Errors
    /// [`EngineError::NotNow`] when no key, or more than one, is called that.
    pub async fn use_key(&self, wanted: &str) -> Result<AvailableKey, EngineError> {
        let known = self.known_keys().await?;
        let matches = |key: &&AvailableKey| {
            let text = key.public.fingerprint().as_str();
            text == wanted
                || text.strip_prefix("SHA256:").is_some_and(|rest| wanted.len() >= 6 && rest.starts_with(wanted))
        };
        let found: Vec<&AvailableKey> = known.keys.iter().filter(matches).collect();
        let [key] = found.as_slice() else {
            return Err(EngineError::NotNow(format!("{} keys are called {wanted}", found.len())));
        };
        self.store().set_setting(KEY_SETTING, key.public.fingerprint()).await?;
        Ok((*key).clone())
    }

    /// Uses the key in this file from now on, which may lie outside of the folders that are looked through.
    ///
    /// # Errors
    /// Fails when the file holds no usable key.
    pub async fn use_key_file(&self, file: &std::path::Path) -> Result<AvailableKey, EngineError> {
        let path = file.to_owned();
        let key = blocking(move || inspect_file(&path)).await?;
        self.store().set_setting(KEY_FILE_SETTING, &file).await?;
        self.store().set_setting(KEY_SETTING, key.public.fingerprint()).await?;
        Ok(key)
    }

    /// The key in use.
    ///
    /// # Errors
    /// [`EngineError::NoKey`] when none was chosen, [`KeyError::NotInAgent`] when it is gone.
    pub async fn key_in_use(&self) -> Result<AvailableKey, EngineError> {
        let known = self.known_keys().await?;
        let in_use = known.in_use.ok_or(EngineError::NoKey)?;
        let found = known.keys.into_iter().find(|key| *key.public.fingerprint() == in_use);
        Ok(found.ok_or(KeyError::NotInAgent(in_use))?)
    }

    /// The key in use, opened for signing.
    ///
    /// # Errors
    /// As for [`Engine::key_in_use`], and [`KeyError::PassphraseNeeded`].
    pub(crate) async fn signing_key(&self, passphrase: Option<SecretString>) -> Result<SigningKey, EngineError> {
        let key = self.key_in_use().await?;
        blocking(move || match &key.home {
            KeyHome::File(path) => SigningKey::from_file(path, passphrase.as_ref()),
            KeyHome::Agent => SigningKey::from_agent(&Agent::from_environment()?, key.public.fingerprint()),
        })
        .await
    }

    /// The persons that a key stands for in the watched clones, each with its repository.
    ///
    /// # Errors
    /// Fails when the record cannot be read.
    pub async fn persons_of(&self, key: &PublicKey) -> Result<Vec<String>, EngineError> {
        let policies = self.policies().await?;
        let person = |policy: &TrunkPolicy| {
            policy.signers.person(key).map(|person| format!("{person} in {}", policy.policy.repository))
        };
        Ok(policies.iter().filter_map(person).collect())
    }

    /// The person that the key in use stands for in a repository; none when it is nobody's or there is no key.
    pub async fn person_in(&self, policy: &TrunkPolicy) -> Option<PersonId> {
        let key = self.key_in_use().await.ok()?;
        policy.signers.person(&key.public).cloned()
    }

    /// Announces this device's recipient to a repository, once, if the key in use can sign without being asked for
    /// anything. Returns whether a statement was made.
    ///
    /// # Errors
    /// Fails when the statement cannot be signed or recorded.
    pub(crate) async fn announce_device(&self, place: &Place, policy: &TrunkPolicy) -> Result<bool, EngineError> {
        let Ok(key) = self.key_in_use().await else { return Ok(false) };
        let Some(person) = policy.signers.person(&key.public) else { return Ok(false) };
        if key.unlock != Unlock::Ready {
            return Ok(false);
        }
        let announced = self.verified(policy, None, Some(StatementKind::Device)).await?.accepted;
        let is_mine = |device: &Device| device.recipient == *self.identity().recipient();
        let known = announced.iter().any(|verified| match verified.statement() {
            Statement::Device(device) => verified.signer().person == *person && is_mine(device),
            _ => false,
        });
        if known {
            return Ok(false);
        }
        let statement = Statement::Device(Device {
            repository: policy.policy.repository.clone(),
            recipient: self.identity().recipient().clone(),
            name: device_name(),
            issued: now(),
            nonce: countersign_seal::nonce()?,
        });
        self.sign_and_record(place, statement, None).await?;
        Ok(true)
    }
}

fn device_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The private keys in a folder that could sign: every file with a `.pub` beside it.
fn key_files(dir: &std::path::Path) -> Vec<AvailableKey> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "pub"))
        .map(|path| path.with_extension(""))
        .collect();
    paths.sort();
    paths.iter().filter_map(|path| inspect_file(path).ok()).collect()
}
