//! `terraform show -json PLANFILE` (and `tofu show -json`) → the plan model.
//!
//! Every format version from 0.1 to 1.x is read, and plans that state none, in UTF-8 or UTF-16. What is not surely a
//! plan is refused with a distinct [`PlanError`]; a value of the plan never appears in an error.
//!
//! Memory stays within a small multiple of the input: no tree of the whole is ever built. The text is checked once,
//! then sections are cut out of it unparsed, and of a resource only the values that differ are walked. Two bounds keep
//! hostile plans from costing more than they weigh: beyond [`MAX_ATTRIBUTES`] attributes, and for a list or map of more
//! than [`MAX_CHILDREN`] parts, the whole value is given as one attribute; nothing is left out.
//!
//! The rules of the format are in Terraform's `internal/command/jsonplan`, `jsonchecks` and `jsonconfig`.

mod configuration;
mod diff;
mod encoding;
mod raw;
mod view;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use countersign_domain::names::quoted;
use countersign_domain::plan::{
    Action, AttributeValue, CheckResult, CheckStatus, OutputChange, Plan, ReplaceOrder, ResourceChange, ResourceMode,
};
use serde_json::value::RawValue;

use diff::{Budget, Delta};
use raw::{Members, each_element};

pub use view::{CheckView, Importing, OutputView, PlanView, ResourceView};

/// Largest plan that is read, in bytes.
pub const MAX_PLAN_BYTES: u64 = 512 * 1024 * 1024;

/// How deep lists and maps may be nested. Real plans stay below 30.
pub const MAX_NESTING: usize = 120;

/// How many attributes are told apart in one plan.
pub const MAX_ATTRIBUTES: usize = 1_000_000;

/// How many parts of one list or map are told apart.
pub const MAX_CHILDREN: usize = 50_000;

/// The newest major version of the format that is known here.
const NEWEST_MAJOR: u64 = 1;

/// Why a plan was refused. Reads on from "failed to read the plan: ".
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The file could not be read.
    #[error("open {path}: {problem}")]
    Io {
        /// The file, safe to print.
        path: String,
        /// What the system said.
        problem: String,
    },
    /// There is nothing in it.
    #[error("it is empty; write it with `terraform show -json PLANFILE`")]
    Empty,
    /// It is larger than [`MAX_PLAN_BYTES`].
    #[error("it has {bytes} bytes or more, and at most {limit} are read; plan fewer resources at once")]
    TooLarge {
        /// Its size as far as it is known.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// It is neither UTF-8 nor UTF-16.
    #[error("it is not text in UTF-8 or UTF-16; write it with `terraform show -json PLANFILE`")]
    Encoding,
    /// It is no JSON.
    #[error("{found} (line {line}, column {column}); write it with `terraform show -json PLANFILE`")]
    NotJson {
        /// What it seems to be.
        found: &'static str,
        /// The line of the first fault, from 1.
        line: usize,
        /// The column of the first fault, from 1.
        column: usize,
    },
    /// It ends too early.
    #[error("it is cut off at line {line}, column {column}; write it again")]
    Truncated {
        /// The last line.
        line: usize,
        /// The last column.
        column: usize,
    },
    /// Lists and maps are nested deeper than [`MAX_NESTING`].
    #[error("lists and maps are nested deeper than {limit} levels; no real plan is")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// It is JSON, but no plan.
    #[error("it is {found}, not a plan; write one with `terraform plan -out=FILE` and `terraform show -json FILE`")]
    NotAPlan {
        /// What it seems to be.
        found: &'static str,
    },
    /// Its format is newer than what is known here.
    #[error("its format version is {version}, and only 0.x and 1.x are known; update Countersign")]
    NewerFormat {
        /// The version, safe to print.
        version: String,
    },
    /// Its format version is no version.
    #[error("its format version {version} is not of the form MAJOR.MINOR")]
    UnreadableVersion {
        /// The version, safe to print.
        version: String,
    },
    /// A key stands twice, so that two readers could read two different plans.
    #[error("the key {key} stands twice in {place}; the tool never writes that, so do not trust this plan")]
    DuplicateKey {
        /// The key, safe to print.
        key: String,
        /// Where, safe to print.
        place: String,
    },
    /// It asks for an action that is not known here.
    #[error("{place} has the actions [{actions}], which are not known; update Countersign")]
    UnknownAction {
        /// The resource or output, safe to print.
        place: String,
        /// The actions, safe to print.
        actions: String,
    },
    /// A part is not what the format says.
    #[error("{place} is not {expected}, as the format says; write the plan again")]
    WrongShape {
        /// The part, safe to print.
        place: String,
        /// What was expected.
        expected: &'static str,
    },
}

