//! The gate over growing numbers of statements, against merely looking at each of them once.

use std::hint::black_box;
use std::time::Instant;

use countersign_domain::change::{AffectedUnit, ChangeFacts, Mergeability};
use countersign_domain::gate::{GateInput, PolicyInForce, evaluate};
use countersign_domain::names::{ChangeId, CommitId, Digest, Fingerprint, Nonce, PersonId, RepositoryId, UnitPath};
use countersign_domain::plan::Counts;
use countersign_domain::policy::Policy;
use countersign_domain::statement::{
    Approval, ApprovedUnit, PlanManifest, PlanOutcome, PlannedChanges, PlannedUnit, SignatureRefusal,
    SignatureVerifier, Signer, Statement, StatementKind, Verified,
};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

const POLICY: &str = r#"
version = 1
repository = "live"
[people.runner]
roles = ["runner"]
[environments.prod]
units = ["prod/*"]
approvals = 2
"#;

struct Says(StatementKind, PersonId);

impl SignatureVerifier for Says {
    fn verify(&self, _: &[u8], _: &[u8]) -> Result<(StatementKind, Signer), SignatureRefusal> {
        let fingerprint = Fingerprint::new(format!("SHA256:{}", "A".repeat(43)))
            .map_err(|error| SignatureRefusal::Unreadable(error.to_string()))?;
        Ok((self.0, Signer { person: self.1.clone(), fingerprint }))
    }
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn digest(c: char) -> Outcome<Digest> {
    Ok(Digest::new(c.to_string().repeat(64))?)
}

fn commit(c: char) -> Outcome<CommitId> {
    Ok(CommitId::new(c.to_string().repeat(40))?)
}

fn manifest() -> Outcome<PlanManifest> {
    Ok(PlanManifest {
        repository: RepositoryId::new("live")?,
        change: ChangeId::new("grow")?,
        base: commit('b')?,
        head: commit('a')?,
        units: vec![PlannedUnit {
            unit: UnitPath::new("prod/db")?,
            inputs: digest('1')?,
            deleted: false,
            tool: "terraform".into(),
            tool_version: "1.11.4".into(),
            workspace: "default".into(),
            review: digest('2')?,
            outcome: PlanOutcome::Planned(PlannedChanges {
                commitment: digest('3')?,
                apply: digest('4')?,
                counts: Counts::default(),
                destroys: vec![],
                no_changes: false,
            }),
        }],
        issued: "2026-01-01T00:00:00Z".parse()?,
        nonce: Nonce::new("0".repeat(32))?,
    })
}

fn statements(count: usize) -> Outcome<Vec<Verified>> {
    let manifest = manifest()?;
    let accept = |n: usize, by: &str, statement: &Statement| -> Outcome<Verified> {
        let says = Says(statement.kind(), PersonId::new(by)?);
        Ok(Verified::accept(&says, Digest::new(format!("{n:064x}"))?, &statement.to_payload()?, b"")?)
    };
    let mut all = vec![accept(0, "runner", &Statement::Plan(manifest.clone()))?];
    for n in 1..count {
        let approval = Statement::Approval(Approval {
            repository: manifest.repository.clone(),
            change: manifest.change.clone(),
            base: manifest.base.clone(),
            head: manifest.head.clone(),
            units: manifest.units.iter().filter_map(ApprovedUnit::of).collect(),
            policy: digest('9')?,
            checklist: vec![],
            acknowledged: vec![],
            issued: "2026-01-01T01:00:00Z".parse()?,
            expires: "2026-01-03T00:00:00Z".parse()?,
            nonce: Nonce::new(format!("{n:032x}"))?,
        });
        all.push(accept(n, &format!("person{}", n % 50), &approval)?);
    }
    Ok(all)
}

#[expect(clippy::print_stderr, reason = "a benchmark has no other place to say what went wrong")]
fn gate(c: &mut Criterion) {
    if let Err(error) = measure(c) {
        eprintln!("failed to make the statements: {error}");
        std::process::exit(1);
    }
}

#[expect(clippy::print_stdout, reason = "the ratio is the benchmark's result")]
fn measure(c: &mut Criterion) -> Outcome<()> {
    let policy = Policy::parse(POLICY)?;
    let policy_digest = digest('9')?;
    let change = ChangeFacts {
        id: ChangeId::new("grow")?,
        base: commit('b')?,
        head: commit('a')?,
        contributors: [].into(),
        mergeability: Mergeability::Clean,
        units: Ok(vec![AffectedUnit { unit: UnitPath::new("prod/db")?, inputs: digest('1')?, deleted: false }]),
        edits_policy: false,
    };
    let now = "2026-01-02T00:00:00Z".parse()?;
    let mut group = c.benchmark_group("gate");
    group.sample_size(20);
    for size in [100, 1_000, 10_000] {
        let all = statements(size)?;
        let in_force = PolicyInForce { policy: &policy, digest: &policy_digest };
        let judge = || evaluate(&GateInput { policy: Ok(in_force), change: &change, statements: &all, now });
        group.bench_with_input(BenchmarkId::from_parameter(size), &size, |b, _| b.iter(|| black_box(judge())));
        let (judged, looked) = (timed(|| drop(black_box(judge()))), timed(|| look(&all)));
        println!("gate over {size} statements: {:.1} × one look at each", judged / looked);
    }
    group.finish();
    Ok(())
}

fn look(all: &[Verified]) {
    let approvals = all.iter().filter(|s| matches!(s.statement(), Statement::Approval(a) if a.units.len() == 1));
    black_box(approvals.map(|s| s.signer().person.as_str().len()).sum::<usize>());
}

fn timed(mut work: impl FnMut()) -> f64 {
    let rounds = 20;
    let start = Instant::now();
    for _ in 0..rounds {
        work();
    }
    start.elapsed().as_secs_f64() / f64::from(rounds)
}

criterion_group!(benches, gate);
criterion_main!(benches);
