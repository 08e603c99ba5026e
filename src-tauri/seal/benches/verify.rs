//! What verifying 10,000 statements costs, against bare Ed25519 verification of as many: the difference is reading the
//! armor, hashing the payload and looking up the signer. Run: `cargo bench -p countersign-seal`.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints, and stops at the first surprise")]

use std::cell::Cell;
use std::hint::black_box;
use std::time::{Duration, Instant};

use countersign_domain::names::PersonId;
use countersign_domain::statement::{SignatureVerifier as _, StatementKind};
use countersign_seal::allowed_signers::AllowedSigners;
use countersign_seal::keys::SigningKey;
use criterion::Criterion;
use jiff::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

const COUNT: usize = 10_000;
/// About what an approval of three units has.
const PAYLOAD_BYTES: usize = 2_000;
/// What an SSHSIG signature is made over.
const MESSAGE_BYTES: usize = 120;

fn main() {
    let mut criterion = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(200));
    criterion = criterion.measurement_time(Duration::from_secs(5)).configure_from_args();
    let statements = best(&mut criterion, "10,000 statements", verify_statements());
    let bare = best(&mut criterion, "10,000 bare Ed25519 signatures", verify_bare());
    if let (Some(statements), Some(bare)) = (statements, bare) {
        println!("ratio statements / bare ring Ed25519: {:.3}", statements.as_secs_f64() / bare.as_secs_f64());
    }
}

/// Measures `run` and returns its best time; `None` when a filter on the command line left it out.
fn best(criterion: &mut Criterion, name: &str, run: impl Fn()) -> Option<Duration> {
    let best = Cell::new(None::<Duration>);
    criterion.bench_function(name, |bencher| {
        bencher.iter_custom(|rounds| {
            let mut total = Duration::ZERO;
            for _ in 0..rounds {
                let start = Instant::now();
                run();
                let took = start.elapsed();
                best.set(Some(best.get().map_or(took, |best| best.min(took))));
                total += took;
            }
            total
        });
    });
    best.get()
}

/// `COUNT` different texts of `length` bytes.
fn texts(length: usize) -> impl Iterator<Item = Vec<u8>> {
    (0..COUNT).map(move |index| format!("{index:0length$}").into_bytes())
}

fn verify_statements() -> impl Fn() {
    let directory = tempfile::tempdir().unwrap();
    let key = SigningKey::generate(&directory.path().join("key"), "", None).unwrap();
    let line = AllowedSigners::line(&PersonId::new("ana").unwrap(), key.public(), &StatementKind::ALL);
    let signers = AllowedSigners::parse(line.as_bytes()).unwrap();
    let sign = |payload: Vec<u8>| {
        let signature = key.sign(StatementKind::Approval, &payload).unwrap();
        (payload, signature)
    };
    let statements: Vec<_> = texts(PAYLOAD_BYTES).map(sign).collect();
    move || {
        let verifier = signers.verifier(Timestamp::UNIX_EPOCH);
        for (payload, signature) in &statements {
            black_box(verifier.verify(payload, signature).unwrap());
        }
    }
}

fn verify_bare() -> impl Fn() {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
    let signed: Vec<_> = texts(MESSAGE_BYTES).map(|message| (pair.sign(&message), message)).collect();
    let public = pair.public_key().as_ref().to_vec();
    move || {
        let key = UnparsedPublicKey::new(&ED25519, &public);
        for (signature, message) in &signed {
            key.verify(message, signature.as_ref()).unwrap();
        }
    }
}
