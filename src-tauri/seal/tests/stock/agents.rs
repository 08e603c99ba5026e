//! Keys in a real ssh-agent, and hardware keys in an agent that plays the token's part.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use countersign_domain::statement::{SignatureRefusal, StatementKind};
use countersign_seal::keys::{Agent, KeyError, KeyHome, SigningKey, Unlock};
use countersign_seal::public_key::PublicKey;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};

use crate::world::{Signed, World, allowing, verify};

const PAYLOAD: &[u8] = b"{\"statement\":true}";
const APPROVAL: &str = "approval@countersign";

/// A real ssh-agent, ended with the test.
struct StockAgent {
    child: Child,
    socket: PathBuf,
}

impl StockAgent {
    fn start(world: &World) -> Self {
        let socket = world.path("agent.sock");
        // In the foreground it is our child, and ends by its own id. It asks for confirmations by running `false`.
        let mut command = world.command("ssh-agent");
        command.arg("-D").arg("-a").arg(&socket).stdout(Stdio::piped()).stderr(Stdio::null());
        command.env("SSH_ASKPASS", "/bin/false").env("SSH_ASKPASS_REQUIRE", "force");
        let mut child = command.spawn().expect("ssh-agent is needed by this test");
        // It names its socket once it listens.
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("SSH_AUTH_SOCK"), "{line}");
        Self { child, socket }
    }

    fn client(&self) -> Agent {
        Agent::at(&self.socket)
    }

    /// Runs `ssh-add`, which reads passphrases from a script.
    fn add(&self, world: &World, args: &[&str]) {
        let askpass = world.write("askpass", "#!/bin/sh\necho secret\n");
        std::fs::set_permissions(&askpass, std::fs::Permissions::from_mode(0o700)).unwrap();
        let mut command = world.command("ssh-add");
        command.args(args).env("SSH_AUTH_SOCK", &self.socket).env("SSH_ASKPASS_REQUIRE", "force");
        let output = command.env("SSH_ASKPASS", &askpass).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for StockAgent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn keys_in_an_agent_sign_and_stock_openssh_accepts_it() {
    let world = World::new();
    let agent = StockAgent::start(&world);
    for (name, options) in [("ed25519", &["-t", "ed25519"][..]), ("p256", &["-t", "ecdsa", "-b", "256"])] {
        world.keygen(name, options);
        agent.add(&world, &["-q", name]);
        let key = SigningKey::from_agent(&agent.client(), world.public(name).fingerprint()).unwrap();
        assert_eq!((key.home(), key.comment()), (KeyHome::Agent, name));
        let signature = key.sign(StatementKind::Approval, PAYLOAD).unwrap();
        let signed = Signed { payload: PAYLOAD, signature: &signature };
        assert!(world.stock_verify(&allowing(key.public()), APPROVAL, &[], signed));
        assert_eq!(verify(&allowing(key.public()), signed).unwrap().0, StatementKind::Approval);
    }
    assert_eq!(agent.client().keys().unwrap().usable.len(), 2);
}

#[test]
fn keys_that_do_not_count_are_listed_with_the_reason() {
    let world = World::new();
    let agent = StockAgent::start(&world);
    world.keygen("rsa", &["-t", "rsa", "-b", "2048"]);
    world.keygen("key", &["-t", "ed25519"]);
    world.keygen("authority", &["-t", "ed25519"]);
    world.run("ssh-keygen", &["-q", "-s", "authority", "-I", "ana", "key.pub"]);
    agent.add(&world, &["-q", "rsa"]);
    agent.add(&world, &["-q", "key"]);
    let keys = agent.client().keys().unwrap();
    assert_eq!(keys.usable.iter().map(|key| &key.public).collect::<Vec<_>>(), [&world.public("key")]);
    let reasons: Vec<String> = keys.unaccepted.iter().map(|(comment, why)| format!("{comment}: {why}")).collect();
    insta::assert_snapshot!(reasons.join("\n"), @r#"
    rsa: the algorithm "ssh-rsa" is not accepted; use ed25519, ecdsa-p256 or a hardware key of these
    key: "ssh-ed25519-cert-v01@openssh.com" is an SSH certificate; use the plain key
    "#);
}

#[test]
fn a_locked_agent_is_told_from_a_missing_key_and_a_refusal() {
    let world = World::new();
    let agent = StockAgent::start(&world);
    assert!(matches!(agent.client().keys(), Err(KeyError::LockedOrEmpty)));
    for name in ["key", "other"] {
        world.keygen(name, &["-t", "ed25519"]);
        agent.add(&world, &["-q", name]);
    }
    let fingerprint = world.public("key").fingerprint().clone();
    let key = SigningKey::from_agent(&agent.client(), &fingerprint).unwrap();
    let sign = || key.sign(StatementKind::Approval, PAYLOAD);

    agent.add(&world, &["-x"]);
    assert!(matches!(agent.client().keys(), Err(KeyError::LockedOrEmpty)));
    assert!(matches!(sign(), Err(KeyError::LockedOrEmpty)));
    agent.add(&world, &["-X"]);
    assert!(sign().is_ok());

    agent.add(&world, &["-q", "-d", "key"]);
    assert!(matches!(sign(), Err(KeyError::NotInAgent(missing)) if missing == fingerprint));
    let missing = SigningKey::from_agent(&agent.client(), &fingerprint);
    assert!(matches!(missing, Err(KeyError::NotInAgent(_))));

    agent.add(&world, &["-q", "-c", "key"]);
    assert!(matches!(sign(), Err(KeyError::Refused(refused)) if refused == fingerprint));
}

#[test]
fn an_agent_that_is_gone_is_named_with_its_socket() {
    let world = World::new();
    let refused = Agent::at(world.path("none.sock")).keys().unwrap_err();
    assert!(matches!(refused, KeyError::Unreachable { .. }));
    assert!(refused.to_string().contains("none.sock"), "{refused}");
}

#[test]
fn an_agent_that_hangs_up_is_unreachable() {
    let world = World::new();
    let socket = world.path("rude.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let server = std::thread::spawn(move || drop(listener.accept().unwrap()));
    assert!(matches!(Agent::at(&socket).keys(), Err(KeyError::Unreachable { .. })));
    server.join().unwrap();
}

/// A hardware token in software: what it signs is what PROTOCOL.u2f says a token signs.
enum Token {
    Ed25519(Ed25519KeyPair),
    EcdsaP256(EcdsaKeyPair),
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

/// A number without leading zeros, and with one where it would else be negative.
fn mpint(bytes: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    let sign = if digits.first().is_some_and(|first| first & 0x80 != 0) { &[0][..] } else { &[] };
    string(&[sign, &digits].concat())
}

impl Token {
    fn ed25519() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
    }

    fn ecdsa_p256() -> Self {
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self::EcdsaP256(EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap())
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "sk-ssh-ed25519@openssh.com",
            Self::EcdsaP256(_) => "sk-ecdsa-sha2-nistp256@openssh.com",
        }
    }

    fn blob(&self) -> Vec<u8> {
        let name = string(self.name().as_bytes());
        match self {
            Self::Ed25519(pair) => [name, string(pair.public_key().as_ref()), string(b"ssh:")].concat(),
            Self::EcdsaP256(pair) => {
                [name, string(b"nistp256"), string(pair.public_key().as_ref()), string(b"ssh:")].concat()
            }
        }
    }

    fn public(&self) -> PublicKey {
        use base64::Engine as _;
        let encoded = base64::engine::general_purpose::STANDARD.encode(self.blob());
        PublicKey::parse(&format!("{} {encoded}", self.name())).unwrap()
    }

    fn sign(&self, message: &[u8], flags: u8) -> Vec<u8> {
        let counter = 7_u32.to_be_bytes();
        let hash = |bytes| digest(&SHA256, bytes);
        let signed = [hash(b"ssh:").as_ref(), &[flags], &counter, hash(message).as_ref()].concat();
        let raw = match self {
            Self::Ed25519(pair) => pair.sign(&signed).as_ref().to_vec(),
            Self::EcdsaP256(pair) => {
                let fixed = pair.sign(&SystemRandom::new(), &signed).unwrap();
                [mpint(&fixed.as_ref()[..32]), mpint(&fixed.as_ref()[32..])].concat()
            }
        };
        [string(self.name().as_bytes()), string(&raw), vec![flags], counter.to_vec()].concat()
    }

    /// Serves one listing and one signature.
    fn serve(&self, listener: &UnixListener, flags: u8) {
        let (mut stream, _) = listener.accept().unwrap();
        assert_eq!(receive(&mut stream), [11]);
        let listing = [&[12, 0, 0, 0, 1][..], &string(&self.blob()), &string(b"token")].concat();
        stream.write_all(&string(&listing)).unwrap();

        let (mut stream, _) = listener.accept().unwrap();
        let request = receive(&mut stream);
        let head = [&[13][..], &string(&self.blob())].concat();
        let message = request.strip_prefix(head.as_slice()).unwrap();
        let message = &message[4..message.len() - 4];
        stream.write_all(&string(&[&[14][..], &string(&self.sign(message, flags))].concat())).unwrap();
    }
}

fn receive(stream: &mut UnixStream) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut message = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut message).unwrap();
    message
}