/// Reads a plan from the bytes of its JSON.
///
/// # Errors
/// [`PlanError`] for anything that is not surely a plan.
pub fn read(bytes: &[u8]) -> Result<Plan, PlanError> {
    let text = encoding::decode(bytes)?;
    let document = Document::open(&text)?;
    let mut budget = Budget::new();
    let mut plan = document.head()?;
    document.resources("resource_changes", |resource| {
        plan.resources.push(resource.change(&mut budget)?);
        Ok(())
    })?;
    document.resources("resource_drift", |resource| {
        plan.drift.push(resource.change(&mut budget)?);
        Ok(())
    })?;
    document.outputs(|output| {
        plan.outputs.push(output.change()?);
        Ok(())
    })?;
    Ok(plan)
}

/// Reads a plan from a file; its size is checked before it is read.
///
/// # Errors
/// [`PlanError`], as for [`read`], and [`PlanError::Io`].
pub fn read_file(path: &Path) -> Result<Plan, PlanError> {
    read(&file_bytes(path)?)
}

/// Reads a plan's public view: everything but values. Needs less memory than [`read`], for no value is kept.
///
/// # Errors
/// [`PlanError`], as for [`read`].
pub fn view(bytes: &[u8]) -> Result<PlanView, PlanError> {
    let text = encoding::decode(bytes)?;
    view::of(&Document::open(&text)?)
}

/// Reads the public view of a plan in a file; its size is checked before it is read.
///
/// # Errors
/// [`PlanError`], as for [`read_file`].
pub fn view_file(path: &Path) -> Result<PlanView, PlanError> {
    view(&file_bytes(path)?)
}

