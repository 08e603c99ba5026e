//! The words of the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::exit::Exit;

/// Review, sign and apply infrastructure changes.
///
/// What was reviewed is exactly what is applied, and anyone can check it with stock tools.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, propagate_version = true, max_term_width = 100, after_long_help = epilogue())]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

fn epilogue() -> String {
    let examples = "\
Examples:
  countersign demo                              try it all in a world of its own
  countersign clone add ~/infrastructure-live   watch a clone
  countersign queue                             what needs me, and what everything waits for
  countersign change show grow-orders-db        what a change destroys, and what the gate lacks
  countersign approve grow-orders-db            answer the checklist and sign
  countersign gate grow-orders-db && echo open  for scripts and CI";
    let failures = "\
A failure is told in three lines on standard error: what happened, what was kept, what to try. With --json it is \
the object {\"error\":{\"code\",\"message\",\"kept\",\"hint\"}} on standard output.";
    format!("{examples}\n\nExit codes:\n{}\n\n{failures}", Exit::table())
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Print one JSON object, or one a line where a command streams
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Where the record, the settings and the keys are [default: countersign in the user's data directory]
    #[arg(long, global = true, value_name = "DIR", env = "COUNTERSIGN_DATA_DIR", hide_env_values = true, value_hint = ValueHint::DirPath)]
    pub(crate) data_dir: Option<PathBuf>,
    /// Look only at the watched clone in DIR
    #[arg(short = 'C', global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) clone_dir: Option<PathBuf>,
    /// When to use colours; NO_COLOR is respected
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Color::Auto)]
    pub(crate) color: Color,
    /// Say on standard error what is done; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build a demo world and open it, or walk through it without a window
    Demo(Demo),
    /// Say which clones are watched
    #[command(subcommand)]
    Clone(CloneCommand),
    /// List the changes: what needs me first, and what everything waits for
    Queue(Queue),
    /// Show a change
    #[command(subcommand)]
    Change(ChangeCommand),
    /// Plan a change, seal the plans and publish them (deploy runner)
    Plan(Plan),
    /// Answer the checklist and sign an approval of a change's current plans
    Approve(Approve),
    /// Sign a refusal of a change
    Refuse(Refuse),
    /// Take back an approval of one's own
    Revoke(Revoke),
    /// Merge a change whose gate is open, and push the merge
    Merge(Merge),
    /// Say whether a change may be merged and applied, and what is lacking
    Gate(Gate),
    /// Apply the approved plans of a merged change (deploy runner)
    Apply(Apply),
    /// Plan what is proposed and apply what is approved, until stopped (deploy runner)
    Agent(Agent),
    /// Show a plan written by `terraform show -json`
    View(View),
    /// Read and check the record of signed statements
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Choose or make the key that signs
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Serve the window's pages to a browser on this machine
    Serve(Serve),
    /// Print a completion script
    Completions(Completions),
    /// Write man pages
    Man(Man),
}

/// What a read-only command leaves behind when it fails.
const NOTHING_CHANGED: &str = "nothing was changed";
/// What every other one leaves behind.
pub(crate) const RECORD_KEPT: &str = "everything that was recorded before is kept";

impl Command {
    /// What is kept when the command fails and says nothing more exact.
    pub(crate) fn kept(&self) -> &'static str {
        match self {
            Self::Clone(CloneCommand::List)
            | Self::Queue(_)
            | Self::Change(_)
            | Self::Gate(_)
            | Self::View(_)
            | Self::Audit(_)
            | Self::Keys(KeysCommand::List)
            | Self::Completions(_) => NOTHING_CHANGED,
            Self::Demo(_)
            | Self::Clone(_)
            | Self::Plan(_)
            | Self::Approve(_)
            | Self::Refuse(_)
            | Self::Revoke(_)
            | Self::Merge(_)
            | Self::Apply(_)
            | Self::Agent(_)
            | Self::Keys(_)
            | Self::Serve(_)
            | Self::Man(_) => RECORD_KEPT,
        }
    }
}

/// Build a demo world and open it, or walk through it without a window
///
/// The world has two real Git remotes, clones of them, keys for you, a teammate and the deploy runner, nine applied units
/// and five open changes. Everything stays in one directory.
///
/// With --headless, or where there is no display, one harmless and one dangerous change are walked from plan to verified
/// apply through the same engine. With --json each step is {"step","change","ok","detail"} on a line of its own; the last
/// is {"step":"done","ok","cloud"}.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Where the world is built [default: demo in the data directory]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) dir: Option<PathBuf>,
    /// Remove an earlier world first
    #[arg(long)]
    pub(crate) reset: bool,
    /// Open no window
    #[arg(long)]
    pub(crate) headless: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CloneCommand {
    /// Watch a clone, or clone a URL and watch that
    ///
    /// With --json: the clone, as `clone list` has it.
    Add(CloneAdd),
    /// List the watched clones
    ///
    /// With --json: {"clones":[{"id","name","path","kind","remote","trunk","trunkCommit","refreshedAt","repository","you",
    /// "problem"}]}.
    List,
    /// Stop watching a clone; its directory and everything recorded stay
    ///
    /// With --json: {"removed":CLONE}.
    Remove(CloneRemove),
}

