//! Bundles and commitments, opened and recomputed with stock tools.

use countersign_domain::names::Recipient;
use countersign_seal::bundle::{OpenError, ReviewContents, open_apply, open_review, seal_apply, seal_review};
use countersign_seal::commitment::{CommitmentKey, commit};
use countersign_seal::digest;
use countersign_seal::identity::DeviceIdentity;

use crate::world::{World, finish, mode};

const LOG: &[u8] = b"\x1b[1mPlan:\x1b[0m 1 to add\n";
const PLAN: &[u8] =
    br#"{"format_version":"1.2","a":{"timestamp":"nested"},"timestamp":"2026-01-02T03:04:05Z","errored":false}
"#;

fn device(world: &World) -> DeviceIdentity {
    DeviceIdentity::create(&world.path("identity.txt")).unwrap()
}

#[test]
fn stock_age_and_tar_open_a_review_and_openssl_recomputes_its_commitment() {
    let world = World::new();
    let identity = device(&world);
    let key = CommitmentKey::generate().unwrap();
    let contents = ReviewContents { log: LOG, plan_json: Some(PLAN), commitment_key: Some(&key) };
    let sealed = seal_review(contents, std::slice::from_ref(identity.recipient())).unwrap();
    world.write("review.age", &sealed.bytes);

    world.run("sh", &["-c", "age -d -i identity.txt review.age | tar xzf -"]);
    let read = |name: &str| std::fs::read(world.path(name)).unwrap();
    assert_eq!((read("plan.log"), read("plan.json")), (LOG.to_vec(), PLAN.to_vec()));
    assert_eq!(read("commitment.key"), format!("{}\n", *key.to_hex()).into_bytes());
    assert_eq!(mode(&world.path("plan.json")), 0o600);

    // The very commands that the module's documentation gives.
    let recompute = r#"tr -d '\n' < plan.json | sed -E 's/(.*),"timestamp":"[^"]*"/\1/' |
        openssl dgst -sha256 -mac HMAC -macopt "hexkey:$(cat commitment.key)""#;
    let printed = String::from_utf8(world.run("sh", &["-c", recompute])).unwrap();
    assert_eq!(printed.trim_end().rsplit(' ').next(), Some(commit(&key, PLAN).unwrap().as_str()), "{printed}");
}

#[test]
fn stock_age_opens_a_plan_file() {
    let world = World::new();
    let sealed = seal_apply(b"PK\x03\x04 a plan", std::slice::from_ref(device(&world).recipient())).unwrap();
    world.write("apply.age", &sealed.bytes);
    assert_eq!(world.run("age", &["-d", "-i", "identity.txt", "apply.age"]), b"PK\x03\x04 a plan");
}

#[test]
fn a_log_sealed_by_stock_age_opens_as_a_log_alone() {
    let world = World::new();
    let identity = device(&world);
    world.write("recipients.txt", format!("{}\n", identity.recipient()));
    for armor in [&[][..], &["-a"]] {
        let output = finish(world.command("age").args(["-R", "recipients.txt"]).args(armor), LOG);
        assert!(output.status.success());
        let opened = open_review(&output.stdout, &digest(&output.stdout), &identity).unwrap();
        assert_eq!(opened.log.as_slice(), LOG);
        assert!(opened.plan_json.is_none() && opened.commitment_key.is_none());
    }
}

#[test]
fn an_identity_of_age_keygen_opens_what_was_sealed_to_it() {
    let world = World::new();
    world.run("age-keygen", &["-o", "theirs.txt"]);
    let identity = DeviceIdentity::load(&world.path("theirs.txt")).unwrap();
    let stock = String::from_utf8(world.run("age-keygen", &["-y", "theirs.txt"])).unwrap();
    assert_eq!(identity.recipient(), &Recipient::new(stock.trim_end()).unwrap());
    let sealed = seal_apply(b"plan", std::slice::from_ref(identity.recipient())).unwrap();
    assert_eq!(open_apply(&sealed.bytes, &sealed.sha256, &identity).unwrap().as_slice(), b"plan");
}

#[test]
fn what_was_sealed_to_a_passphrase_is_not_for_this_device() {
    let world = World::new();
    // Made with `age -p`, passphrase "x"; `age` itself asks for one on a terminal only.
    let mut sealed = Vec::new();
    let encryptor = age::Encryptor::with_user_passphrase(age::secrecy::SecretString::from("x"));
    encryptor.wrap_output(&mut sealed).unwrap().finish().unwrap();
    let refused = open_apply(&sealed, &digest(&sealed), &device(&world));
    assert_eq!(refused.unwrap_err(), OpenError::NotForThisDevice);
}
