//! What must stay closed, over a live repository.

use countersign_domain::names::StatementId;
use countersign_domain::statement::{Approval, Statement};

use crate::small::{Small, commit, git, id, newest, sign_with, write};

async fn approval_of(small: &Small) -> Approval {
    newest(&small.ana, |statement| match statement {
        Statement::Approval(approval) => Some(approval),
        _ => None,
    })
    .await
}

fn fresh(mut approval: Approval, edit: impl FnOnce(&mut Approval)) -> Statement {
    approval.nonce = countersign_seal::nonce().unwrap();
    edit(&mut approval);
    Statement::Approval(approval)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_counts_for_nothing_but_what_it_is_of() {
    let small = Small::with(&[]).await;
    small.push_counter("first", "one/a", "1");
    small.push_counter("second", "one/a", "1");
    small.round().await;
    small.ana.approve("first").await.unwrap();
    assert_eq!(small.bob.lacking("first").await, "");
    let first = approval_of(&small).await;
    let second = small.ana.see("second").await.2;
    let needs = "0 of 1 for one: needs 1 more";

    // The same content under another name: another head.
    small.ana.say(&fresh(first.clone(), |a| a.change = id("second"))).await;
    assert_eq!(small.bob.lacking("second").await, needs);
    // With that change's head as well: other plans, although of the same inputs.
    small
        .ana
        .say(&fresh(first.clone(), |a| {
            a.change = id("second");
            a.head = second.change.head.clone();
        }))
        .await;
    assert_eq!(small.bob.lacking("second").await, needs);
    // Self-approval, and approval by a machine or a stranger, of exactly the right plans.
    let manifest = second.verdict.manifest().unwrap().1.clone();
    let right = |a: &mut Approval| {
        a.change = id("second");
        a.head = manifest.head.clone();
        a.units = manifest.units.iter().filter_map(countersign_domain::statement::ApprovedUnit::of).collect();
    };
    for person in ["mira", "runner"] {
        sign_with(&small.bob, &small.path().join("keys").join(person), &fresh(first.clone(), right)).await;
    }
    let stranger = small.path().join("keys/stranger");
    countersign_seal::keys::SigningKey::generate(&stranger, "ana", None).unwrap();
    sign_with(&small.bob, &stranger, &fresh(first.clone(), right)).await;
    assert_eq!(small.bob.lacking("second").await, needs);
    // Expired, and of the future.
    let hour = jiff::SignedDuration::from_hours(1);
    for (issued, expires) in [(-3, -1), (1, 2)] {
        let shift = |a: &mut Approval| {
            right(a);
            (a.issued, a.expires) = (first.issued + hour * issued, first.issued + hour * expires);
        };
        small.ana.say(&fresh(first.clone(), shift)).await;
    }
    assert_eq!(small.bob.lacking("second").await, needs);
    // The very same, as it should be, opens: the refusals above were for the reasons they name.
    small.ana.say(&fresh(first, right)).await;
    assert_eq!(small.bob.lacking("second").await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_with_two_keys_counts_once() {
    let small = Small::with(&[]).await;
    let second = small.path().join("keys/ana-laptop");
    let key = countersign_seal::keys::SigningKey::generate(&second, "ana", None).unwrap();
    let line = countersign_seal::allowed_signers::AllowedSigners::line(
        &countersign_domain::names::PersonId::new("ana").unwrap(),
        key.public(),
        &[],
    );
    let mira = small.mira();
    let signers = std::fs::read_to_string(mira.join("allowed_signers")).unwrap();
    write(&mira, "allowed_signers", &format!("{signers}{line}\n"));
    commit(&mira, "A second key for ana");
    git(&mira, &["push", "--quiet", "origin", "main"]);
    small.push_counter("grow", "two/a", "1");
    small.round().await;
    small.ana.approve("grow").await.unwrap();
    sign_with(&small.ana, &second, &fresh(approval_of(&small).await, |_| {})).await;
    assert_eq!(small.bob.lacking("grow").await, "1 of 2 for two: needs 1 more");
    small.bob.approve("grow").await.unwrap();
    assert_eq!(small.bob.lacking("grow").await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_moves_after_the_approval_closes() {
    let small = Small::with(&[]).await;
    small.push_counter("grow", "one/a", "1");
    small.round().await;
    small.ana.approve("grow").await.unwrap();
    assert_eq!(small.bob.lacking("grow").await, "");
    // A new commit, even one that touches no unit.
    small.push_from("origin/grow", "grow", &[("README.md", Some("hello".into()))]);
    assert!(small.bob.lacking("grow").await.contains("waiting for the deploy runner to plan this commit"));
    small.round().await;
    assert_eq!(small.bob.lacking("grow").await, "0 of 1 for one: needs 1 more");
    small.ana.approve("grow").await.unwrap();
    // A force-push with another unit.
    small.push(
        "grow",
        &[("one/a/main.tf", Some(small.counting("one/a", "1"))), ("one/b/main.tf", Some(small.counting("one/b", "1")))],
    );
    small.round().await;
    assert_eq!(small.bob.lacking("grow").await, "0 of 1 for one: needs 1 more");
    small.ana.approve("grow").await.unwrap();
    // And one unit fewer.
    small.push_counter("grow", "one/a", "1");
    small.round().await;
    assert_eq!(small.bob.lacking("grow").await, "0 of 1 for one: needs 1 more");
    small.ana.approve("grow").await.unwrap();
    assert_eq!(small.bob.lacking("grow").await, "");
    // Trunk's own module moves under the unit.
    let mira = small.mira();
    git(&mira, &["checkout", "--quiet", "-B", "main", "origin/main"]);
    write(&mira, "one/a/notes.txt", "beside the code");
    commit(&mira, "Beside");
    git(&mira, &["push", "--quiet", "origin", "main"]);
    assert_eq!(small.bob.lacking("grow").await, "the plan of one/a is outdated: what it reads has changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_closes_and_a_revocation_wins_for_good() {
    let small = Small::with(&[]).await;
    small.push_counter("grow", "one/a", "1");
    small.round().await;
    small.bob.approve("grow").await.unwrap();
    let (place, clone, view) = small.ana.see("grow").await;
    let head = view.change.head.clone();
    small.ana.engine.refuse(&place, &clone, &view, &head, "not now", None).await.unwrap();
    assert_eq!(small.bob.lacking("grow").await, "refused by ana");
    small.ana.approve("grow").await.unwrap();
    assert_eq!(small.bob.lacking("grow").await, "");
    let approvals: Vec<StatementId> = {
        let (_, _, view) = small.bob.see("grow").await;
        view.verdict.counted().values().cloned().collect()
    };
    assert_eq!(approvals.len(), 2);
    // ana is of security and may take back anyone's. With her approval gone her refusal stands again.
    for id in &approvals {
        small.ana.engine.revoke(id.as_str(), "", None).await.unwrap();
    }
    assert_eq!(small.bob.lacking("grow").await, "0 of 1 for one: needs 1 more; refused by ana");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_edited_in_the_change_does_not_judge_it() {
    let small = Small::with(&[]).await;
    let easy =
        crate::small::POLICY.replace("approvals = 2", "approvals = 1").replace("mira@demo.invalid", "m@x.invalid");
    let files = [("countersign.toml", Some(easy)), ("one/a/main.tf", Some(small.counting("one/a", "evil")))];
    small.push("easy", &files);
    small.round().await;
    let expected = "0 of 1 for one: needs 1 more; 0 of 2 for policy: needs 2 more";
    assert_eq!(small.bob.lacking("easy").await, expected);
    // mira merges it past the gate, and then signs under her own policy.
    let mira = small.mira();
    git(&mira, &["checkout", "--quiet", "-B", "main", "origin/main"]);
    git(&mira, &["merge", "--quiet", "--no-ff", "-m", "Merge easy", "easy"]);
    git(&mira, &["push", "--quiet", "origin", "main"]);
    let (_, clone, view) = small.bob.see("easy").await;
    let manifest = view.verdict.manifest().unwrap().1.clone();
    let approval = Statement::Approval(Approval {
        repository: manifest.repository.clone(),
        change: manifest.change.clone(),
        base: manifest.base.clone(),
        head: manifest.head.clone(),
        units: manifest.units.iter().filter_map(countersign_domain::statement::ApprovedUnit::of).collect(),
        policy: clone.policy().unwrap().digest.clone(),
        checklist: Vec::new(),
        acknowledged: Vec::new(),
        issued: jiff::Timestamp::now(),
        expires: jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1),
        nonce: countersign_seal::nonce().unwrap(),
    });
    sign_with(&small.bob, &small.path().join("keys/mira"), &approval).await;
    assert!(small.bob.lacking("easy").await.contains("0 of 2 for policy: needs 2 more"));
    assert_eq!(small.round().await, Vec::<String>::new());
    assert_eq!(small.cloud("one/a"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_past_the_gate_is_shown_and_not_applied() {
    let small = Small::with(&[]).await;
    small.push_counter("sneak", "one/a", "1");
    small.round().await;
    let mira = small.mira();
    git(&mira, &["push", "--quiet", "origin", "sneak:main"]);
    git(&mira, &["push", "--quiet", "origin", ":sneak"]);
    let (_, clone, view) = small.bob.see("sneak").await;
    assert_eq!(clone.circumstances(&view).summary(), "merged, but not applied: 0 of 1 for one: needs 1 more");
    assert_eq!(small.round().await, Vec::<String>::new());
    let refused = small.runner.engine.apply_change(&small.runner.place().await, &id("sneak")).await.unwrap_err();
    assert_eq!(refused.to_string(), "the gate of sneak is closed: 0 of 1 for one: needs 1 more");
    assert_eq!(small.cloud("one/a"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_of_another_change_or_an_edited_one_is_not_applied() {
    let small = Small::with(&[]).await;
    small.push_counter("first", "one/a", "1");
    small.push_counter("second", "one/b", "1");
    small.round().await;
    small.ana.approve("first").await.unwrap();
    small.ana.merge("first").await;
    // The remote serves the other change's bundles in this one's place, and this machine has none.
    let refs = git(&small.remote(), &["for-each-ref", "--format=%(refname)", "refs/countersign/bundles"]);
    let refs: Vec<&str> = refs.lines().collect();
    let (one, two) = (git(&small.remote(), &["rev-parse", refs[0]]), git(&small.remote(), &["rev-parse", refs[1]]));
    git(&small.remote(), &["update-ref", refs[0], &two]);
    git(&small.remote(), &["update-ref", refs[1], &one]);
    let repository = small.runner.rows().await[0].repository.clone();
    small.runner.engine.store().prune_bundles(&repository, &id("first")).await.unwrap();
    let steps = small.round().await;
    assert!(steps.iter().any(|step| step.starts_with("apply first failed: the sealed bundle")), "{steps:?}");
    assert_eq!(small.cloud("one/a"), "");
    // Swapped back, it goes: nothing was consumed by the failed try.
    git(&small.remote(), &["update-ref", refs[0], &one]);
    git(&small.remote(), &["update-ref", refs[1], &two]);
    assert_eq!(small.round().await, ["apply first: one/a: applied"]);
    assert_eq!(small.cloud("one/a"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_that_came_back_is_not_destroyed_by_the_old_approval() {
    let small = Small::with(&[]).await;
    small.push_counter("begin", "one/a", "1");
    small.take_through("begin", &[&small.ana]).await;
    small.round().await;
    assert_eq!(small.cloud("one/a"), "1");
    small.push("drop", &[("one/a/main.tf", None)]);
    small.take_through("drop", &[&small.ana]).await;
    // Before the runner comes to it, somebody puts the unit back.
    let mira = small.mira();
    git(&mira, &["fetch", "--quiet", "origin"]);
    git(&mira, &["checkout", "--quiet", "-B", "main", "origin/main"]);
    git(&mira, &["revert", "--no-edit", "-m", "1", "HEAD"]);
    git(&mira, &["push", "--quiet", "origin", "main"]);
    let steps = small.round().await;
    assert_eq!(steps, Vec::<String>::new());
    assert_eq!(small.cloud("one/a"), "1", "the unit is on trunk and must stay");
    let (_, clone, view) = small.bob.see("drop").await;
    let summary = clone.circumstances(&view).summary();
    assert_eq!(summary, "merged, but not applied: the plan of one/a is outdated: what it reads has changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shallow_clone_cannot_tell_who_wrote_a_change() {
    let small = Small::with(&[]).await;
    small.push_counter("grow", "one/a", "1");
    small.round().await;
    small.ana.approve("grow").await.unwrap();
    assert_eq!(small.bob.lacking("grow").await, "");
    let tip = git(&small.bob.clone, &["rev-parse", "origin/grow"]);
    std::fs::write(small.bob.clone.join(".git/shallow"), format!("{tip}\n")).unwrap();
    let said = small.bob.lacking("grow").await;
    assert!(said.contains("git fetch --unshallow"), "{said}");
}
