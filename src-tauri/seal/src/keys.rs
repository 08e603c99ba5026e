//! Keys to sign with: in OpenSSH private key files and in ssh-agent, hardware (`sk-`) keys among the latter.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_domain::names::Fingerprint;
use countersign_domain::statement::{SignatureRefusal, StatementKind};
use secrecy::{ExposeSecret as _, SecretString};
use ssh_key::rand_core::OsRng;
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey};

use crate::agent::{self, AgentFault, Listed};
use crate::private_file::{self, PrivateFileError};
use crate::public_key::{PublicKey, PublicKeyError};
use crate::sshsig;

/// How long an agent may take to list its keys.
const LIST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an agent may take to sign: a person may have to find the token, touch it or type a PIN.
const SIGN_TIMEOUT: Duration = Duration::from_secs(180);

/// Why a key cannot be used, or did not sign.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// Not an OpenSSH private key.
    #[error("{} is not an OpenSSH private key", .0.display())]
    NotAKey(PathBuf),
    /// The key does not count.
    #[error("{}: {refusal}", .path.display())]
    Unaccepted {
        /// The file.
        path: PathBuf,
        /// Why.
        refusal: PublicKeyError,
    },
    /// The file belongs to a hardware key.
    #[error("{} belongs to a hardware key, which signs through the agent only; run: ssh-add {}", .0.display(), .0.display())]
    Hardware(PathBuf),
    /// The file is encrypted.
    #[error("{} is protected by a passphrase, and none was given", .0.display())]
    PassphraseNeeded(PathBuf),
    /// The passphrase opens nothing.
    #[error("the passphrase does not open {}", .0.display())]
    WrongPassphrase(PathBuf),
    /// No agent is known.
    #[error("there is no ssh-agent: SSH_AUTH_SOCK is not set; start one with: eval \"$(ssh-agent)\"")]
    NoAgent,
    /// Nothing answers at the agent's socket.
    #[error("no ssh-agent answers at {}: {source}", .socket.display())]
    Unreachable {
        /// The socket.
        socket: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The agent did not answer in time.
    #[error("the ssh-agent did not answer in time; was the touch, PIN or confirmation given?")]
    Timeout,
    /// The agent speaks another protocol.
    #[error("the ssh-agent is not understood: {0}")]
    Protocol(&'static str),
    /// The agent shows no keys, which is also what a locked one does.
    #[error("the ssh-agent shows no keys: unlock it with ssh-add -X, or add a key with ssh-add")]
    LockedOrEmpty,
    /// The agent has keys, but not this one.
    #[error("the ssh-agent does not hold the key {0}; add it with ssh-add")]
    NotInAgent(Fingerprint),
    /// The agent has the key and said no.
    #[error("the ssh-agent refused to sign with {0}: the touch, PIN or confirmation was not given")]
    Refused(Fingerprint),
    /// What was signed does not verify; it is not handed out.
    #[error("the key made a signature that does not count: {0}")]
    Unsound(SignatureRefusal),
    /// Signing or writing a key failed inside the cryptography library.
    #[error("the key cannot be used: {0}")]
    Crypto(String),
}

/// Where a private key lives.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyHome {
    /// An OpenSSH private key file.
    File(PathBuf),
    /// An ssh-agent, or the token behind it.
    Agent,
}

/// A key somebody could choose to sign with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AvailableKey {
    /// The public half.
    pub public: PublicKey,
    /// The key's comment; empty for an encrypted file, where it is encrypted too. It is hostile text.
    pub comment: String,
    /// Where it lives.
    pub home: KeyHome,
    /// What it takes to use it.
    pub unlock: Unlock,
}

/// What it takes to use a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlock {
    /// Nothing.
    Ready,
    /// A passphrase.
    Passphrase,
    /// A touch of its token.
    Touch,
}

/// What an agent holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AgentKeys {
    /// Keys to sign with.
    pub usable: Vec<AvailableKey>,
    /// Keys that do not count, by comment, with the reason.
    pub unaccepted: Vec<(String, PublicKeyError)>,
}

/// An ssh-agent's socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    socket: PathBuf,
}

