//! SSHSIG both ways, and everything that must not count.

use countersign_domain::statement::{SignatureRefusal, StatementKind};
use countersign_seal::allowed_signers::{AllowedSigners, LineProblem};
use countersign_seal::keys::SigningKey;
use countersign_seal::public_key::{PublicKey, PublicKeyError};
use countersign_seal::sshsig;
use proptest::prelude::*;

use crate::world::{PERSON, Signed, World, allowing, at, person, verify};

const PAYLOAD: &[u8] = b"{\"_type\":\"https://in-toto.io/Statement/v1\"}\n";
const APPROVAL: &str = "approval@countersign";
const ALGORITHMS: [&[&str]; 2] = [&["-t", "ed25519"], &["-t", "ecdsa", "-b", "256"]];

#[test]
fn stock_openssh_accepts_every_kind_we_sign() {
    let world = World::new();
    for algorithm in ALGORITHMS {
        let name = algorithm[1];
        let key = SigningKey::from_file(&world.keygen(name, algorithm), None).unwrap();
        for kind in StatementKind::ALL {
            let signature = key.sign(kind, PAYLOAD).unwrap();
            let signed = Signed { payload: PAYLOAD, signature: &signature };
            let allowed = AllowedSigners::line(&person(), key.public(), &[kind]);
            assert!(world.stock_verify(&allowed, &kind.namespace(), &[], signed), "{name} {kind:?}");
            assert!(!world.stock_verify(&allowed, "git", &[], signed), "{name} {kind:?}");
            let changed = Signed { payload: b"{}", ..signed };
            assert!(!world.stock_verify(&allowed, &kind.namespace(), &[], changed), "{name} {kind:?}");
        }
    }
}

#[test]
fn we_accept_what_stock_openssh_signs() {
    let world = World::new();
    for algorithm in ALGORITHMS {
        let name = algorithm[1];
        world.keygen(name, algorithm);
        let key = world.public(name);
        let signature = world.stock_sign(name, APPROVAL, &[], PAYLOAD);
        let signed = Signed { payload: PAYLOAD, signature: &signature };
        let (kind, signer) = verify(&allowing(&key), signed).unwrap();
        assert_eq!(kind, StatementKind::Approval);
        assert_eq!((signer.person.as_str(), &signer.fingerprint), (PERSON, key.fingerprint()));
        let listed = String::from_utf8(world.run("ssh-keygen", &["-l", "-f", name])).unwrap();
        assert!(listed.contains(signer.fingerprint.as_str()), "{listed}");

        let changed = Signed { payload: b"{}", ..signed };
        assert_eq!(verify(&allowing(&key), changed), Err(SignatureRefusal::Mismatch));
        let carriage_returns = String::from_utf8(signature.clone()).unwrap().replace('\n', "\r\n");
        assert!(verify(&allowing(&key), Signed { signature: carriage_returns.as_bytes(), ..signed }).is_ok());
    }
}

#[test]
fn our_ed25519_signatures_are_those_of_ssh_keygen_byte_for_byte() {
    let world = World::new();
    let key = SigningKey::from_file(&world.keygen("key", ALGORITHMS[0]), None).unwrap();
    let ours = key.sign(StatementKind::Approval, PAYLOAD).unwrap();
    assert_eq!(ours, world.stock_sign("key", APPROVAL, &[], PAYLOAD));
}

#[test]
fn other_namespaces_and_hashes_are_refused_by_name() {
    let world = World::new();
    world.keygen("key", ALGORITHMS[0]);
    let allowed = allowing(&world.public("key"));
    let refusal = |namespace, options: &[&str]| {
        let signature = world.stock_sign("key", namespace, options, PAYLOAD);
        verify(&allowed, Signed { payload: PAYLOAD, signature: &signature }).unwrap_err()
    };
    assert_eq!(refusal("git", &[]), SignatureRefusal::UnknownNamespace("\"git\"".to_owned()));
    assert_eq!(
        refusal("APPROVAL@countersign", &[]),
        SignatureRefusal::UnknownNamespace("\"APPROVAL@countersign\"".to_owned())
    );
    let sha256 = refusal(APPROVAL, &["-O", "hashalg=sha256"]);
    assert_eq!(sha256, SignatureRefusal::HashAlgorithm("\"sha256\"".to_owned()));
}

