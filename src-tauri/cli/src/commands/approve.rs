//! `approve`: what is bound, the checklist, the acknowledgements, the exact bytes, the signature.

use countersign_api::dto::{AcknowledgedDestroy, AnswerChoice, ChecklistEntry, SignPreview, SignSheet};
use countersign_api::{commands, dto};

use super::answer;
use super::decide::recorded_in_words;
use crate::args::Approve;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Format, Output};
use crate::secrets;
use crate::session::Session;
use crate::text::{self, Cell, Look, Paint, cell};

pub(crate) async fn approve(session: &Session, args: &Approve, output: &mut Output) -> Result<Exit, Failure> {
    let found = session.find(&args.id).await?;
    found.must_be_at(args.head.as_deref())?;
    let sheet = commands::sign_sheet(&session.host, found.reference()).await?;
    show_bound(&sheet, output);
    let filled = fill_in(args, &sheet)?;
    let dto::ChangeRef { clone, change } = found.reference();
    let draft = dto::SignDraft {
        clone,
        change,
        answers: filled.answers,
        acknowledged: filled.acknowledged,
        expires_in_hours: args.expires_in.unwrap_or(sheet.default_hours),
    };
    let preview = commands::sign_preview(&session.host, draft).await?;
    // The bytes hold the head: what moved since the sheet was shown is noticed here or when signing.
    show_preview(&preview, args);
    if filled.was_asked {
        confirm(&sheet)?;
    }
    let passphrase = secrets::of_key_in_use(session, &args.passphrase).await?;
    if sheet.signer.needs_touch {
        output::note("touch your key");
    }
    let signed = commands::approve(&session.host, dto::SignArgs { token: preview.token, passphrase }).await?;
    answer(output, &signed, |signed, paint| recorded_in_words(&format!("approved {}", found.id), signed, paint))
}

/// What the reviewer filled in.
struct Filled {
    answers: Vec<ChecklistEntry>,
    acknowledged: Vec<AcknowledgedDestroy>,
    /// Whether anything was asked on the terminal.
    was_asked: bool,
}

fn show_bound(sheet: &SignSheet, output: &Output) {
    if output.format() == Format::Human {
        output::note(&bound_in_words(sheet, Paint::Nothing));
    }
}

fn bound_in_words(sheet: &SignSheet, paint: Paint) -> String {
    let signer = &sheet.signer;
    let mut rows: Vec<Vec<Cell>> =
        vec![vec![cell("Signed by"), cell(format!("{} with {} ({})", signer.person, signer.fingerprint, signer.home))]];
    let bound = sheet.bound.iter().map(|field| {
        let label = field.unit.as_ref().map_or_else(|| field.label.clone(), |unit| format!("{unit}: {}", field.label));
        vec![cell(label), cell(&field.value)]
    });
    rows.extend(bound);
    let mut out = format!("{}\n{}", paint.paint(Look::Bold, "This approval binds"), text::rows(paint, 2, &rows));
    if !sheet.acknowledge.is_empty() {
        out.push_str("It allows these destroys\n");
        let rows: Vec<Vec<Cell>> =
            sheet.acknowledge.iter().map(|destroy| vec![cell("-"), cell(named(destroy))]).collect();
        out.push_str(&text::rows(paint, 2, &rows));
    }
    out.trim_end().to_owned()
}

/// A destroy as it is typed.
fn named(destroy: &AcknowledgedDestroy) -> String {
    format!("{}:{}", destroy.unit, destroy.address)
}

