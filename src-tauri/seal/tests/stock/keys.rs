//! Private key files, ours read by OpenSSH and OpenSSH's read by us.

use std::os::unix::fs::PermissionsExt as _;

use countersign_domain::statement::StatementKind;
use countersign_seal::keys::{KeyError, KeyHome, SigningKey, Unlock, inspect_file};
use countersign_seal::private_file::PrivateFileError;
use secrecy::SecretString;

use crate::world::{Signed, World, allowing, mode, verify};

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

#[test]
fn openssh_reads_the_keys_we_make() {
    let world = World::new();
    let (plain, locked) = (world.path("plain"), world.path("locked"));
    let made = SigningKey::generate(&plain, "ana on a laptop", None).unwrap();
    let public = String::from_utf8(world.run("ssh-keygen", &["-y", "-f", "plain"])).unwrap();
    assert_eq!(public.trim_end(), format!("{} ana on a laptop", made.public().line()));
    assert_eq!(std::fs::read_to_string(world.path("plain.pub")).unwrap(), public);
    assert_eq!((mode(&plain), made.home()), (0o600, KeyHome::File(plain)));

    let made = SigningKey::generate(&locked, "", Some(&secret("correct horse"))).unwrap();
    let public = world.run("ssh-keygen", &["-y", "-P", "correct horse", "-f", "locked"]);
    assert_eq!(String::from_utf8(public).unwrap().trim_end(), made.public().line());
    assert!(std::fs::read_to_string(&locked).unwrap().starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n"));
    made.sign(StatementKind::Plan, b"payload").unwrap();
}

#[test]
fn a_new_key_replaces_nothing() {
    let world = World::new();
    let path = world.keygen("key", &["-t", "ed25519"]);
    let before = std::fs::read(&path).unwrap();
    let refused = SigningKey::generate(&path, "", None).unwrap_err();
    assert!(matches!(refused, KeyError::File(PrivateFileError::Exists(_))), "{refused}");
    std::fs::remove_file(world.path("key.pub")).unwrap();
    let refused = SigningKey::generate(&path, "", None).unwrap_err();
    assert!(matches!(refused, KeyError::File(PrivateFileError::Exists(_))), "{refused}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert!(!world.path("key.pub").exists());
}

#[test]
fn encrypted_keys_open_with_their_passphrase_alone() {
    let world = World::new();
    for (name, options) in [("ed25519", &["-t", "ed25519"][..]), ("p256", &["-t", "ecdsa", "-b", "256"])] {
        let path = world.keygen(name, options);
        world.run("ssh-keygen", &["-q", "-p", "-P", "", "-N", "hunter2", "-f", name]);
        let seen = inspect_file(&path).unwrap();
        assert_eq!((&seen.public, seen.unlock), (&world.public(name), Unlock::Passphrase));
        assert!(matches!(SigningKey::from_file(&path, None), Err(KeyError::PassphraseNeeded(_))));
        let wrong = SigningKey::from_file(&path, Some(&secret("hunter3"))).unwrap_err();
        assert!(matches!(wrong, KeyError::WrongPassphrase(_)));
        let key = SigningKey::from_file(&path, Some(&secret("hunter2"))).unwrap();
        assert_eq!(key.comment(), name);
        let signature = key.sign(StatementKind::Device, b"payload").unwrap();
        assert!(verify(&allowing(key.public()), Signed { payload: b"payload", signature: &signature }).is_ok());
    }
}

#[test]
fn unusable_files_are_refused_by_name() {
    let world = World::new();
    let rsa = world.keygen("rsa", &["-t", "rsa", "-b", "2048"]);
    let refused = SigningKey::from_file(&rsa, None).unwrap_err();
    assert!(refused.to_string().contains("the algorithm \"ssh-rsa\" is not accepted"), "{refused}");

    let open = world.keygen("open", &["-t", "ed25519"]);
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = SigningKey::from_file(&open, None).unwrap_err();
    assert!(matches!(refused, KeyError::File(PrivateFileError::Exposed { mode: 0o644, .. })), "{refused}");

    for (name, text) in [("text", "hello"), ("public", world.public("open").line().as_str()), ("empty", "")] {
        let path = world.write(name, text);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(inspect_file(&path), Err(KeyError::NotAKey(_))), "{name}");
    }
    let missing = inspect_file(&world.path("missing"));
    assert!(matches!(missing, Err(KeyError::File(PrivateFileError::Missing(_)))));
}

#[test]
fn debug_prints_the_public_half() {
    let world = World::new();
    let path = world.path("key");
    let key = SigningKey::generate(&path, "", None).unwrap();
    assert_eq!(format!("{key:?}"), format!("SigningKey({} in File({path:?}))", key.fingerprint()));
}

#[test]
fn a_hardware_keys_file_points_to_the_agent() {
    use ssh_key::private::{KeypairData, PrivateKey, SkEd25519};
    let world = World::new();
    let public = ssh_key::public::SkEd25519::new(ssh_key::public::Ed25519PublicKey([7; 32]), "ssh:");
    let handle = SkEd25519::new(public, 1, b"handle".to_vec()).unwrap();
    let private = PrivateKey::new(KeypairData::SkEd25519(handle), "token").unwrap();
    let path = world.write("id_ed25519_sk", private.to_openssh(ssh_key::LineEnding::LF).unwrap().as_bytes());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let refused = SigningKey::from_file(&path, None).unwrap_err();
    assert!(matches!(refused, KeyError::Hardware(_)), "{refused}");
}
