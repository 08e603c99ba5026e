//! What a dry run says it would do: one model for every tool, danger first.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A plan as people read it. What is applied is the tool's own plan file, bound to this by the commitment over the plan
/// JSON both came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The plan JSON's own version, such as `1.2`; empty in the oldest plans, which state none.
    pub format_version: String,
    /// The version of the tool that made it, when it says so.
    pub tool_version: Option<String>,
    /// False when the tool says that parts were left out, as with `-target`.
    pub complete: bool,
    /// True when the tool says that planning failed part of the way.
    pub errored: bool,
    /// Every resource the plan speaks of, in the plan's own order.
    pub resources: Vec<ResourceChange>,
    /// What changed outside the tool since the last apply.
    pub drift: Vec<ResourceChange>,
    /// Output values.
    pub outputs: Vec<OutputChange>,
    /// Results of `check` blocks, conditions and validations.
    pub checks: Vec<CheckResult>,
    /// Provisioners that the configuration holds: programs that run on apply and show in no resource.
    pub provisioners: Vec<Provisioner>,
    /// Providers that the configuration names.
    pub providers: Vec<ProviderUse>,
}

/// What happens to one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Destroyed and created anew, in the order given.
    Replace(ReplaceOrder),
    /// Destroyed.
    Delete,
    /// No longer managed; the real object stays.
    Forget,
    /// Changed in place.
    Update,
    /// Created.
    Create,
    /// Read (a data source).
    Read,
    /// Left as it is.
    NoOp,
}

/// Which half of a replacement comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplaceOrder {
    /// The old object goes before the new one exists (`-/+`).
    DeleteFirst,
    /// The new object exists before the old one goes (`+/-`).
    CreateFirst,
    /// A new object is created and the old one is forgotten, not destroyed.
    CreateThenForget,
}

impl Action {
    /// Destroys a real object.
    #[must_use]
    pub fn destroys(self) -> bool {
        matches!(self, Self::Delete | Self::Replace(ReplaceOrder::DeleteFirst | ReplaceOrder::CreateFirst))
    }

    /// Needs a reviewer's eye before anything else: destroys, replaces or loses track of an object.
    #[must_use]
    pub fn is_dangerous(self) -> bool {
        matches!(self, Self::Delete | Self::Replace(_) | Self::Forget)
    }

    /// The tool's own sign, as in its log.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Replace(ReplaceOrder::DeleteFirst) => "-/+",
            Self::Replace(ReplaceOrder::CreateFirst) => "+/-",
            Self::Replace(ReplaceOrder::CreateThenForget) => "+/.",
            Self::Delete => "-",
            Self::Forget => ".",
            Self::Update => "~",
            Self::Create => "+",
            Self::Read => "<=",
            Self::NoOp => " ",
        }
    }

    /// Where the action stands in a list that puts danger first; 0 is first.
    #[must_use]
    pub fn danger_rank(self) -> u8 {
        match self {
            Self::Delete => 0,
            Self::Replace(_) => 1,
            Self::Forget => 2,
            Self::Update => 3,
            Self::Create => 4,
            Self::Read => 5,
            Self::NoOp => 6,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Replace(_) => "replace",
            Self::Delete => "delete",
            Self::Forget => "forget",
            Self::Update => "update",
            Self::Create => "create",
            Self::Read => "read",
            Self::NoOp => "no-op",
        })
    }
}

/// Whether a resource is managed or only read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceMode {
    /// A `resource` block.
    Managed,
    /// A `data` block.
    Data,
}

/// One resource of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceChange {
    /// The full address, module path and index included.
    pub address: String,
    /// The address before a `moved` block took effect.
    pub previous_address: Option<String>,
    /// Managed or data.
    pub mode: ResourceMode,
    /// The resource type, such as `aws_db_instance`.
    pub resource_type: String,
    /// The provider's source address, when stated.
    pub provider: Option<String>,
    /// What happens.
    pub action: Action,
    /// The id an existing object is imported by; empty when the tool does not know it yet.
    pub importing: Option<String>,
    /// The tool's reason for the action, such as `replace_because_cannot_update`.
    pub reason: Option<String>,
    /// Set for an object left over from a create-before-destroy replacement that was cut off.
    pub deposed: Option<String>,
    /// Attributes that change (all set ones for create and delete), by path.
    pub attributes: Vec<AttributeChange>,
}

impl ResourceChange {
    /// True when any changed attribute is marked sensitive on either side.
    #[must_use]
    pub fn has_sensitive(&self) -> bool {
        self.attributes.iter().any(|attribute| attribute.before.is_sensitive() || attribute.after.is_sensitive())
    }

    /// True when the address changes.
    #[must_use]
    pub fn is_moved(&self) -> bool {
        self.previous_address.as_ref().is_some_and(|previous| *previous != self.address)
    }
}

/// One attribute of a resource, old and new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeChange {
    /// Where in the resource, such as `ingress[0].cidr_blocks`.
    pub path: String,
    /// Before.
    pub before: AttributeValue,
    /// After.
    pub after: AttributeValue,
    /// The tool says that this attribute forces the replacement.
    pub forces_replacement: bool,
}

/// An attribute's value on one side. The text is JSON exactly as the plan has it, numbers at full precision.
#[derive(Clone, PartialEq, Eq)]
pub enum AttributeValue {
    /// Not set.
    Absent,
    /// Known only after apply.
    Unknown,
    /// Known.
    Known(String),
    /// Known and marked sensitive: covered until it is revealed.
    Sensitive(String),
    /// Known only after apply, and marked sensitive.
    SensitiveUnknown,
}

