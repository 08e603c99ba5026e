//! What a directory of configuration says, as far as it says it literally.
//!
//! Nothing is evaluated: a value that is built from references is [`Literal::Dynamic`], and what depends on it is
//! reported as not known. A syntax error is reported with its place and hides neither the rest of its file nor other
//! files. The structure is read with tree-sitter, which refuses no file that the tools accept (measured on 33,888
//! public files; libraries that evaluate HCL refuse some).

mod json;
mod syntax;

use std::collections::BTreeMap;

use countersign_domain::names::UnitPath;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use serde::{Deserialize, Serialize};

use crate::files::{self, Entry, EntryKind, Files, FilesError};

/// How many problems are reported for one file.
const MAX_PROBLEMS: usize = 10;

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The file, from the repository's root.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// Something that could not be read; the rest was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// Where.
    pub position: Position,
    /// What, safe to print.
    pub message: String,
}

impl Problem {
    pub(crate) fn at(position: &Position, message: impl Into<String>) -> Self {
        Self { position: position.clone(), message: message.into() }
    }

    pub(crate) fn of_file(file: &str, message: impl Into<String>) -> Self {
        Self { position: Position { file: file.to_owned(), line: 1, column: 1 }, message: message.into() }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Position { file, line, column } = &self.position;
        write!(f, "{file}:{line}:{column}: {}", self.message)
    }
}

/// A value in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Literal {
    /// A string, escapes resolved.
    Text(String),
    /// A number, `true` or `false`, as written.
    Bare(String),
    /// `null`.
    Null,
    /// An object of such values; of a key that stands twice, the last counts, as in the tools.
    Object(BTreeMap<String, Literal>),
    /// A list of such values.
    List(Vec<Literal>),
    /// Anything that would have to be evaluated, as written.
    Dynamic(String),
}

impl Literal {
    /// The text of a literal string.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// True when nothing in it would have to be evaluated.
    #[must_use]
    pub fn is_known(&self) -> bool {
        match self {
            Self::Dynamic(_) => false,
            Self::Object(members) => members.values().all(Self::is_known),
            Self::List(elements) => elements.iter().all(Self::is_known),
            Self::Text(_) | Self::Bare(_) | Self::Null => true,
        }
    }
}

/// Where a module comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A directory of the same repository (`./…`, `../…`).
    Local(UnitPath),
    /// `./…` or `../…` that leads out of the repository or is no valid path, as written.
    Outside(String),
    /// A registry, Git or other remote address, as written.
    Remote(String),
    /// Built from references, as written.
    Dynamic(String),
    /// The call states none.
    Missing,
}

/// A `module` block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleCall {
    /// The block's label.
    pub name: String,
    /// Where the module comes from.
    pub source: Source,
    /// The version constraint, when stated literally.
    pub version: Option<String>,
    /// Where the block stands.
    pub position: Position,
}

/// Where state is kept, or read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backend {
    /// The backend's type, such as `s3`; of a `cloud` block, `remote`, whose settings it shares.
    pub kind: String,
    /// Its settings; nested blocks are objects.
    pub settings: BTreeMap<String, Literal>,
    /// Where the block stands.
    pub position: Position,
}

/// A `data "terraform_remote_state"` block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteState {
    /// The block's label.
    pub name: String,
    /// The backend's type, when stated literally.
    pub kind: Option<String>,
    /// Its settings; nothing when they are not stated as an object.
    pub config: Option<BTreeMap<String, Literal>>,
    /// The workspace whose state is read, when stated.
    pub workspace: Option<Literal>,
    /// Where the block stands.
    pub position: Position,
}

/// What a path in the configuration is relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathBase {
    /// `${path.module}`: the directory that the code stands in.
    Module,
    /// `${path.root}`, or no base: the unit that is planned, whichever module the code stands in.
    Unit,
}

/// How much a path in the configuration covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathReach {
    /// Exactly what it names.
    Exact,
    /// Anything below it: the rest of the path is built from references.
    Below,
}

/// A file or directory that the configuration names by a literal path: the first argument of `file`, `templatefile` and
/// their kin, or any text that begins with `${path.module}/` or `${path.root}/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PathUse {
    /// What the path is relative to.
    pub base: PathBase,
    /// The path, as written behind the base.
    pub path: String,
    /// How much it covers.
    pub reach: PathReach,
    /// Where it stands.
    pub position: Position,
}

/// What the configuration files of one directory say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryConfig {
    /// The directory.
    pub dir: UnitPath,
    /// Its configuration files, from the repository's root, sorted.
    pub files: Vec<String>,
    /// Module calls.
    pub modules: Vec<ModuleCall>,
    /// The `backend` block.
    pub backend: Option<Backend>,
    /// The `cloud` block.
    pub cloud: Option<Backend>,
    /// Remote states it reads.
    pub remote_states: Vec<RemoteState>,
    /// `terraform.required_version`, each as written.
    pub required_versions: Vec<Literal>,
    /// Whether there is a `provider` block, which usually stands in units only.
    pub configures_providers: bool,
    /// Files and directories it names.
    pub path_uses: Vec<PathUse>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