/// Signs through an agent that holds `token`, which reports `flags`.
fn sign_with(world: &World, token: &Token, flags: u8) -> Result<Vec<u8>, KeyError> {
    let socket = world.path(&format!("token-{flags}.sock"));
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| token.serve(&listener, flags));
        let agent = Agent::at(&socket);
        let key = SigningKey::from_agent(&agent, token.public().fingerprint()).unwrap();
        key.sign(StatementKind::Approval, PAYLOAD)
    })
}

#[test]
fn a_touched_hardware_key_counts_here_and_with_stock_openssh() {
    for token in [Token::ed25519(), Token::ecdsa_p256()] {
        let world = World::new();
        // 5: touched, and the user verified by PIN.
        for flags in [1, 5] {
            let signature = sign_with(&world, &token, flags).unwrap();
            let signed = Signed { payload: PAYLOAD, signature: &signature };
            assert_eq!(verify(&allowing(&token.public()), signed).unwrap().0, StatementKind::Approval);
            assert!(world.stock_verify(&allowing(&token.public()), APPROVAL, &[], signed), "{}", token.name());
            let changed = Signed { payload: b"other", ..signed };
            assert_eq!(verify(&allowing(&token.public()), changed), Err(SignatureRefusal::Mismatch));
        }
    }
}

