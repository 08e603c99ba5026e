//! The demo world: two Git remotes, clones of them, keys, a policy, nine applied units and five open changes.
//!
//! Nothing in it is simulated that can be real: the remotes are bare Git repositories, the keys are OpenSSH keys, and
//! trunk was applied by the real tool. Every resource is a `terraform_data` that writes and removes a file below
//! [`World::cloud`], so that what an apply did can be seen.
//!
//! ```text
//! <dir>/world.json                          written last: a directory with it holds a whole world
//!       remotes/infrastructure-{modules,live}.git
//!       clones/{you,ana,runner}/infrastructure-live, clones/you/infrastructure-modules
//!       data/{you,ana,runner}/keys/id_ed25519
//!       secrets/<environment>.json          what units read; generated, and in no repository
//!       state/<environment>/<unit>.tfstate
//!       cloud/<environment>/<unit>/…        the "cloud"
//! ```
//!
//! Paths of the directory are written into the configuration, so a world cannot be moved. Everything here blocks.

mod content;
mod marker;
mod paths;
mod repository;
mod trunk;

use std::io;
use std::path::{Path, PathBuf};

use countersign_domain::names::{NameError, PersonId};
use countersign_domain::statement::StatementKind;
use countersign_seal::allowed_signers::AllowedSigners;
use countersign_seal::keys::{KeyError, SigningKey};

use self::content::Author;
use self::paths::Places;
use self::repository::WorkTree;

/// The branches of the five open changes, which are their change ids too.
#[derive(Debug, Clone, Copy)]
pub struct DemoChange;

impl DemoChange {
    /// A third replica for `stage/web`: one update and one create.
    pub const STAGE_WEB_REPLICAS: &'static str = "stage-web-replicas";
    /// Replaces the production orders database among fifty updates in place.
    pub const GROW_ORDERS_DB: &'static str = "grow-orders-db";
    /// Edits the policy so that its author could approve, beside a small change of `dev/web`.
    pub const LET_AUTHORS_APPROVE: &'static str = "let-authors-approve";
    /// Comments only, in `dev/network`: nothing to apply.
    pub const TIDY_COMMENTS: &'static str = "tidy-comments";
    /// `stage/network` refers to a variable that nobody declares: the plan fails.
    pub const BROKEN_NETWORK: &'static str = "broken-network";
    /// All five.
    pub const ALL: [&'static str; 5] = [
        Self::STAGE_WEB_REPLICAS,
        Self::GROW_ORDERS_DB,
        Self::LET_AUTHORS_APPROVE,
        Self::TIDY_COMMENTS,
        Self::BROKEN_NETWORK,
    ];
}

/// A whole demo world. All paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World {
    /// Where it is, links resolved.
    pub dir: PathBuf,
    /// The files that stand for what is deployed: `<environment>/<unit>/…`.
    pub cloud: PathBuf,
    /// The bare remote of infrastructure-modules.
    pub modules_remote: PathBuf,
    /// The bare remote of infrastructure-live.
    pub live_remote: PathBuf,
    /// Who sits in front of the window: reviewer and security.
    pub you: Seat,
    /// Ana, who reviews too.
    pub teammate: Seat,
    /// The deploy runner.
    pub runner: Seat,
}

/// One participant's own machine, so to speak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// The name in the policy and in `allowed_signers`: `you`, `ana` or `runner`.
    pub person: PersonId,
    /// The data directory, readable by its owner only.
    pub data_dir: PathBuf,
    /// The clone of infrastructure-live.
    pub live_clone: PathBuf,
    /// The clone of infrastructure-modules; only you have one.
    pub modules_clone: Option<PathBuf>,
    /// The private key, an OpenSSH file without a passphrase.
    pub key: PathBuf,
}