/// True for the names of files that the tools read in a directory.
#[must_use]
pub fn is_configuration(name: &str) -> bool {
    let ignored = name.starts_with('.') || name.ends_with('~') || (name.starts_with('#') && name.ends_with('#'));
    let known = [".tf", ".tofu", ".tf.json", ".tofu.json"];
    !ignored && known.into_iter().any(|end| name.ends_with(end))
}

/// Reads every configuration file directly in `dir`. Without any, the result has no files.
///
/// # Errors
/// [`FilesError`] when the directory cannot be listed. Files that cannot be read are among the problems.
pub fn read_directory(files: &dyn Files, dir: &UnitPath) -> Result<DirectoryConfig, FilesError> {
    let entries = files.list(dir)?;
    Ok(parse_directory(load_directory(files, dir, &entries)))
}

/// The configuration files of one directory, read and not yet parsed.
pub(crate) struct LoadedDirectory {
    dir: UnitPath,
    files: Vec<(String, Vec<u8>)>,
    problems: Vec<Problem>,
}

impl LoadedDirectory {
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.problems.is_empty()
    }
}

pub(crate) fn load_directory(files: &dyn Files, dir: &UnitPath, entries: &[Entry]) -> LoadedDirectory {
    let mut loaded = LoadedDirectory { dir: dir.clone(), files: Vec::new(), problems: Vec::new() };
    let readable = |entry: &&Entry| matches!(entry.kind, EntryKind::File | EntryKind::Link);
    for entry in entries.iter().filter(readable).filter(|entry| is_configuration(&entry.name)) {
        let path = files::join(dir, &entry.name);
        match files::read_entry(files, dir, entry) {
            Ok(bytes) => loaded.files.push((path, bytes)),
            Err(error) => loaded.problems.push(Problem::of_file(&path, format!("failed to {error}"))),
        }
    }
    loaded
}

pub(crate) fn parse_directory(loaded: LoadedDirectory) -> DirectoryConfig {
    let parsed: Vec<(String, Parsed)> = loaded
        .files
        .into_par_iter()
        .map(|(path, bytes)| {
            let parsed = parse_file(&path, &bytes);
            (path, parsed)
        })
        .collect();
    let mut config = DirectoryConfig {
        dir: loaded.dir,
        files: Vec::new(),
        modules: Vec::new(),
        backend: None,
        cloud: None,
        remote_states: Vec::new(),
        required_versions: Vec::new(),
        configures_providers: false,
        path_uses: Vec::new(),
        problems: loaded.problems,
    };
    // The tools read override files last; of two backends the last one counts.
    let (overrides, ordinary): (Vec<_>, Vec<_>) = parsed.into_iter().partition(|(path, _)| is_override(path));
    for (path, parsed) in ordinary.into_iter().chain(overrides) {
        config.files.push(path);
        config.path_uses.extend(parsed.path_uses);
        config.problems.extend(parsed.problems);
        for block in parsed.blocks {
            config.add(block);
        }
    }
    config.files.sort();
    config
}

fn is_override(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.split(".t").next().unwrap_or(name);
    stem == "override" || stem.ends_with("_override")
}

fn parse_file(path: &str, bytes: &[u8]) -> Parsed {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = String::from_utf8_lossy(bytes);
    let mut parsed = if path.ends_with(".json") { json::parse(path, &text) } else { syntax::parse(path, &text) };
    if matches!(text, std::borrow::Cow::Owned(_)) {
        parsed.problems.push(Problem::of_file(path, "is not UTF-8; save it as UTF-8"));
    }
    parsed
}

/// What one file holds, whichever syntax it is written in.
#[derive(Debug, Default)]
struct Parsed {
    /// Top-level blocks that matter here.
    blocks: Vec<Block>,
    path_uses: Vec<PathUse>,
    problems: Vec<Problem>,
}

/// A block, reduced to literals.
#[derive(Debug)]
struct Block {
    kind: String,
    labels: Vec<String>,
    attributes: BTreeMap<String, Literal>,
    blocks: Vec<Block>,
    position: Position,
}

impl Block {
    /// Whether anything in such a block matters here.
    fn matters(kind: &str, labels: &[String]) -> bool {
        match kind {
            "terraform" | "module" | "provider" => true,
            "data" => labels.first().is_some_and(|label| label == "terraform_remote_state"),
            _ => false,
        }
    }

    /// Attributes and nested blocks as one map.
    fn into_settings(self) -> BTreeMap<String, Literal> {
        let mut settings = self.attributes;
        for block in self.blocks {
            settings.insert(block.kind.clone(), Literal::Object(block.into_settings()));
        }
        settings
    }
}