#[test]
fn a_hardware_key_that_was_not_touched_does_not_count() {
    for token in [Token::ed25519(), Token::ecdsa_p256()] {
        let world = World::new();
        let key = token.public();
        assert!(key.is_hardware());
        let missing = SignatureRefusal::NoPresence(key.fingerprint().clone());
        for flags in [0, 4] {
            let refused = sign_with(&world, &token, flags).unwrap_err();
            assert!(matches!(&refused, KeyError::Unsound(why) if *why == missing), "{refused}");
        }
        // The same signature made elsewhere: refused here, though stock OpenSSH accepts it.
        let signature = armored(&token, 0);
        let signed = Signed { payload: PAYLOAD, signature: &signature };
        assert_eq!(verify(&allowing(&key), signed), Err(missing));
        assert!(world.stock_verify(&allowing(&key), APPROVAL, &[], signed));
    }
}

#[test]
fn the_touch_flag_cannot_be_added_afterwards() {
    for token in [Token::ed25519(), Token::ecdsa_p256()] {
        let untouched = armored(&token, 0);
        use base64::Engine as _;
        let engine = base64::engine::general_purpose::STANDARD;
        let text = String::from_utf8(untouched).unwrap();
        let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        let mut blob = engine.decode(body).unwrap();
        let flags = blob.len() - 5;
        blob[flags] |= 1;
        let forged = format!("-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n", engine.encode(blob));
        let signed = Signed { payload: PAYLOAD, signature: forged.as_bytes() };
        assert_eq!(verify(&allowing(&token.public()), signed), Err(SignatureRefusal::Mismatch));
    }
}

#[test]
fn a_hardware_key_is_listed_as_needing_a_touch() {
    let world = World::new();
    let token = Token::ed25519();
    let socket = world.path("token.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let keys = std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = listener.accept().unwrap();
            receive(&mut stream);
            let listing = [&[12, 0, 0, 0, 1][..], &string(&token.blob()), &string(b"token")].concat();
            stream.write_all(&string(&listing)).unwrap();
        });
        Agent::at(&socket).keys().unwrap()
    });
    assert_eq!(keys.usable[0].unlock, Unlock::Touch);
}

/// A whole SSHSIG by the token, put together here, without the room's own code.
fn armored(token: &Token, flags: u8) -> Vec<u8> {
    use base64::Engine as _;
    let hash = ring::digest::digest(&ring::digest::SHA512, PAYLOAD);
    let tail = [string(APPROVAL.as_bytes()), string(b""), string(b"sha512")].concat();
    let message = [b"SSHSIG".to_vec(), tail.clone(), string(hash.as_ref())].concat();
    let head = [b"SSHSIG\0\0\0\x01".to_vec(), string(&token.blob())].concat();
    let blob = [head, tail, string(&token.sign(&message, flags))].concat();
    let body = base64::engine::general_purpose::STANDARD.encode(blob);
    let lines: Vec<&str> = (0..body.len()).step_by(70).map(|at| &body[at..body.len().min(at + 70)]).collect();
    format!("-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n", lines.join("\n")).into_bytes()
}
