//! A plan without its values, as `countersign view FILE --json` prints it.

use countersign_domain::plan::{CheckResult, CheckStatus, Counts, Provisioner};
use serde::Serialize;
use serde_json::value::RawValue;

use super::diff::Budget;
use super::raw::Members;
use super::{Document, Output, PlanError, Resource};

/// A plan without values. Field names and shapes are a documented interface: people and CI read them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanView {
    /// The plan JSON's version; empty when it states none.
    pub format_version: String,
    /// The version of the tool that made it, when stated.
    pub terraform_version: Option<String>,
    /// How many of each action.
    pub counts: Counts,
    /// Every resource, in the plan's order.
    pub resources: Vec<ResourceView>,
    /// Output values.
    pub outputs: Vec<OutputView>,
    /// What changed outside the tool.
    pub drift: Vec<ResourceView>,
    /// Results of checks.
    pub checks: Vec<CheckView>,
    /// Provisioners in the configuration.
    pub provisioners: Vec<Provisioner>,
}

/// A resource without values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResourceView {
    /// The address, module path and index included.
    pub address: String,
    /// The actions as the tool writes them, such as `["delete","create"]`.
    pub actions: Vec<String>,
    /// The address before a move.
    pub previous_address: Option<String>,
    /// What it is imported by.
    pub importing: Option<Importing>,
    /// The tool's reason for the action.
    pub reason: Option<String>,
    /// True when any part is marked sensitive, before or after.
    pub sensitive: bool,
    /// The marked parts, sorted; the empty path is the whole.
    pub sensitive_paths: Vec<String>,
}

/// What an object is imported by.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Importing {
    /// The id, when it is imported by id and the id is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// True when it is imported by identity; the identity is made of values and is not shown.
    #[serde(skip_serializing_if = "is_false")]
    pub identity: bool,
    /// True when the id is known only after apply.
    #[serde(skip_serializing_if = "is_false")]
    pub unknown: bool,
}

/// An output without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutputView {
    /// The name.
    pub name: String,
    /// The actions as the tool writes them.
    pub actions: Vec<String>,
    /// True when any part is marked sensitive, before or after.
    pub sensitive: bool,
}

/// A check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckView {
    /// What was checked.
    pub address: String,
    /// How it stands.
    pub status: CheckStatus,
    /// What the tool said of its failures.
    pub problems: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Importing {
    pub(super) fn open(raw: &RawValue, place: &str) -> Result<Self, PlanError> {
        let members = Members::of(raw, place)?;
        Ok(Self {
            id: members.text("id", place)?,
            identity: members.get("identity").is_some(),
            unknown: members.flag("unknown", place)?.unwrap_or(false),
        })
    }
}

pub(super) fn of(document: &Document<'_>) -> Result<PlanView, PlanError> {
    let head = document.head()?;
    let mut budget = Budget::new();
    let mut counts = Counts::default();
    let mut resources = Vec::new();
    document.resources("resource_changes", |resource| {
        counts = counts.plus(Counts::of(std::slice::from_ref(&resource.change)));
        resources.push(resource_view(resource, &mut budget)?);
        Ok(())
    })?;
    let mut drift = Vec::new();
    document.resources("resource_drift", |resource| {
        drift.push(resource_view(resource, &mut budget)?);
        Ok(())
    })?;
    let mut outputs = Vec::new();
    document.outputs(|output| {
        outputs.push(output_view(output, &mut budget)?);
        Ok(())
    })?;
    Ok(PlanView {
        format_version: head.format_version,
        terraform_version: head.tool_version,
        counts,
        resources,
        outputs,
        drift,
        checks: head.checks.into_iter().map(check_view).collect(),
        provisioners: head.provisioners,
    })
}

fn resource_view(resource: Resource<'_>, budget: &mut Budget) -> Result<ResourceView, PlanError> {
    let sensitive_paths = resource.delta.sensitive_paths(budget)?;
    Ok(ResourceView {
        address: resource.change.address,
        actions: resource.actions,
        previous_address: resource.change.previous_address,
        importing: resource.importing,
        reason: resource.change.reason,
        sensitive: !sensitive_paths.is_empty(),
        sensitive_paths,
    })
}

fn output_view(output: Output<'_>, budget: &mut Budget) -> Result<OutputView, PlanError> {
    let sensitive = !output.delta.sensitive_paths(budget)?.is_empty();
    Ok(OutputView { name: output.name, actions: output.actions, sensitive })
}

fn check_view(check: CheckResult) -> CheckView {
    CheckView { address: check.address, status: check.status, problems: check.problems }
}