#[derive(Debug, Args)]
pub(crate) struct CloneAdd {
    /// A clone's directory, or a URL [default: the directory of -C, else the current one]
    #[arg(value_name = "DIR|URL")]
    pub(crate) source: Option<String>,
    /// What it holds
    #[arg(long, value_enum, default_value_t = Kind::Live)]
    pub(crate) kind: Kind,
    /// Where a URL is cloned to [default: a folder of the data directory]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) into: Option<PathBuf>,
}

/// What a clone holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Configuration of real environments
    Live,
    /// Reusable modules
    Modules,
}

#[derive(Debug, Args)]
pub(crate) struct CloneRemove {
    /// The clone's name, number or directory
    #[arg(value_name = "CLONE")]
    pub(crate) clone: String,
}

/// List the changes: what needs me first, and what everything waits for
///
/// Reads what is on this machine; --fetch asks the remotes first. With --json: {"sections":[{"name","title","changes":[…]}],
/// "needsMe","problems","clones"}.
#[derive(Debug, Args)]
pub(crate) struct Queue {
    /// Fetch first
    #[arg(long)]
    pub(crate) fetch: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ChangeCommand {
    /// Show what a change does, what it destroys and what the gate lacks
    ///
    /// With --json: {"row","description","trunk","base","units","dangers","gate","actions",…}; with --unit the unit's plan
    /// without values; with --log too {"total","from","lines","errorLines"}.
    Show(ChangeShow),
}

#[derive(Debug, Args)]
pub(crate) struct ChangeShow {
    /// The change: its branch name
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Show the decrypted plan of this unit instead
    #[arg(long, value_name = "UNIT")]
    pub(crate) unit: Option<String>,
    /// Show the log of the unit's plan instead
    #[arg(long, requires = "unit")]
    pub(crate) log: bool,
    /// Fetch first
    #[arg(long)]
    pub(crate) fetch: bool,
}

/// Plan a change, seal the plans and publish them (deploy runner)
///
/// Planning runs the change's code with this process's credentials, so the key in use has to be a deploy runner's in the
/// policy on trunk. With --json: {"change","manifest","published","units":[{"unit","planned","counts","noChanges",
/// "deleted"}]}. Exit code 13 when a unit failed to plan; its log is sealed for the reviewers.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// The change: its branch name
    #[arg(value_name = "ID")]
    pub(crate) id: String,
}

/// Answer the checklist and sign an approval of a change's current plans
///
/// Everything that is bound is shown before anything is signed, and exactly the previewed bytes are signed. On a terminal
/// the checklist and the acknowledgements are asked for; elsewhere they are given by options, each by name.
/// With --json: {"statement","published","problem","next"}.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  countersign approve grow-orders-db --answer security=yes --answer data=not-applicable \\\n      --acknowledge prod/orders-db:terraform_data.database"
)]
pub(crate) struct Approve {
    /// The change: its branch name
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// An answer to a question of the checklist: QUESTION=yes or QUESTION=not-applicable
    #[arg(long, value_name = "QUESTION=ANSWER")]
    pub(crate) answer: Vec<String>,
    /// A destroy that is meant, as it is listed
    #[arg(long, value_name = "UNIT:ADDRESS")]
    pub(crate) acknowledge: Vec<String>,
    /// Hours until the approval ceases to count [default: 24, or the policy's most when that is less]
    #[arg(long, value_name = "HOURS")]
    pub(crate) expires_in: Option<u32>,
    /// Sign only if this is still the change's newest commit
    #[arg(long, value_name = "COMMIT")]
    pub(crate) head: Option<String>,
    /// Show the exact bytes that are signed
    #[arg(long)]
    pub(crate) show_bytes: bool,
    #[command(flatten)]
    pub(crate) passphrase: Passphrase,
}

/// Where the key's passphrase comes from.
#[derive(Debug, Args)]
pub(crate) struct Passphrase {
    /// Read the key's passphrase from the first line of standard input
    #[arg(long)]
    pub(crate) passphrase_stdin: bool,
}

/// Sign a refusal of a change
///
/// A refusal of the newest commit closes the gate until the commit changes or the person approves. With --json:
/// {"statement","published","problem","next"}.
#[derive(Debug, Args)]
pub(crate) struct Refuse {
    /// The change: its branch name
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Why; everybody reads it
    #[arg(long, value_name = "REASON")]
    pub(crate) note: String,
    /// Refuse only if this is still the change's newest commit
    #[arg(long, value_name = "COMMIT")]
    pub(crate) head: Option<String>,
    #[command(flatten)]
    pub(crate) passphrase: Passphrase,
}

/// Take back an approval of one's own
///
/// With --json: {"statement","published","problem","next"}.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The approval: its id, or the beginning of it
    #[arg(value_name = "STATEMENT")]
    pub(crate) statement: String,
    /// Why; everybody reads it
    #[arg(long, value_name = "REASON", default_value = "", hide_default_value = true)]
    pub(crate) note: String,
    #[command(flatten)]
    pub(crate) passphrase: Passphrase,
}

