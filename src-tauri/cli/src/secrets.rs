//! Asking a person: passphrases without echo, questions on a terminal. Everything is asked on standard error, so that
//! answers can be piped.

use std::io::{self, BufRead as _, Write as _};

use countersign_api::{commands, dto};

use crate::args::Passphrase;
use crate::failure::Failure;
use crate::output;
use crate::session::Session;

/// The passphrase of the key in use, if it needs one.
pub(crate) async fn of_key_in_use(session: &Session, given: &Passphrase) -> Result<Option<String>, Failure> {
    if given.passphrase_stdin {
        return read_stdin().map(Some);
    }
    let keys = commands::keys(&session.host, dto::Nothing {}).await?;
    let needs_one = keys.keys.iter().find(|key| key.in_use).filter(|key| key.needs_passphrase);
    let Some(key) = needs_one else { return Ok(None) };
    if !output::is_interactive() {
        return Err(Failure::passphrase(format!("the key {} needs its passphrase", key.fingerprint))
            .kept("nothing was signed")
            .hint("give it on standard input with --passphrase-stdin, or add the key to ssh-agent"));
    }
    prompt(&format!("Passphrase of {}: ", key.fingerprint)).map(Some)
}

/// A passphrase for a new key; none when nobody can be asked, or when it is left empty.
pub(crate) fn for_new_key(given: &Passphrase) -> Result<Option<String>, Failure> {
    if given.passphrase_stdin {
        return read_stdin().map(Some);
    }
    if !output::is_interactive() {
        output::note("note: the key gets no passphrase; --passphrase-stdin would set one");
        return Ok(None);
    }
    let first = prompt("Passphrase for the new key (empty for none): ")?;
    if first.is_empty() {
        return Ok(None);
    }
    let again = prompt("The same again: ")?;
    if first != again {
        return Err(Failure::usage("the two passphrases differ").kept("no key was made"));
    }
    Ok(Some(first))
}

fn prompt(words: &str) -> Result<String, Failure> {
    rpassword::prompt_password(words)
        .map_err(|error| Failure::passphrase(format!("failed to ask for the passphrase: {error}")))
}

fn read_stdin() -> Result<String, Failure> {
    let line = read_line()?;
    if line.is_empty() {
        return Err(Failure::usage("there is no passphrase on standard input").kept("nothing was signed"));
    }
    Ok(line)
}

/// One line of standard input, without its end.
fn read_line() -> Result<String, Failure> {
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Failure::usage(format!("failed to read standard input: {error}")))?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

/// Asks a question, whose words have to be safe already, and returns the answer without white space around it.
pub(crate) fn ask(question: &str) -> Result<String, Failure> {
    let mut err = io::stderr().lock();
    // A prompt that cannot be shown is noticed when no answer comes.
    let _ = err.write_all(question.as_bytes()).and_then(|()| err.flush());
    Ok(read_line()?.trim().to_owned())
}