fn fill_in(args: &Approve, sheet: &SignSheet) -> Result<Filled, Failure> {
    let mut filled =
        Filled { answers: given_answers(args, sheet)?, acknowledged: given_destroys(args, sheet)?, was_asked: false };
    let unanswered: Vec<_> = sheet
        .questions
        .iter()
        .filter(|question| filled.answers.iter().all(|entry| entry.question != question.id))
        .collect();
    let unacknowledged: Vec<_> =
        sheet.acknowledge.iter().filter(|destroy| !filled.acknowledged.contains(destroy)).collect();
    if unanswered.is_empty() && unacknowledged.is_empty() {
        return Ok(filled);
    }
    if !output::is_interactive() {
        let answers = unanswered
            .iter()
            .map(|question| format!("--answer {}=yes|not-applicable  # {}", question.id, question.text));
        let destroys = unacknowledged.iter().map(|destroy| format!("--acknowledge '{}'", named(destroy)));
        let lacking: Vec<String> = answers.chain(destroys).collect();
        return Err(Failure::usage("the checklist is not complete, and there is no terminal to ask on")
            .kept("nothing was signed")
            .hint(format!("give what is lacking:\n{}", lacking.join("\n"))));
    }
    filled.was_asked = true;
    for question in unanswered {
        let answer = ask_question(&question.text)?;
        filled.answers.push(ChecklistEntry { question: question.id.clone(), answer });
    }
    for destroy in unacknowledged {
        filled.acknowledged.push(ask_destroy(destroy)?);
    }
    Ok(filled)
}

fn given_answers(args: &Approve, sheet: &SignSheet) -> Result<Vec<ChecklistEntry>, Failure> {
    let mut answers: Vec<ChecklistEntry> = Vec::new();
    for given in &args.answer {
        let (id, answer) = given.split_once('=').unwrap_or((given, ""));
        let answer = match answer {
            "yes" => AnswerChoice::Yes,
            "not-applicable" => AnswerChoice::NotApplicable,
            _ => return Err(wrong(format!("{} is not QUESTION=yes or QUESTION=not-applicable", shown(given)))),
        };
        if sheet.questions.iter().all(|question| question.id != id) {
            let known: Vec<&str> = sheet.questions.iter().map(|question| question.id.as_str()).collect();
            return Err(wrong(format!("the checklist has no question {}, but {}", shown(id), known.join(", "))));
        }
        if answers.iter().any(|entry| entry.question == id) {
            return Err(wrong(format!("the question {} is answered twice", shown(id))));
        }
        answers.push(ChecklistEntry { question: id.to_owned(), answer });
    }
    Ok(answers)
}

fn given_destroys(args: &Approve, sheet: &SignSheet) -> Result<Vec<AcknowledgedDestroy>, Failure> {
    let known = |given: &String| {
        // A unit's path may hold a colon, so what is given is compared and not taken apart.
        let found = sheet.acknowledge.iter().find(|destroy| named(destroy) == *given).cloned();
        found.ok_or_else(|| wrong(format!("{} is not among the destroys to acknowledge", shown(given))))
    };
    args.acknowledge.iter().map(known).collect()
}

fn wrong(message: String) -> Failure {
    Failure::usage(message).kept("nothing was signed")
}

fn shown(text: &str) -> String {
    countersign_domain::names::quoted(text)
}

fn ask_question(question: &str) -> Result<AnswerChoice, Failure> {
    loop {
        let answer = secrets::ask(&format!("{}\n  yes, not-applicable (na) or stop? ", text::line(question)))?;
        match answer.to_lowercase().as_str() {
            "yes" | "y" => return Ok(AnswerChoice::Yes),
            "not-applicable" | "na" => return Ok(AnswerChoice::NotApplicable),
            "stop" | "no" | "n" | "" => return Err(stopped()),
            _ => {}
        }
    }
}

fn ask_destroy(destroy: &AcknowledgedDestroy) -> Result<AcknowledgedDestroy, Failure> {
    let (unit, address) = (text::line(&destroy.unit), text::line(&destroy.address));
    let typed = secrets::ask(&format!("Type the address that is destroyed in {unit}: {address}\n  > "))?;
    if typed == destroy.address { Ok(destroy.clone()) } else { Err(stopped()) }
}

fn confirm(sheet: &SignSheet) -> Result<(), Failure> {
    let question = format!("Sign as {}? Type sign to do it: ", text::line(&sheet.signer.person));
    if secrets::ask(&question)? == "sign" { Ok(()) } else { Err(stopped()) }
}

fn stopped() -> Failure {
    Failure::not_now("stopped before signing").kept("nothing was signed")
}

fn show_preview(preview: &SignPreview, args: &Approve) {
    if args.show_bytes {
        output::note(&format!("These bytes are signed in the namespace {}:", text::line(&preview.namespace)));
        output::note(&preview.payload.lines().map(text::line).collect::<Vec<_>>().join("\n"));
        output::note(&format!("sha256 {}", text::line(&preview.sha256)));
    }
}