impl Agent {
    /// The agent at `socket`.
    #[must_use]
    pub fn at(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into() }
    }

    /// The agent that `SSH_AUTH_SOCK` names.
    ///
    /// # Errors
    /// [`KeyError::NoAgent`] when it is unset or empty.
    pub fn from_environment() -> Result<Self, KeyError> {
        match std::env::var_os("SSH_AUTH_SOCK") {
            Some(socket) if !socket.is_empty() => Ok(Self::at(socket)),
            _ => Err(KeyError::NoAgent),
        }
    }

    /// Every key the agent shows.
    ///
    /// # Errors
    /// [`KeyError::LockedOrEmpty`] when it shows none; [`KeyError::Unreachable`], [`KeyError::Timeout`] or
    /// [`KeyError::Protocol`] when it does not answer properly.
    pub fn keys(&self) -> Result<AgentKeys, KeyError> {
        let listed = self.list()?;
        if listed.is_empty() {
            return Err(KeyError::LockedOrEmpty);
        }
        let mut keys = AgentKeys::default();
        for Listed { blob, comment } in listed {
            match PublicKey::from_blob(&blob) {
                Ok(public) => {
                    let unlock = if public.is_hardware() { Unlock::Touch } else { Unlock::Ready };
                    keys.usable.push(AvailableKey { public, comment, home: KeyHome::Agent, unlock });
                }
                Err(refusal) => keys.unaccepted.push((comment, refusal)),
            }
        }
        Ok(keys)
    }

    fn list(&self) -> Result<Vec<Listed>, KeyError> {
        let mut stream = self.connect(LIST_TIMEOUT)?;
        agent::list(&mut stream).map_err(|fault| match fault {
            AgentFault::Refused => KeyError::LockedOrEmpty,
            AgentFault::Protocol(problem) => KeyError::Protocol(problem),
            AgentFault::Io(source) => self.broken(source),
        })
    }

    fn sign(&self, key: &PublicKey, data: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut stream = self.connect(SIGN_TIMEOUT)?;
        agent::sign(&mut stream, key.blob(), data).map_err(|fault| match fault {
            AgentFault::Refused => self.explain_refusal(key),
            AgentFault::Protocol(problem) => KeyError::Protocol(problem),
            AgentFault::Io(source) => self.broken(source),
        })
    }

    /// The protocol gives no reason; what the agent lists tells most of it.
    fn explain_refusal(&self, key: &PublicKey) -> KeyError {
        match self.list() {
            Err(error) => error,
            Ok(listed) if listed.is_empty() => KeyError::LockedOrEmpty,
            Ok(listed) if listed.iter().any(|other| other.blob == key.blob()) => {
                KeyError::Refused(key.fingerprint().clone())
            }
            Ok(_) => KeyError::NotInAgent(key.fingerprint().clone()),
        }
    }

    fn broken(&self, source: io::Error) -> KeyError {
        match source.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => KeyError::Timeout,
            _ => KeyError::Unreachable { socket: self.socket.clone(), source },
        }
    }

    #[cfg(unix)]
    fn connect(&self, timeout: Duration) -> Result<std::os::unix::net::UnixStream, KeyError> {
        let connect = || {
            let stream = std::os::unix::net::UnixStream::connect(&self.socket)?;
            stream.set_read_timeout(Some(timeout))?;
            stream.set_write_timeout(Some(timeout))?;
            Ok(stream)
        };
        connect().map_err(|source| KeyError::Unreachable { socket: self.socket.clone(), source })
    }

    /// Agents elsewhere listen on other things than Unix sockets; until one of them is supported there is none.
    #[cfg(not(unix))]
    fn connect(&self, _: Duration) -> Result<io::Cursor<Vec<u8>>, KeyError> {
        Err(KeyError::NoAgent)
    }
}

/// Looks at a private key file without opening it: whose it is, and whether it needs a passphrase.
///
/// # Errors
/// [`KeyError`] when it is no usable private key.
pub fn inspect_file(path: &Path) -> Result<AvailableKey, KeyError> {
    let (private, public) = read_key_file(path)?;
    let unlock = if private.is_encrypted() { Unlock::Passphrase } else { Unlock::Ready };
    Ok(AvailableKey { public, comment: private.comment().to_owned(), home: KeyHome::File(path.to_owned()), unlock })
}

/// A key that is ready to sign. `Debug` prints its public half.
#[derive(Clone)]
pub struct SigningKey {
    public: PublicKey,
    comment: String,
    source: Source,
}

#[derive(Clone)]
enum Source {
    File { path: PathBuf, private: Box<PrivateKey> },
    Agent(Agent),
}

impl SigningKey {
    /// Reads an OpenSSH private key file (mode 0600), decrypting it with `passphrase` if it is encrypted.
    ///
    /// # Errors
    /// [`KeyError::PassphraseNeeded`] and [`KeyError::WrongPassphrase`] where one can ask again; others are final.
    pub fn from_file(path: &Path, passphrase: Option<&SecretString>) -> Result<Self, KeyError> {
        let (mut private, public) = read_key_file(path)?;
        if private.is_encrypted() {
            let passphrase = passphrase.ok_or_else(|| KeyError::PassphraseNeeded(path.to_owned()))?;
            let opened = private.decrypt(passphrase.expose_secret());
            private = opened.map_err(|_| KeyError::WrongPassphrase(path.to_owned()))?;
        }
        Ok(Self::in_file(path, private, public))
    }

