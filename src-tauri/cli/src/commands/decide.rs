//! `refuse`, `revoke`, `merge`.

use countersign_api::{commands, dto};

use super::answer;
use super::clones::problem_in_words;
use crate::args::{Merge, Refuse, Revoke};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::narrate::narrated;
use crate::output::Output;
use crate::secrets;
use crate::session::Session;
use crate::text::{self, Look, Paint};

pub(crate) async fn refuse(session: &Session, args: &Refuse, output: &mut Output) -> Result<Exit, Failure> {
    let found = session.find(&args.id).await?;
    found.must_be_at(args.head.as_deref())?;
    let dto::ChangeRef { clone, change } = found.reference();
    let refusal = dto::RefuseArgs {
        clone,
        change,
        head: found.view()?.change.head.to_string(),
        reason: args.note.clone(),
        passphrase: secrets::of_key_in_use(session, &args.passphrase).await?,
    };
    let recorded = commands::refuse(&session.host, refusal).await?;
    answer(output, &recorded, |recorded, paint| recorded_in_words(&format!("refused {}", found.id), recorded, paint))
}

pub(crate) async fn revoke(session: &Session, args: &Revoke, output: &mut Output) -> Result<Exit, Failure> {
    let revocation = dto::RevokeArgs {
        statement: args.statement.clone(),
        reason: args.note.clone(),
        passphrase: secrets::of_key_in_use(session, &args.passphrase).await?,
    };
    let recorded = commands::revoke(&session.host, revocation).await?;
    answer(output, &recorded, |recorded, paint| recorded_in_words("revoked", recorded, paint))
}

pub(crate) async fn merge(session: &Session, args: &Merge, output: &mut Output) -> Result<Exit, Failure> {
    let found = session.find(&args.id).await?;
    found.must_be_at(args.head.as_deref())?;
    let dto::ChangeRef { clone, change } = found.reference();
    let merge = dto::MergeArgs { clone, change, head: found.view()?.change.head.to_string() };
    let merged = narrated(session.engine(), output, commands::merge(&session.host, merge)).await?;
    answer(output, &merged, |merged, _| {
        format!("merged {} as {}; the deploy runner applies it\n", found.id, text::short(&merged.commit))
    })
}

/// What was recorded, and what is next.
pub(super) fn recorded_in_words(done: &str, recorded: &dto::Recorded, paint: Paint) -> String {
    let done = paint.paint(Look::Good, &text::line(done));
    let mut out = format!("{done}: statement {}\n", text::line(&recorded.statement));
    if !recorded.published {
        out.push_str("it is kept here and is published when the remote answers\n");
    }
    out.push_str(&recorded.problem.as_ref().map(|problem| problem_in_words(problem, paint)).unwrap_or_default());
    if let Some(next) = &recorded.next {
        out.push_str(&format!("next: countersign change show {}\n", text::line(&next.change)));
    }
    out
}