#[test]
fn rsa_and_other_curves_are_refused_by_name() {
    let world = World::new();
    let cases: [(&str, &[&str], &str); 3] = [
        ("rsa", &["-t", "rsa", "-b", "3072"], "\"ssh-rsa\""),
        ("p384", &["-t", "ecdsa", "-b", "384"], "\"ecdsa-sha2-nistp384\""),
        ("p521", &["-t", "ecdsa", "-b", "521"], "\"ecdsa-sha2-nistp521\""),
    ];
    for (name, options, algorithm) in cases {
        world.keygen(name, options);
        let signature = world.stock_sign(name, APPROVAL, &[], PAYLOAD);
        assert_eq!(sshsig::verify(PAYLOAD, &signature), Err(SignatureRefusal::Algorithm(algorithm.to_owned())));

        let line = std::fs::read_to_string(world.path(&format!("{name}.pub"))).unwrap();
        assert_eq!(PublicKey::parse(&line), Err(PublicKeyError::Algorithm(algorithm.to_owned())));
    }
}

#[test]
fn certificates_are_refused_by_name() {
    let world = World::new();
    world.keygen("authority", ALGORITHMS[0]);
    world.keygen("key", ALGORITHMS[0]);
    world.run("ssh-keygen", &["-q", "-s", "authority", "-I", "ana", "-n", PERSON, "key.pub"]);
    let signature = world.stock_sign("key-cert.pub", APPROVAL, &[], PAYLOAD);
    let signed = Signed { payload: PAYLOAD, signature: &signature };
    assert_eq!(verify(&allowing(&world.public("key")), signed), Err(SignatureRefusal::Certificate));
    // Stock OpenSSH accepts it from a cert-authority, which is why the option is refused too.
    let authority = format!("{PERSON} cert-authority {}\n", world.public("authority").line());
    assert!(world.stock_verify(&authority, APPROVAL, &[], signed));
    let refused = AllowedSigners::parse(authority.as_bytes()).unwrap_err();
    assert_eq!(refused.problem, LineProblem::CertAuthority);
    let listed = std::fs::read_to_string(world.path("key-cert.pub")).unwrap();
    let refused = AllowedSigners::parse(format!("{PERSON} {listed}").as_bytes()).unwrap_err();
    assert!(matches!(refused.problem, LineProblem::Key(PublicKeyError::Certificate(_))));
}

#[test]
fn a_strangers_key_is_refused_with_its_fingerprint() {
    let world = World::new();
    world.keygen("key", ALGORITHMS[0]);
    world.keygen("stranger", ALGORITHMS[0]);
    let signature = world.stock_sign("stranger", APPROVAL, &[], PAYLOAD);
    let refused = verify(&allowing(&world.public("key")), Signed { payload: PAYLOAD, signature: &signature });
    assert_eq!(refused, Err(SignatureRefusal::UnknownKey(world.public("stranger").fingerprint().clone())));
}

#[test]
fn one_key_for_two_persons_is_refused_where_stock_openssh_accepts_both() {
    let world = World::new();
    let key = SigningKey::from_file(&world.keygen("key", ALGORITHMS[0]), None).unwrap();
    let signature = key.sign(StatementKind::Approval, PAYLOAD).unwrap();
    let allowed = format!("bo@example.org {0}\n{PERSON} {0}\n", key.public().line());
    assert!(world.stock_verify(&allowed, APPROVAL, &[], Signed { payload: PAYLOAD, signature: &signature }));
    let refused = AllowedSigners::parse(allowed.as_bytes()).unwrap_err();
    assert_eq!(refused.line, 2);
    assert!(matches!(refused.problem, LineProblem::TwoPersons { line: 1, .. }));
}