/// Why there is no demo world.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The directory holds other things.
    #[error("{} is not empty and holds no demo world; nothing in it was touched; choose another directory", .0.display())]
    Occupied(PathBuf),
    /// A build was stopped, or is running in another process.
    #[error("the demo world in {} was never finished; if nothing is building it now, begin anew with --reset", .0.display())]
    HalfBuilt(PathBuf),
    /// The world was moved or copied.
    #[error(
        "the demo world in {} was built in {built_in} and cannot be moved; move it back, or begin anew with --reset",
        .dir.display()
    )]
    Moved {
        /// Where it is.
        dir: PathBuf,
        /// Where it was built.
        built_in: String,
    },
    /// `world.json` is of another version, or no longer what was written.
    #[error("{} was not written by this version of the program: {problem}; begin anew with --reset", .path.display())]
    Marker {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A part of it is gone.
    #[error("the demo world lost {}; begin anew with --reset", .0.display())]
    Incomplete(PathBuf),
    /// The path cannot be written into configuration files.
    #[error("{} is not valid UTF-8 and cannot be written into configuration files; choose another directory", .0.display())]
    NotText(PathBuf),
    /// Files could not be read or written.
    #[error("failed to {action} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// A program that is needed is not there.
    #[error("the program {} was not found; install it or put it on PATH", .0.display())]
    NoProgram(PathBuf),
    /// Git refused.
    #[error("git failed to {action}: {log}")]
    Git {
        /// What was tried.
        action: &'static str,
        /// The end of what it said.
        log: String,
    },
    /// The tool refused.
    #[error("failed to {action} {unit} with {}:\n{log}", .tool.display())]
    Tool {
        /// `initialise` or `apply`.
        action: &'static str,
        /// The unit.
        unit: &'static str,
        /// The program.
        tool: PathBuf,
        /// The end of what it said.
        log: String,
    },
    /// A key could not be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A name of ours is not valid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes: {0}")]
    NoRandomness(getrandom::Error),
    /// A change does not fit the files it edits.
    #[error("the change {branch} does not fit {path}; this is a fault of the program")]
    Misfit {
        /// The change.
        branch: &'static str,
        /// The file.
        path: &'static str,
    },
}

impl WorldError {
    /// For `map_err` on file operations.
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// Builds a world in `dir`, which has to be empty or missing, and tells `progress` what it is doing. `tool` is the
/// `terraform` or `tofu` program that trunk is applied with. When it fails, what was built is removed again.
///
/// # Errors
/// [`WorldError::Occupied`] and [`WorldError::HalfBuilt`] when the directory cannot be used, the others when a step
/// failed.
pub fn build(dir: &Path, tool: &Path, progress: &mut dyn FnMut(&str)) -> Result<World, WorldError> {
    let dir = marker::claim(dir)?;
    let built = Places::new(&dir).and_then(|places| fill(&places, tool, progress));
    if built.is_err() {
        // The first error says more; a directory that could not be cleared is still recognised as half-built.
        reset(&dir).ok();
    }
    built
}

/// The world in `dir`; nothing when there is none.
///
/// # Errors
/// [`WorldError::HalfBuilt`], [`WorldError::Moved`], [`WorldError::Marker`] and [`WorldError::Incomplete`] when there is
/// one that cannot be used.
pub fn open(dir: &Path) -> Result<Option<World>, WorldError> {
    let Some(dir) = marker::find(dir)? else { return Ok(None) };
    let world = world(&Places::new(&dir)?)?;
    let seats = [&world.you, &world.teammate, &world.runner];
    let parts = seats.iter().flat_map(|seat| [&seat.live_clone, &seat.key]);
    let parts = parts.chain([&world.modules_remote, &world.live_remote, &world.cloud]);
    for part in parts {
        if !part.exists() {
            return Err(WorldError::Incomplete(part.clone()));
        }
    }
    Ok(Some(world))
}

/// Removes the world in `dir`, finished or not, and `dir` itself if nothing else is in it. Files that are not the
/// world's are left alone. No directory, or an empty one, is fine.
///
/// # Errors
/// [`WorldError::Occupied`] when the directory is not empty and holds no world; nothing was touched then.
pub fn reset(dir: &Path) -> Result<(), WorldError> {
    marker::remove(dir)
}

fn fill(places: &Places, tool: &Path, progress: &mut dyn FnMut(&str)) -> Result<World, WorldError> {
    let world = world(places)?;
    progress("making keys and secrets");
    let signers = make_keys(&world)?;
    write_secrets(places)?;
    progress("writing infrastructure-modules with its releases");
    write_modules(places)?;
    progress("writing infrastructure-live");
    let live = write_live(places, &signers)?;
    trunk::apply(places, live.dir(), tool, progress)?;
    progress("proposing five changes");
    propose(&live)?;
    progress("cloning");
    for seat in [&world.you, &world.teammate, &world.runner] {
        clone_for(seat, places)?;
    }
    marker::finish(places.dir())?;
    Ok(world)
}

fn world(places: &Places) -> Result<World, WorldError> {
    Ok(World {
        dir: places.dir().to_owned(),
        cloud: places.cloud(),
        modules_remote: places.remote("infrastructure-modules"),
        live_remote: places.remote("infrastructure-live"),
        you: seat(places, Author::You)?,
        teammate: seat(places, Author::Ana)?,
        runner: seat(places, Author::Runner)?,
    })
}

fn seat(places: &Places, who: Author) -> Result<Seat, WorldError> {
    let clones = places.dir().join("clones").join(who.id());
    let data_dir = places.dir().join("data").join(who.id());
    Ok(Seat {
        person: PersonId::new(who.id())?,
        live_clone: clones.join("infrastructure-live"),
        modules_clone: (who == Author::You).then(|| clones.join("infrastructure-modules")),
        key: data_dir.join("keys").join("id_ed25519"),
        data_dir,
    })
}

/// Makes a key for every seat and gives the text of `allowed_signers`: persons decide, the runner plans and applies.
fn make_keys(world: &World) -> Result<String, WorldError> {
    use StatementKind::{Apply, Approval, Consumption, Device, Plan, Rejection, Revocation};
    let persons = [Device, Approval, Rejection, Revocation];
    let runner = [Device, Plan, Consumption, Apply];
    let mut text = "# Whose key is whose, and what it may sign. It counts as it stands on trunk.\n".to_owned();
    for (seat, kinds) in [(&world.you, persons), (&world.teammate, persons), (&world.runner, runner)] {
        paths::create_private_dir(&seat.data_dir)?;
        paths::create_private_dir(&seat.data_dir.join("keys"))?;
        let key = SigningKey::generate(&seat.key, &format!("{}@demo.invalid", seat.person), None)?;
        text.push_str(&AllowedSigners::line(&seat.person, key.public(), &kinds));
        text.push('\n');
    }
    Ok(text)
}

fn write_secrets(places: &Places) -> Result<(), WorldError> {
    let secrets = places.secrets();
    paths::create_private_dir(&secrets)?;
    for environment in content::ENVIRONMENTS {
        let text = format!(
            "{{\n  \"transit_key\": \"{}\",\n  \"orders_password\": \"{}\",\n  \"web_api_token\": \"{}\"\n}}\n",
            random_text()?,
            random_text()?,
            random_text()?
        );
        paths::create_private_file(&secrets.join(format!("{environment}.json")), &text)?;
    }
    Ok(())
}

fn random_text() -> Result<String, WorldError> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(WorldError::NoRandomness)?;
    Ok(hex::encode(bits))
}