fn file_bytes(path: &Path) -> Result<Vec<u8>, PlanError> {
    let failed =
        |error: std::io::Error| PlanError::Io { path: quoted(&path.to_string_lossy()), problem: error.to_string() };
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    if size > MAX_PLAN_BYTES {
        return Err(PlanError::TooLarge { bytes: size, limit: MAX_PLAN_BYTES });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    // A pipe states no size and a file may grow: the limit holds while reading, too.
    file.take(MAX_PLAN_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn wrong(place: impl Into<String>, expected: &'static str) -> PlanError {
    PlanError::WrongShape { place: place.into(), expected }
}

/// A checked plan document: one JSON object, known version, unique keys, bounded nesting.
struct Document<'a> {
    members: Members<'a>,
}

impl<'a> Document<'a> {
    fn open(text: &'a str) -> Result<Self, PlanError> {
        let members = raw::document(text)?;
        let document = Self { members };
        document.check_version()?;
        document.check_kind()?;
        raw::check_nesting(text)?;
        Ok(document)
    }

    fn check_version(&self) -> Result<(), PlanError> {
        let version = self.format_version()?;
        // Some programs that trim plans for tests or display put a word here; a word is read as no version.
        if !version.contains(|c: char| c.is_ascii_digit()) {
            return Ok(());
        }
        let unreadable = || PlanError::UnreadableVersion { version: quoted(&version) };
        let parts: Result<Vec<u64>, _> = version.split('.').map(str::parse).collect();
        let parts = parts.map_err(|_| unreadable())?;
        match parts.first() {
            Some(major) if *major > NEWEST_MAJOR => Err(PlanError::NewerFormat { version: quoted(&version) }),
            Some(_) => Ok(()),
            None => Err(unreadable()),
        }
    }

    fn check_kind(&self) -> Result<(), PlanError> {
        let has = |key: &str| self.members.get(key).is_some();
        let plan_keys = [
            "resource_changes",
            "planned_values",
            "output_changes",
            "resource_drift",
            "configuration",
            "applyable",
            "complete",
            "errored",
            "action_invocations",
        ];
        if plan_keys.into_iter().any(has) {
            return Ok(());
        }
        let found = match () {
            () if has("serial") || has("lineage") => "a state file",
            () if has("values") => "a state",
            () if has("provider_schemas") => "a list of provider schemas",
            () if has("diagnostics") => "the result of a validation",
            () if has("@level") => "a log in JSON lines",
            () if has("terraform_version") && has("platform") => "the answer to a question for the version",
            () if has("format_version") => "an empty state or plan-like JSON without a plan's parts",
            () => "some other JSON",
        };
        Err(PlanError::NotAPlan { found })
    }

    fn format_version(&self) -> Result<String, PlanError> {
        Ok(self.members.text("format_version", "the plan")?.unwrap_or_default())
    }

    fn tool_version(&self) -> Result<Option<String>, PlanError> {
        self.members.text("terraform_version", "the plan")
    }

    /// Everything but resources and outputs.
    fn head(&self) -> Result<Plan, PlanError> {
        let configuration = configuration::read(self.members.get("configuration"))?;
        let mut provisioners = configuration.provisioners;
        provisioners.extend(configuration::invocations(self.members.get("action_invocations"))?);
        Ok(Plan {
            format_version: self.format_version()?,
            tool_version: self.tool_version()?,
            // Plans of versions that do not know the key hold everything.
            complete: self.members.flag("complete", "the plan")?.unwrap_or(true),
            errored: self.members.flag("errored", "the plan")?.unwrap_or(false),
            checks: self.checks()?,
            provisioners,
            providers: configuration.providers,
            ..Plan::default()
        })
    }

    fn resources(
        &self,
        section: &'static str,
        mut take: impl FnMut(Resource<'a>) -> Result<(), PlanError>,
    ) -> Result<(), PlanError> {
        let Some(section_text) = self.members.get(section) else { return Ok(()) };
        each_element(section_text, section, |element| take(Resource::open(element, section)?))
    }

    fn outputs(&self, mut take: impl FnMut(Output<'a>) -> Result<(), PlanError>) -> Result<(), PlanError> {
        let Some(section) = self.members.get("output_changes") else { return Ok(()) };
        for (name, change) in Members::of(section, "output_changes")?.into_iter() {
            take(Output::open(name.into_owned(), change)?)?;
        }
        Ok(())
    }

    fn checks(&self) -> Result<Vec<CheckResult>, PlanError> {
        let mut checks = Vec::new();
        if let Some(section) = self.members.get("checks") {
            each_element(section, "checks", |element| {
                checks.push(check(element)?);
                Ok(())
            })?;
        } else if let Some(section) = self.members.get("condition_results") {
            each_element(section, "condition_results", |element| {
                checks.push(condition_result(element)?);
                Ok(())
            })?;
        }
        Ok(checks)
    }
}

/// One entry of `resource_changes` or `resource_drift`.
struct Resource<'a> {
    change: ResourceChange,
    actions: Vec<String>,
    importing: Option<Importing>,
    delta: Delta<'a>,
}

impl<'a> Resource<'a> {
    fn open(element: &'a RawValue, section: &'static str) -> Result<Self, PlanError> {
        let entry = format!("an entry of {section}");
        let members = Members::of(element, &entry)?;
        let address = members
            .text("address", &entry)?
            .filter(|address| !address.is_empty())
            .ok_or_else(|| wrong(format!("the address of {entry}"), "a text"))?;
        let place = quoted(&address);
        let change = members.get("change").ok_or_else(|| wrong(format!("the change of {place}"), "an object"))?;
        let change = Members::of(change, &place)?;
        let delta = Delta::open(&change, &place)?;
        let actions = change.texts("actions", &place)?;
        let action = classify(&actions, &delta, &place)?;
        let importing = change.get("importing").map(|raw| Importing::open(raw, &place)).transpose()?;
        let mode = match members.text("mode", &place)?.as_deref() {
            Some("data") => ResourceMode::Data,
            _ => ResourceMode::Managed,
        };
        let change = ResourceChange {
            previous_address: members.text("previous_address", &place)?,
            mode,
            resource_type: members.text("type", &place)?.unwrap_or_default(),
            provider: members.text("provider_name", &place)?,
            action,
            importing: importing.as_ref().map(|importing| importing.id.clone().unwrap_or_default()),
            reason: members.text("action_reason", &place)?,
            deposed: members.text("deposed", &place)?,
            attributes: Vec::new(),
            address,
        };
        Ok(Self { change, actions, importing, delta })
    }

    fn change(self, budget: &mut Budget) -> Result<ResourceChange, PlanError> {
        let mut change = self.change;
        change.attributes = self.delta.attributes(change.action, budget)?;
        Ok(change)
    }
}

/// One entry of `output_changes`.
struct Output<'a> {
    name: String,
    actions: Vec<String>,
    action: Action,
    delta: Delta<'a>,
}

impl<'a> Output<'a> {
    fn open(name: String, change: &'a RawValue) -> Result<Self, PlanError> {
        let place = format!("the output {}", quoted(&name));
        let change = Members::of(change, &place)?;
        let delta = Delta::open(&change, &place)?;
        let actions = change.texts("actions", &place)?;
        let action = classify(&actions, &delta, &place)?;
        Ok(Self { name, actions, action, delta })
    }

    fn change(self) -> Result<OutputChange, PlanError> {
        let (before, after): (AttributeValue, AttributeValue) = self.delta.whole();
        Ok(OutputChange { name: self.name, action: self.action, before, after })
    }
}

/// The one action that `words` stand for. The tool writes single words and three pairs; any other combination of known
/// words counts as its most dangerous part, so that nothing is ever shown as less than it is.
fn classify(words: &[String], delta: &Delta<'_>, place: &str) -> Result<Action, PlanError> {
    let known = ["no-op", "create", "read", "update", "delete", "forget"];
    let all_known = words.iter().all(|word| known.contains(&word.as_str()));
    if !all_known || (words.is_empty() && !delta.is_empty()) {
        let shown: Vec<String> = words.iter().take(known.len()).map(|word| quoted(word)).collect();
        return Err(PlanError::UnknownAction { place: place.to_owned(), actions: shown.join(", ") });
    }
    let at = |word: &str| words.iter().position(|w| w == word);
    Ok(match (at("delete"), at("create"), at("forget")) {
        (Some(delete), Some(create), _) if delete < create => Action::Replace(ReplaceOrder::DeleteFirst),
        (Some(_), Some(_), _) => Action::Replace(ReplaceOrder::CreateFirst),
        (Some(_), None, _) => Action::Delete,
        (None, Some(_), Some(_)) => Action::Replace(ReplaceOrder::CreateThenForget),
        (None, None, Some(_)) => Action::Forget,
        (None, _, None) if at("update").is_some() => Action::Update,
        (None, Some(_), None) => Action::Create,
        (None, None, None) if at("read").is_some() => Action::Read,
        (None, None, None) => Action::NoOp,
    })
}

fn check(element: &RawValue) -> Result<CheckResult, PlanError> {
    let place = "an entry of checks";
    let members = Members::of(element, place)?;
    let address = members.get("address").map(|raw| Members::of(raw, place)).transpose()?;
    let address = address.map(|address| address.text("to_display", place)).transpose()?.flatten();
    let mut problems = Vec::new();
    if let Some(instances) = members.get("instances") {
        each_element(instances, place, |instance| instance_problems(instance, place, &mut problems))?;
    }
    let status = check_status(members.text("status", place)?.as_deref());
    Ok(CheckResult { address: address.unwrap_or_default(), status, problems })
}

fn instance_problems(instance: &RawValue, place: &str, into: &mut Vec<String>) -> Result<(), PlanError> {
    let members = Members::of(instance, place)?;
    let Some(problems) = members.get("problems") else { return Ok(()) };
    each_element(problems, place, |problem| {
        into.extend(Members::of(problem, place)?.text("message", place)?);
        Ok(())
    })
}

/// A status that is not known here counts as one that could not be evaluated.
fn check_status(word: Option<&str>) -> CheckStatus {
    match word {
        Some("pass") => CheckStatus::Pass,
        Some("fail") => CheckStatus::Fail,
        Some("unknown") => CheckStatus::Unknown,
        _ => CheckStatus::Error,
    }
}

/// Terraform 1.2 wrote condition results in a flat form, before `checks` took their place.
fn condition_result(element: &RawValue) -> Result<CheckResult, PlanError> {
    let place = "an entry of condition_results";
    let members = Members::of(element, place)?;
    let unknown = members.flag("unknown", place)?.unwrap_or(false);
    let status = match members.flag("result", place)? {
        _ if unknown => CheckStatus::Unknown,
        Some(true) => CheckStatus::Pass,
        Some(false) => CheckStatus::Fail,
        None => CheckStatus::Error,
    };
    let problem = members.text("error_message", place)?.filter(|_| status == CheckStatus::Fail);
    Ok(CheckResult {
        address: members.text("address", place)?.unwrap_or_default(),
        status,
        problems: problem.into_iter().collect(),
    })
}