/// Whatever the options, this room and `ssh-keygen` decide alike.
#[test]
fn options_decide_as_in_stock_openssh() {
    let world = World::new();
    let key = SigningKey::from_file(&world.keygen("key", ALGORITHMS[0]), None).unwrap();
    let signature = key.sign(StatementKind::Approval, PAYLOAD).unwrap();
    let signed = Signed { payload: PAYLOAD, signature: &signature };
    let cases = [
        ("", true),
        (r#"namespaces="approval@countersign""#, true),
        (r#"namespaces="plan@countersign,approval@*""#, true),
        (r#"NAMESPACES="appro?al@countersign""#, true),
        (r#"namespaces="plan@countersign""#, false),
        (r#"namespaces="*,!approval@*""#, false),
        (r#"namespaces="!plan@*""#, false),
        (r#"valid-after="20260601Z""#, true),
        (r#"valid-after="20260601000001Z""#, false),
        (r#"valid-before="20260601Z""#, true),
        (r#"valid-before="202605312359Z""#, false),
        (r#"valid-after="20250101Z",valid-before="20270101Z",namespaces="*""#, true),
    ];
    for (options, expected) in cases {
        let allowed = format!("{PERSON} {options} {}\n", key.public().line());
        let stock = world.stock_verify(&allowed, APPROVAL, &["-Overify-time=20260601Z"], signed);
        assert_eq!((options, stock), (options, expected));
        assert_eq!((options, verify(&allowed, signed).is_ok()), (options, expected));
    }
}

#[test]
fn any_of_a_keys_lines_may_allow_it_and_refusals_tell_namespace_from_time() {
    let world = World::new();
    let key = SigningKey::from_file(&world.keygen("key", ALGORITHMS[0]), None).unwrap();
    let signature = key.sign(StatementKind::Approval, PAYLOAD).unwrap();
    let signed = Signed { payload: PAYLOAD, signature: &signature };
    let lines = |options: &[&str]| -> String {
        options.iter().map(|options| format!("{PERSON} {options} {}\n", key.public().line())).collect()
    };
    let (plan, expired, now) = (r#"namespaces="plan@*""#, r#"valid-before="2025Z""#, r#"valid-after="20250101Z""#);
    let expired = expired.replace("2025Z", "20250101Z");
    assert!(verify(&lines(&[plan, &expired, now]), signed).is_ok());
    let refused = verify(&lines(&[plan]), signed).unwrap_err();
    assert_eq!(refused, SignatureRefusal::NamespaceNotAllowed(APPROVAL.to_owned()));
    let refused = verify(&lines(&[plan, &expired]), signed).unwrap_err();
    let fingerprint = key.fingerprint().clone();
    assert_eq!(refused, SignatureRefusal::NotValidAt { key: fingerprint, at: at("2026-06-01T00:00:00Z") });
}

#[test]
fn damaged_signatures_are_unreadable_not_mismatched() {
    let world = World::new();
    let key = SigningKey::from_file(&world.keygen("key", ALGORITHMS[0]), None).unwrap();
    let armored = String::from_utf8(key.sign(StatementKind::Approval, PAYLOAD).unwrap()).unwrap();
    let (_, body) = armored.split_once('\n').unwrap();
    let damaged = [
        String::new(),
        body.to_owned(),
        armored.replace("END", "END OF"),
        format!("x{armored}"),
        format!("{armored}x"),
        armored.replacen('A', "%", 1),
        armored.replacen("U1NIU0lH", "U1NIU0lI", 1),
        armored.replacen("U1NIU0lHAAAAAQ", "U1NIU0lHAAAAAg", 1),
        format!("-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n", "A".repeat(20_000)),
        "-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n".to_owned(),
        "-----BEGIN SSH SIGNATURE----------END SSH SIGNATURE-----\n".to_owned(),
    ];
    for text in damaged {
        let refused = sshsig::verify(PAYLOAD, text.as_bytes());
        assert!(matches!(refused, Err(SignatureRefusal::Unreadable(_))), "{refused:?} for {text:?}");
    }
}

#[test]
fn one_changed_bit_of_a_signature_never_counts() {
    let world = World::new();
    let key = SigningKey::from_file(&world.keygen("key", ALGORITHMS[0]), None).unwrap();
    let allowed = allowing(key.public());
    let armored = key.sign(StatementKind::Approval, PAYLOAD).unwrap();
    for at in 0..armored.len() {
        for bit in 0..8 {
            let mut changed = armored.clone();
            changed[at] ^= 1 << bit;
            let accepted = verify(&allowed, Signed { payload: PAYLOAD, signature: &changed });
            // Only a line end that became another blank, or a last one that is gone, may read the same.
            let blank = changed[at].is_ascii_whitespace() && armored[at].is_ascii_whitespace();
            assert!(blank || accepted.is_err(), "bit {bit} of byte {at}");
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_as_a_signature_end_in_a_refusal(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(sshsig::verify(PAYLOAD, &bytes).is_err());
    }

    #[test]
    fn any_bytes_in_armor_end_in_a_refusal(bytes in prop::collection::vec(any::<u8>(), 0..300), magic in any::<bool>()) {
        use base64::Engine as _;
        let mut blob = if magic { b"SSHSIG\0\0\0\x01".to_vec() } else { Vec::new() };
        blob.extend_from_slice(&bytes);
        let body = base64::engine::general_purpose::STANDARD.encode(blob);
        let armored = format!("-----BEGIN SSH SIGNATURE-----\n{body}\n-----END SSH SIGNATURE-----\n");
        prop_assert!(sshsig::verify(PAYLOAD, armored.as_bytes()).is_err());
    }

    #[test]
    fn any_text_as_a_public_key_ends_in_a_value(text in "(ssh-ed25519 |sk-)?[A-Za-z0-9+/= ]{0,80}") {
        let _ = PublicKey::parse(&text);
    }
}
