//! A temporary directory with real keys in it, and real programs run there.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use countersign_domain::names::PersonId;
use countersign_domain::statement::{SignatureRefusal, SignatureVerifier as _, Signer, StatementKind};
use countersign_seal::allowed_signers::AllowedSigners;
use countersign_seal::public_key::PublicKey;
use jiff::Timestamp;
use tempfile::TempDir;

pub(crate) struct World {
    directory: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    /// A program that runs here, with neither the user's agent nor their SSH files.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.directory.path()).env("HOME", self.directory.path()).env_remove("SSH_AUTH_SOCK");
        command.env("TZ", "UTC").stdin(Stdio::null());
        command
    }

    /// Runs a program that must succeed.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, program: &str, args: &[S]) -> Vec<u8> {
        let output = finish(self.command(program).args(args), b"");
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// A new key pair made by `ssh-keygen`, its private half in `name`.
    pub(crate) fn keygen(&self, name: &str, options: &[&str]) -> PathBuf {
        self.run("ssh-keygen", &[&["-q", "-N", "", "-C", name, "-f", name], options].concat());
        self.path(name)
    }

    pub(crate) fn public(&self, name: &str) -> PublicKey {
        PublicKey::parse(&std::fs::read_to_string(self.path(&format!("{name}.pub"))).unwrap()).unwrap()
    }

    /// Signs with `ssh-keygen -Y sign`.
    pub(crate) fn stock_sign(&self, key: &str, namespace: &str, options: &[&str], payload: &[u8]) -> Vec<u8> {
        let args = [&["-q", "-Y", "sign", "-f", key, "-n", namespace], options].concat();
        let output = finish(self.command("ssh-keygen").args(args), payload);
        assert!(output.status.success(), "sign: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// What `ssh-keygen -Y verify` says, with `allowed_signers` as its list.
    pub(crate) fn stock_verify(&self, allowed: &str, namespace: &str, options: &[&str], signed: Signed<'_>) -> bool {
        let list = self.write("allowed_signers", allowed);
        let signature = self.write("signature", signed.signature);
        let mut command = self.command("ssh-keygen");
        command.args(["-Y", "verify", "-I", PERSON, "-n", namespace]).args(options);
        command.arg("-f").arg(list).arg("-s").arg(signature);
        finish(&mut command, signed.payload).status.success()
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Signed<'a> {
    pub(crate) payload: &'a [u8],
    pub(crate) signature: &'a [u8],
}

/// The person all keys of these tests belong to.
pub(crate) const PERSON: &str = "ana@example.org";

pub(crate) fn person() -> PersonId {
    PersonId::new(PERSON).unwrap()
}

/// An `allowed_signers` file that lets the person sign anything with `key`.
pub(crate) fn allowing(key: &PublicKey) -> String {
    AllowedSigners::line(&person(), key, &[]) + "\n"
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Verifies with this room.
pub(crate) fn verify(allowed: &str, signed: Signed<'_>) -> Result<(StatementKind, Signer), SignatureRefusal> {
    let signers = AllowedSigners::parse(allowed.as_bytes()).unwrap();
    signers.verifier(at("2026-06-01T00:00:00Z")).verify(signed.payload, signed.signature)
}

/// Runs to the end with `input`; a missing program is named.
pub(crate) fn finish(command: &mut Command, input: &[u8]) -> Output {
    let program = command.get_program().to_owned();
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.unwrap_or_else(|error| panic!("{} is needed by this test: {error}", program.display()));
    let mut stdin = child.stdin.take().unwrap();
    // Inputs are far smaller than a pipe's buffer; a program that does not read them closes the pipe.
    let _ = stdin.write_all(input);
    drop(stdin);
    child.wait_with_output().unwrap()
}

pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}