    /// A key that `agent` holds.
    ///
    /// # Errors
    /// [`KeyError::NotInAgent`] when it holds others; else as for [`Agent::keys`].
    pub fn from_agent(agent: &Agent, fingerprint: &Fingerprint) -> Result<Self, KeyError> {
        let keys = agent.keys()?;
        let found = keys.usable.into_iter().find(|key| key.public.fingerprint() == fingerprint);
        let key = found.ok_or_else(|| KeyError::NotInAgent(fingerprint.clone()))?;
        Ok(Self { public: key.public, comment: key.comment, source: Source::Agent(agent.clone()) })
    }

    /// Makes a new ed25519 key: `path` with mode 0600, encrypted if there is a passphrase, and its public half beside it
    /// in `path.pub`, both as `ssh-keygen` writes them.
    ///
    /// # Errors
    /// [`PrivateFileError::Exists`] when either file is there already; nothing is replaced.
    pub fn generate(path: &Path, comment: &str, passphrase: Option<&SecretString>) -> Result<Self, KeyError> {
        let crypto = |error: ssh_key::Error| KeyError::Crypto(error.to_string());
        let public_path = public_path(path);
        if public_path.exists() {
            return Err(PrivateFileError::Exists(public_path).into());
        }
        let mut private = PrivateKey::random(&mut OsRng, Algorithm::Ed25519).map_err(crypto)?;
        private.set_comment(comment.replace(['\r', '\n'], " "));
        let public = accepted(path, &private)?;
        let stored = match passphrase {
            Some(passphrase) => private.encrypt(&mut OsRng, passphrase.expose_secret()).map_err(crypto)?,
            None => private.clone(),
        };
        private_file::create(path, stored.to_openssh(LineEnding::LF).map_err(crypto)?.as_bytes())?;
        private_file::create(&public_path, format!("{} {}\n", public.line(), private.comment()).as_bytes())?;
        Ok(Self::in_file(path, private, public))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The public half's fingerprint.
    #[must_use]
    pub fn fingerprint(&self) -> &Fingerprint {
        self.public.fingerprint()
    }

    /// The key's comment. It is hostile text.
    #[must_use]
    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// Where the private half lives.
    #[must_use]
    pub fn home(&self) -> KeyHome {
        match &self.source {
            Source::File { path, .. } => KeyHome::File(path.clone()),
            Source::Agent(_) => KeyHome::Agent,
        }
    }

    /// Signs `payload` as a statement of `kind`: an armored SSHSIG, as `ssh-keygen -Y sign` writes it. It was verified
    /// before it is returned, so a token that signed without a touch or an agent that errs is found out here.
    ///
    /// # Errors
    /// [`KeyError`]; with an agent every reason it can have, with a file only defects.
    pub fn sign(&self, kind: StatementKind, payload: &[u8]) -> Result<Vec<u8>, KeyError> {
        let namespace = kind.namespace();
        let armored = match &self.source {
            Source::File { private, .. } => sign_with_file(private, &namespace, payload)?,
            Source::Agent(agent) => {
                let signature = agent.sign(&self.public, &sshsig::signed_data(&namespace, payload))?;
                sshsig::armor(&self.public, &namespace, &signature)
            }
        };
        sshsig::verify(payload, &armored).map_err(KeyError::Unsound)?;
        Ok(armored)
    }

    fn in_file(path: &Path, private: PrivateKey, public: PublicKey) -> Self {
        let comment = private.comment().to_owned();
        Self { public, comment, source: Source::File { path: path.to_owned(), private: Box::new(private) } }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({} in {:?})", self.fingerprint(), self.home())
    }
}

fn public_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

fn read_key_file(path: &Path) -> Result<(PrivateKey, PublicKey), KeyError> {
    let bytes = private_file::read(path)?;
    let private = PrivateKey::from_openssh(bytes.as_slice()).map_err(|_| KeyError::NotAKey(path.to_owned()))?;
    let public = accepted(path, &private)?;
    if public.is_hardware() {
        return Err(KeyError::Hardware(path.to_owned()));
    }
    Ok((private, public))
}

fn accepted(path: &Path, private: &PrivateKey) -> Result<PublicKey, KeyError> {
    let blob = private.public_key().to_bytes().map_err(|_| KeyError::NotAKey(path.to_owned()))?;
    PublicKey::from_blob(&blob).map_err(|refusal| KeyError::Unaccepted { path: path.to_owned(), refusal })
}

fn sign_with_file(private: &PrivateKey, namespace: &str, payload: &[u8]) -> Result<Vec<u8>, KeyError> {
    let crypto = |error: ssh_key::Error| KeyError::Crypto(error.to_string());
    let signature = private.sign(namespace, HashAlg::Sha512, payload).map_err(crypto)?;
    Ok(signature.to_pem(LineEnding::LF).map_err(crypto)?.into_bytes())
}