fn write_modules(places: &Places) -> Result<(), WorldError> {
    let tree = WorkTree::of_new_remote(places, "infrastructure-modules")?;
    for step in content::MODULES {
        for file in step.files {
            tree.write(file.path, file.text)?;
        }
        tree.commit(step.author, step.minutes_ago, step.message)?;
        if let Some(release) = &step.release {
            tree.tag(step.author, step.minutes_ago, release.tag, release.message)?;
        }
    }
    tree.push(&["main", "--tags"])
}

fn write_live(places: &Places, signers: &str) -> Result<WorkTree, WorldError> {
    let tree = WorkTree::of_new_remote(places, "infrastructure-live")?;
    tree.write("allowed_signers", signers)?;
    for step in content::LIVE {
        for file in step.files {
            tree.write(file.path, &places.fill_in(file.text)?)?;
        }
        tree.commit(step.author, step.minutes_ago, step.message)?;
    }
    tree.push(&["main"])?;
    Ok(tree)
}

fn propose(live: &WorkTree) -> Result<(), WorldError> {
    for proposal in content::PROPOSALS {
        live.branch_off_main(proposal.branch)?;
        for commit in proposal.commits {
            for edit in commit.edits {
                edit_file(live, proposal.branch, edit)?;
            }
            live.commit(Author::Mira, commit.minutes_ago, commit.message)?;
        }
    }
    live.push(&DemoChange::ALL)
}

fn edit_file(live: &WorkTree, branch: &'static str, edit: &content::Edit) -> Result<(), WorldError> {
    let text = live.read(edit.path)?;
    if text.matches(edit.from).count() != 1 {
        return Err(WorldError::Misfit { branch, path: edit.path });
    }
    live.write(edit.path, &text.replacen(edit.from, edit.to, 1))
}

fn clone_for(seat: &Seat, places: &Places) -> Result<(), WorldError> {
    let who = Author::ALL.into_iter().find(|author| author.id() == seat.person.as_str()).unwrap_or(Author::You);
    repository::clone(places, "infrastructure-live", &seat.live_clone, who)?;
    match &seat.modules_clone {
        Some(clone) => repository::clone(places, "infrastructure-modules", clone, who),
        None => Ok(()),
    }
}