/// Merge a change whose gate is open, and push the merge
///
/// With --json: {"commit"}.
#[derive(Debug, Args)]
pub(crate) struct Merge {
    /// The change: its branch name
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Merge only if this is still the change's newest commit
    #[arg(long, value_name = "COMMIT")]
    pub(crate) head: Option<String>,
}

/// Say whether a change may be merged and applied, and what is lacking
///
/// Exit code 0 when the gate is open, 10 when it is closed. With --json: {"verdict":"open|closed","requirements":[{"name",
/// "met","detail","evidence":[{"text","counts","statement"}]}]}.
#[derive(Debug, Args)]
pub(crate) struct Gate {
    /// The change: its branch name
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Fetch first, and judge nothing if that fails
    #[arg(long)]
    pub(crate) fetch: bool,
}

/// Apply the approved plans of a merged change (deploy runner)
///
/// Exactly the sealed plan files are applied, at most once, and only through an open gate. With --json: {"change","ok",
/// "results":[{"unit","outcome","after"}]}. Exit code 12 when a plan no longer fits, 13 when an apply failed.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// The change: its branch name
    #[arg(value_name = "ID")]
    pub(crate) id: String,
}

/// Plan what is proposed and apply what is approved, until stopped (deploy runner)
///
/// An interrupt ends it when the tool that runs has finished. Only one runs in a data directory. With --json each deed is
/// {"step":"plan|apply|interrupted","change","ok","detail"} on a line of its own, and a round that failed is an error
/// object.
#[derive(Debug, Args)]
pub(crate) struct Agent {
    /// Do one round and end; the exit code tells of the first deed that failed
    #[arg(long)]
    pub(crate) once: bool,
    /// Look at least this often, in seconds, when nothing is noticed to have moved
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) every: u64,
}

/// Show a plan written by `terraform show -json`
///
/// Format versions 0.1 to 1.x are read, in UTF-8 or UTF-16; values are never shown. With --json: {"format_version",
/// "terraform_version","counts","resources","outputs","drift","checks","provisioners"}. What is no plan, a newer major
/// version or cut off is refused with exit code 2.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  terraform show -json plan.tfplan | countersign view -")]
pub(crate) struct View {
    /// The file; - is standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List every statement, newest first, verified on the spot
    ///
    /// With --json: {"entries":[{"statement","kind","repository","change","person","fingerprint","issued","text","valid",
    /// "problem"}],"total","invalid"}.
    List(AuditList),
    /// Show a statement's bytes and the command that checks them without this program
    ///
    /// With --json: {"entry","payload","signature","verifyCommand"}.
    Show(AuditShow),
    /// Check the chain of the record and every signature in it
    ///
    /// Exit code 11 when anything does not hold. With --json: {"ok","statements","signaturesValid","lines","firstBad"}.
    Verify,
}

#[derive(Debug, Args)]
pub(crate) struct AuditList {
    /// Only statements with this text in them
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) text: String,
    /// Only statements of this kind, such as approval
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct AuditShow {
    /// The statement: its id, or the beginning of it
    #[arg(value_name = "STATEMENT")]
    pub(crate) statement: String,
    /// Write the signed bytes and the signature into this directory, for ssh-keygen
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) write: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// List the keys that could sign, and this device
    ///
    /// With --json: {"keys":[{"fingerprint","algorithm","comment","home","inUse","needsPassphrase","needsTouch",
    /// "publicKey","persons"}],"agentProblem","deviceRecipient"}.
    List,
    /// Make an ed25519 key in the data directory, and use it if none is in use
    ///
    /// On a terminal a passphrase is asked for. With --json: the key, as `keys list` has it.
    New(KeysNew),
    /// Use this key from now on
    ///
    /// With --json: the key, as `keys list` has it.
    Use(KeysUse),
}

#[derive(Debug, Args)]
pub(crate) struct KeysNew {
    /// The key's file name and comment
    #[arg(value_name = "NAME", default_value = "id_ed25519")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) passphrase: Passphrase,
}

#[derive(Debug, Args)]
pub(crate) struct KeysUse {
    /// The key's fingerprint, or at least six characters of its beginning
    #[arg(value_name = "FINGERPRINT", required_unless_present = "file")]
    pub(crate) fingerprint: Option<String>,
    /// A private key file in another place than those that are looked through
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "fingerprint")]
    pub(crate) file: Option<PathBuf>,
}

/// Serve the window's pages to a browser on this machine
///
/// Listens on 127.0.0.1 only. The address that is printed carries a token without which nothing is answered: keep it to
/// yourself. With --json: {"url","token","port"}.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The port; 0 takes any free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub(crate) port: u16,
    /// Serve the pages of this directory instead of those in the program
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) ui: Option<PathBuf>,
}

/// Print a completion script
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  countersign completions bash > ~/.local/share/bash-completion/completions/countersign"
)]
pub(crate) struct Completions {
    #[arg(value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

/// Write man pages
///
/// With --json: {"written":[FILE]}.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Where to; it is made when it is not there
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) dir: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_words_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }
}