impl DirectoryConfig {
    fn add(&mut self, block: Block) {
        match block.kind.as_str() {
            "terraform" => self.add_terraform(block),
            "module" => self.add_module(block),
            "provider" => self.configures_providers = true,
            "data" => self.add_remote_state(block),
            _ => {}
        }
    }

    fn add_terraform(&mut self, block: Block) {
        let mut attributes = block.attributes;
        self.required_versions.extend(attributes.remove("required_version"));
        for inner in block.blocks {
            let position = inner.position.clone();
            match (inner.kind.as_str(), inner.labels.first().cloned()) {
                ("backend", Some(kind)) => {
                    self.backend = Some(Backend { kind, settings: inner.into_settings(), position });
                }
                ("cloud", _) => {
                    let kind = "remote".to_owned();
                    self.cloud = Some(Backend { kind, settings: inner.into_settings(), position });
                }
                _ => {}
            }
        }
    }

    fn add_module(&mut self, block: Block) {
        let source = match block.attributes.get("source") {
            None => Source::Missing,
            Some(Literal::Text(text)) => module_source(&self.dir, text),
            Some(Literal::Dynamic(text)) => Source::Dynamic(text.clone()),
            Some(_) => Source::Dynamic("a value that is no text".to_owned()),
        };
        let version = block.attributes.get("version").and_then(Literal::text).map(str::to_owned);
        let name = block.labels.into_iter().next().unwrap_or_default();
        self.modules.push(ModuleCall { name, source, version, position: block.position });
    }

    fn add_remote_state(&mut self, block: Block) {
        let mut attributes = block.attributes;
        let kind = attributes.remove("backend").and_then(|kind| kind.text().map(str::to_owned));
        let config = match attributes.remove("config") {
            Some(Literal::Object(members)) => Some(members),
            None => Some(BTreeMap::new()),
            Some(_) => None,
        };
        self.remote_states.push(RemoteState {
            name: block.labels.into_iter().nth(1).unwrap_or_default(),
            kind,
            config,
            workspace: attributes.remove("workspace"),
            position: block.position,
        });
    }

    /// The `cloud` block or the `backend` block; a configuration may hold one of them only.
    #[must_use]
    pub fn state_place(&self) -> Option<&Backend> {
        self.cloud.as_ref().or(self.backend.as_ref())
    }
}

/// The tools take a source for local exactly when it begins with `./` or `../`
/// (Terraform's `internal/addrs/module_source.go`).
fn module_source(dir: &UnitPath, text: &str) -> Source {
    if !text.starts_with("./") && !text.starts_with("../") {
        return Source::Remote(text.to_owned());
    }
    let path = files::resolve(dir, text).and_then(|path| UnitPath::new(path).ok());
    path.map_or_else(|| Source::Outside(text.to_owned()), Source::Local)
}

/// Resolves the escapes of a quoted string; nothing when one is broken or when the string holds `${` or `%{`.
/// JSON strings arrive with their own escapes already resolved and have only the doubled markers.
fn unescape(text: &str, backslashes: Backslashes) -> Option<String> {
    let mut result = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if backslashes == Backslashes::Escape => result.push(escaped(&mut chars)?),
            '$' | '%' if chars.peek() == Some(&'{') => return None,
            '$' | '%' if chars.peek() == Some(&c) => {
                chars.next();
                result.push(c);
                // Only before a brace is the doubled marker an escape.
                if chars.peek() != Some(&'{') {
                    result.push(c);
                }
            }
            _ => result.push(c),
        }
    }
    Some(result)
}

/// What a backslash means in a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Backslashes {
    Escape,
    Literal,
}

fn escaped(chars: &mut impl Iterator<Item = char>) -> Option<char> {
    match chars.next()? {
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        c @ ('"' | '\\') => Some(c),
        'u' => code_point(chars, 4),
        'U' => code_point(chars, 8),
        _ => None,
    }
}

fn code_point(chars: &mut impl Iterator<Item = char>, digits: usize) -> Option<char> {
    let mut value = 0_u32;
    for _ in 0..digits {
        value = value.checked_mul(16)?.checked_add(chars.next()?.to_digit(16)?)?;
    }
    char::from_u32(value)
}

/// A text that begins with `${path.module}/` or `${path.root}/`, split into base and the rest up to where it ceases to
/// be literal.
fn path_use(inner: &str, backslashes: Backslashes) -> Option<(PathBase, String, PathReach)> {
    let (reference, rest) = inner.strip_prefix("${")?.split_once('}')?;
    let base = match reference.trim() {
        "path.module" => PathBase::Module,
        "path.root" => PathBase::Unit,
        _ => return None,
    };
    let rest = rest.strip_prefix('/')?;
    if let Some(path) = unescape(rest, backslashes) {
        return Some((base, path, PathReach::Exact));
    }
    let literal = rest.find(['$', '%']).map_or(rest, |end| &rest[..end]);
    let directory = literal.rfind('/').map_or("", |end| &literal[..end]);
    Some((base, unescape(directory, backslashes)?, PathReach::Below))
}