impl AttributeValue {
    /// Marked sensitive.
    #[must_use]
    pub fn is_sensitive(&self) -> bool {
        matches!(self, Self::Sensitive(_) | Self::SensitiveUnknown)
    }
}

impl fmt::Debug for AttributeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("Absent"),
            Self::Unknown => f.write_str("Unknown"),
            Self::Known(text) => f.debug_tuple("Known").field(text).finish(),
            Self::Sensitive(_) => f.write_str("Sensitive(…)"),
            Self::SensitiveUnknown => f.write_str("SensitiveUnknown"),
        }
    }
}

/// One output value, old and new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputChange {
    /// The output's name.
    pub name: String,
    /// What happens.
    pub action: Action,
    /// Before.
    pub before: AttributeValue,
    /// After.
    pub after: AttributeValue,
}

/// The result of a check, condition or validation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckResult {
    /// What was checked, such as `check.health` or `output.port`.
    pub address: String,
    /// How it stands.
    pub status: CheckStatus,
    /// What the tool said of its failures.
    pub problems: Vec<String>,
}

/// How a check stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// Holds.
    Pass,
    /// Does not hold.
    Fail,
    /// Could not be evaluated.
    Error,
    /// Known only after apply.
    Unknown,
}

/// A provisioner that the configuration holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provisioner {
    /// The resource block that holds it, without index.
    pub resource: String,
    /// The provisioner's type, such as `local-exec`.
    pub provisioner_type: String,
    /// When it runs: `create or destroy`, since plan JSON does not tell which.
    pub when: String,
    /// What it would run, as far as the configuration states it: constant text, or the references it is built from.
    pub command: Option<String>,
}

/// A provider that the configuration names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderUse {
    /// The source address, such as `registry.terraform.io/hashicorp/aws`.
    pub name: String,
    /// The version constraint, when stated.
    pub version_constraint: Option<String>,
}

/// How many resources each action concerns. `delete` + `create` in either order is one replace; `import` and `move`
/// count beside the action they come with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Created.
    pub create: u32,
    /// Changed in place.
    pub update: u32,
    /// Destroyed.
    pub delete: u32,
    /// Destroyed and created anew.
    pub replace: u32,
    /// Read during apply.
    pub read: u32,
    /// Left as they are.
    pub no_op: u32,
    /// Imported.
    pub import: u32,
    /// Moved to another address.
    #[serde(rename = "move")]
    pub moved: u32,
    /// No longer managed, not destroyed.
    pub forget: u32,
}

impl Counts {
    /// Counts `resources`.
    #[must_use]
    pub fn of(resources: &[ResourceChange]) -> Self {
        let mut counts = Self::default();
        for resource in resources {
            counts.add(resource);
        }
        counts
    }

    fn add(&mut self, resource: &ResourceChange) {
        let field = match resource.action {
            Action::Create => &mut self.create,
            Action::Update => &mut self.update,
            Action::Delete => &mut self.delete,
            Action::Replace(_) => &mut self.replace,
            Action::Read => &mut self.read,
            Action::NoOp => &mut self.no_op,
            Action::Forget => &mut self.forget,
        };
        *field += 1;
        self.import += u32::from(resource.importing.is_some());
        self.moved += u32::from(resource.is_moved());
    }

    /// The sum of two counts.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            create: self.create + other.create,
            update: self.update + other.update,
            delete: self.delete + other.delete,
            replace: self.replace + other.replace,
            read: self.read + other.read,
            no_op: self.no_op + other.no_op,
            import: self.import + other.import,
            moved: self.moved + other.moved,
            forget: self.forget + other.forget,
        }
    }

    /// The three numbers of the tool's own line `Plan: a to add, b to change, c to destroy.`: a replacement adds one
    /// and destroys one.
    #[must_use]
    pub fn tool_line(self) -> (u32, u32, u32) {
        (self.create + self.replace, self.update, self.delete + self.replace)
    }
}

impl Plan {
    /// How many of each action.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts::of(&self.resources)
    }

    /// True when applying the plan would change neither a resource, nor an address, nor an output.
    #[must_use]
    pub fn has_no_changes(&self) -> bool {
        let quiet = |resource: &ResourceChange| {
            matches!(resource.action, Action::NoOp | Action::Read)
                && resource.importing.is_none()
                && !resource.is_moved()
        };
        // An action that the configuration triggers (Terraform 1.14) runs without any resource changing.
        let triggers = self.provisioners.iter().any(|provisioner| provisioner.provisioner_type.starts_with("action "));
        !triggers && self.resources.iter().all(quiet) && self.outputs.iter().all(|output| output.action == Action::NoOp)
    }

    /// The addresses that are destroyed or replaced, sorted, each once.
    #[must_use]
    pub fn destroys(&self) -> Vec<String> {
        let mut addresses: Vec<String> = self
            .resources
            .iter()
            .filter(|resource| resource.action.destroys())
            .map(|resource| resource.address.clone())
            .collect();
        addresses.sort();
        addresses.dedup();
        addresses
    }

    /// The resources that change, danger first, then by address.
    #[must_use]
    pub fn danger_first(&self) -> Vec<&ResourceChange> {
        let mut changed: Vec<&ResourceChange> = self.resources.iter().filter(|r| r.is_worth_showing()).collect();
        changed.sort_by(|a, b| danger_order(a, b));
        changed
    }
}

impl ResourceChange {
    fn is_worth_showing(&self) -> bool {
        self.action != Action::NoOp || self.is_moved() || self.importing.is_some()
    }
}

fn danger_order(a: &ResourceChange, b: &ResourceChange) -> Ordering {
    a.action.danger_rank().cmp(&b.action.danger_rank()).then_with(|| a.address.cmp(&b.address))
}
