//! `keys list|new|use`.

use countersign_api::{commands, dto};

use super::answer;
use crate::args::{KeysNew, KeysUse};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::secrets;
use crate::session::Session;
use crate::text::{self, Cell, Look, Paint, cell};

pub(crate) async fn list(session: &Session, output: &mut Output) -> Result<Exit, Failure> {
    let keys = commands::keys(&session.host, dto::Nothing {}).await?;
    answer(output, &keys, in_words)
}

fn in_words(keys: &dto::Keys, paint: Paint) -> String {
    let mut out = String::new();
    if keys.keys.is_empty() {
        out.push_str("No key is here yet: make one with `countersign keys new`.\n");
    }
    let rows: Vec<Vec<Cell>> = keys.keys.iter().map(row).collect();
    out.push_str(&text::rows(paint, 0, &rows));
    if let Some(problem) = &keys.agent_problem {
        out.push_str(&format!("{}\n", paint.paint(Look::Dim, &text::line(problem))));
    }
    out.push_str(&format!("This device reads plans sealed to {}\n", text::line(&keys.device_recipient)));
    out
}

fn row(key: &dto::KeyInfo) -> Vec<Cell> {
    let persons = if key.persons.is_empty() { "nobody's yet".to_owned() } else { key.persons.join(", ") };
    vec![
        cell(if key.in_use { "in use" } else { "" }).look(Look::Good),
        cell(&key.fingerprint).look(Look::Bold),
        cell(&key.algorithm),
        cell(&key.comment),
        cell(persons),
        cell(&key.home).look(Look::Dim),
    ]
}

pub(crate) async fn new(session: &Session, args: &KeysNew, output: &mut Output) -> Result<Exit, Failure> {
    let passphrase = secrets::for_new_key(&args.passphrase)?;
    let key = commands::key_new(&session.host, dto::NewKey { name: args.name.clone(), passphrase }).await?;
    answer(output, &key, |key, _| {
        let made = format!("made {} in {}\n", text::line(&key.fingerprint), text::line(&key.home));
        let line = format!("YOUR-NAME namespaces=\"*@countersign\" {}", text::line(&key.public_key));
        format!("{made}For it to count, a change has to add this line to allowed_signers on trunk:\n  {line}\n")
    })
}

pub(crate) async fn choose(session: &Session, args: &KeysUse, output: &mut Output) -> Result<Exit, Failure> {
    let fingerprint = match (&args.file, &args.fingerprint) {
        (Some(file), _) => {
            let file = std::path::absolute(file)
                .map_err(|error| Failure::usage(format!("failed to find the key: {error}")))?;
            session.engine().use_key_file(&file).await?.public.fingerprint().to_string()
        }
        (None, Some(fingerprint)) => fingerprint.clone(),
        (None, None) => return Err(Failure::usage("name a fingerprint or a file")),
    };
    commands::key_use(&session.host, dto::KeyRef { fingerprint }).await?;
    let keys = commands::keys(&session.host, dto::Nothing {}).await?;
    let key = keys.keys.into_iter().find(|key| key.in_use);
    let key = key.ok_or_else(|| Failure::bug("a key was chosen and none is in use"))?;
    answer(output, &key, |key, paint| text::rows(paint, 0, &[row(key)]))
}
