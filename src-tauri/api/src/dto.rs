//! What crosses the host boundary: plain data in camelCase JSON, mirrored in generated TypeScript.
//!
//! Times are RFC 3339 text in UTC. Ids are opaque text. Values marked sensitive never stand in these types, except in
//! [`Revealed`], which the reveal command returns one at a time after recording it.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

macro_rules! dto {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$fmeta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
        #[serde(rename_all = "camelCase")]
        pub struct $name { $($(#[$fmeta])* pub $field: $type,)* }
    };
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$vmeta:meta])* $variant:ident,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$vmeta])* $variant,)* }
    };
}

// ── Arguments ───────────────────────────────────────────────────────────────────────────────────────────────────────

dto! {
    /// No arguments.
    pub struct Nothing {}
}
dto! {
    /// Names a clone.
    pub struct CloneRef { clone: String, }
}
dto! {
    /// Names a change of a clone.
    pub struct ChangeRef { clone: String, change: String, }
}
dto! {
    /// Names a unit of a change.
    pub struct UnitRef { clone: String, change: String, unit: String, }
}
dto! {
    /// Adds a clone: a folder on this machine or a URL to clone from.
    pub struct AddClone {
        /// A folder's absolute path, or a URL.
        source: String,
        /// Where to put the clone when `source` is a URL; a folder of the data directory when left out.
        #[ts(optional = nullable)]
        into: Option<String>,
        kind: CloneKind,
    }
}
dto! {
    /// Names one resource of a unit's plan by its place in [`UnitPlan::resources`].
    pub struct ResourceRef { clone: String, change: String, unit: String, index: u32, }
}
dto! {
    /// Asks to uncover one sensitive value.
    pub struct RevealArgs { clone: String, change: String, unit: String, index: u32, path: String, side: Side, }
}
dto! {
    /// Asks for a range of log lines; `from` counts from 0.
    pub struct LogRange { clone: String, change: String, unit: String, from: u32, count: u32, }
}
dto! {
    /// Searches a log.
    pub struct LogSearch { clone: String, change: String, unit: String, query: String, }
}
dto! {
    /// Marks a file of a diff as viewed, or takes the mark away.
    pub struct SetViewed { clone: String, change: String, path: String, viewed: bool, }
}
dto! {
    /// What the reviewer filled in on the sign sheet.
    pub struct SignDraft {
        clone: String,
        change: String,
        answers: Vec<ChecklistEntry>,
        acknowledged: Vec<AcknowledgedDestroy>,
        /// Hours until the approval ceases to count; at most what the policy allows.
        expires_in_hours: u32,
    }
}
dto! {
    /// Signs what a preview showed, byte for byte.
    pub struct SignArgs {
        /// From [`SignPreview::token`].
        token: String,
        #[ts(optional = nullable)]
        passphrase: Option<String>,
    }
}
dto! {
    /// Refuses a change.
    pub struct RefuseArgs {
        clone: String,
        change: String,
        /// The head the reviewer looked at.
        head: String,
        reason: String,
        #[ts(optional = nullable)]
        passphrase: Option<String>,
    }
}
dto! {
    /// Takes an approval back.
    pub struct RevokeArgs {
        statement: String,
        reason: String,
        #[ts(optional = nullable)]
        passphrase: Option<String>,
    }
}
dto! {
    /// Merges a change.
    pub struct MergeArgs {
        clone: String,
        change: String,
        /// The head the reviewer saw; the merge is refused when it moved.
        head: String,
    }
}
dto! {
    /// Filters the audit list. Empty text matches all.
    pub struct AuditFilter { text: String, #[ts(optional = nullable)] kind: Option<String>, }
}
dto! {
    /// Names a statement.
    pub struct StatementRef { statement: String, }
}
dto! {
    /// Makes a key.
    pub struct NewKey {
        name: String,
        #[ts(optional = nullable)]
        passphrase: Option<String>,
    }
}
dto! {
    /// Names a key.
    pub struct KeyRef { fingerprint: String, }
}
dto! {
    /// Names a run.
    pub struct RunRef { run: String, }
}

// ── Answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────

dto! {
    /// The two kinds of repository.
    pub enum CloneKind { Modules, Live, }
}
dto! {
    /// Old or new.
    pub enum Side { Before, After, }
}
dto! {
    /// About this program and machine.
    pub struct AppInfo {
        version: String,
        data_dir: String,
        /// Set when this data directory belongs to a demo world.
        #[ts(optional = nullable)]
        demo_dir: Option<String>,
        tools: Vec<ToolFound>,
        theme: Theme,
    }
}
dto! {
    /// Colours of the window.
    pub enum Theme { System, Light, Dark, }
}
dto! {
    /// Sets the colours.
    pub struct SetTheme { theme: Theme, }
}
dto! {
    /// A program this machine has, or lacks.
    pub struct ToolFound {
        name: String,
        #[ts(optional = nullable)]
        version: Option<String>,
        #[ts(optional = nullable)]
        path: Option<String>,
        /// Why it is looked for.
        purpose: String,
        /// What to do when it is missing.
        #[ts(optional = nullable)]
        hint: Option<String>,
    }
}
dto! {
    /// Something that is wrong, for people: what happened, what was kept, what to do.
    pub struct Problem { message: String, #[ts(optional = nullable)] kept: Option<String>, #[ts(optional = nullable)] hint: Option<String>, }
}
dto! {
    /// A watched clone.
    pub struct CloneInfo {
        id: String,
        name: String,
        path: String,
        kind: CloneKind,
        #[ts(optional = nullable)]
        remote: Option<String>,
        #[ts(optional = nullable)]
        trunk: Option<String>,
        #[ts(optional = nullable)]
        trunk_commit: Option<String>,
        #[ts(optional = nullable)]
        refreshed_at: Option<String>,
        /// The repository's name in its policy.
        #[ts(optional = nullable)]
        repository: Option<String>,
        /// Who you are here: the person whose key you use.
        #[ts(optional = nullable)]
        you: Option<String>,
        #[ts(optional = nullable)]
        problem: Option<Problem>,
    }
}
dto! {
    /// Counts of a plan.
    pub struct PlanCounts {
        create: u32, update: u32, delete: u32, replace: u32, read: u32, no_op: u32, import: u32, moved: u32, forget: u32,
    }
}
dto! {
    /// Sections of the queue, in the order shown.
    pub enum SectionName { NeedsMyReview, NotPlanned, WaitingOnOthers, ReadyToMerge, Applying, AppliedToday, }
}
dto! {
    /// The review queue.
    pub struct Queue {
        sections: Vec<Section>,
        /// How many changes need me: the number in the tray.
        needs_me: u32,
        /// Branches and clones that could not be read.
        problems: Vec<QueueProblem>,
        clones: u32,
    }
}
dto! {
    /// One section of the queue.
    pub struct Section { name: SectionName, title: String, changes: Vec<ChangeRow>, }
}
dto! {
    /// A clone or branch that could not be read.
    pub struct QueueProblem { clone: String, subject: String, problem: Problem, }
}
dto! {
    /// A change in the queue.
    pub struct ChangeRow {
        clone: String,
        clone_name: String,
        id: String,
        title: String,
        author: String,
        head: String,
        updated_at: String,
        commits: u32,
        environments: Vec<String>,
        units: u32,
        counts: PlanCounts,
        /// Approvals that count and approvals required, over the rule that lacks most.
        approvals: u32,
        approvals_required: u32,
        destroys: u32,
        open: bool,
        state: ChangeState,
        /// The one thing to know, in a few words: "plan failed in stage/web", "needs 1 of security".
        summary: String,
        mine: bool,
    }
}
dto! {
    /// Where a change stands.
    pub enum ChangeState { Planning, PlanFailed, Conflicts, NeedsReview, Ready, Merged, Applying, Applied, ApplyFailed, Refused, NothingToApply, Blocked, }
}
dto! {
    /// A change with all that its page shows.
    pub struct Change {
        row: ChangeRow,
        description: String,
        trunk: String,
        base: String,
        #[ts(optional = nullable)]
        merged_as: Option<String>,
        units: Vec<UnitInfo>,
        /// Every destroy and replacement over all units.
        dangers: Vec<Danger>,
        gate: Gate,
        /// What I may do now, each with the reason when not.
        actions: ChangeActions,
        /// When the runner signed the manifest.
        #[ts(optional = nullable)]
        planned_at: Option<String>,
        #[ts(optional = nullable)]
        planned_by: Option<String>,
        /// After an apply: what trunk's own dry run says.
        #[ts(optional = nullable)]
        trunk_check: Option<String>,
    }
}
dto! {
    /// What may be done now; a reason stands where it may not.
    pub struct ChangeActions {
        #[ts(optional = nullable)]
        approve_blocked: Option<String>,
        #[ts(optional = nullable)]
        refuse_blocked: Option<String>,
        #[ts(optional = nullable)]
        merge_blocked: Option<String>,
        /// My approval that counts, for revoking.
        #[ts(optional = nullable)]
        my_approval: Option<String>,
    }
}
dto! {
    /// One unit of a change.
    pub struct UnitInfo {
        unit: String,
        #[ts(optional = nullable)]
        environment: Option<String>,
        deleted: bool,
        state: UnitState,
        counts: PlanCounts,
        no_changes: bool,
        #[ts(optional = nullable)]
        tool: Option<String>,
        inputs: String,
        #[ts(optional = nullable)]
        commitment: Option<String>,
        #[ts(optional = nullable)]
        review: Option<String>,
        /// Why its plan cannot be read here, when it cannot.
        #[ts(optional = nullable)]
        problem: Option<Problem>,
        /// What its apply did, when there was one.
        #[ts(optional = nullable)]
        applied: Option<String>,
    }
}
dto! {
    /// Where a unit's plan stands.
    pub enum UnitState { Waiting, Planned, Failed, Outdated, }
}
dto! {
    /// A destroy or replacement.
    pub struct Danger {
        unit: String,
        /// Place in the unit's [`UnitPlan::resources`], when the plan can be read here.
        #[ts(optional = nullable)]
        index: Option<u32>,
        address: String,
        action: String,
        symbol: String,
        /// What forces a replacement: attribute paths with old and new where they may be shown.
        forces: Vec<String>,
    }
}
dto! {
    /// The gate's verdict.
    pub struct Gate { open: bool, requirements: Vec<GateRequirement>, }
}
dto! {
    /// One requirement.
    pub struct GateRequirement { name: String, met: bool, detail: String, evidence: Vec<GateEvidence>, }
}
dto! {
    /// What a requirement rests on.
    pub struct GateEvidence {
        text: String,
        counts: bool,
        #[ts(optional = nullable)]
        statement: Option<String>,
    }
}
dto! {
    /// The plan of one unit: rows only; attributes come by resource.
    pub struct UnitPlan {
        unit: String,
        format_version: String,
        #[ts(optional = nullable)]
        tool_version: Option<String>,
        complete: bool,
        counts: PlanCounts,
        /// Danger first, then by address.
        resources: Vec<PlanRow>,
        drift: Vec<PlanRow>,
        outputs: Vec<OutputRow>,
        checks: Vec<CheckRow>,
        provisioners: Vec<ProvisionerRow>,
        providers: Vec<String>,
        log_lines: u32,
    }
}
dto! {
    /// One resource of a plan.
    pub struct PlanRow {
        index: u32,
        address: String,
        resource_type: String,
        action: String,
        symbol: String,
        danger: bool,
        #[ts(optional = nullable)]
        previous_address: Option<String>,
        #[ts(optional = nullable)]
        importing: Option<String>,
        #[ts(optional = nullable)]
        reason: Option<String>,
        #[ts(optional = nullable)]
        deposed: Option<String>,
        attributes: u32,
        sensitive: bool,
        /// A few words on what changes, safe to show.
        summary: String,
    }
}
dto! {
    /// One attribute, old and new.
    pub struct AttributeRow { path: String, before: Shown, after: Shown, forces_replacement: bool, }
}
dto! {
    /// How a value may be shown.
    pub struct Shown {
        kind: ShownKind,
        /// The value for `known`; empty otherwise.
        text: String,
    }
}
dto! {
    /// Kinds of value.
    pub enum ShownKind { Absent, Known, Unknown, Sensitive, SensitiveUnknown, }
}
dto! {
    /// A sensitive value that was asked for.
    pub struct Revealed { text: String, recorded_at: String, }
}
dto! {
    /// One output.
    pub struct OutputRow { name: String, action: String, symbol: String, before: Shown, after: Shown, }
}
dto! {
    /// One check.
    pub struct CheckRow { address: String, status: String, problems: Vec<String>, }
}
dto! {
    /// One provisioner that will run.
    pub struct ProvisionerRow { resource: String, provisioner_type: String, when: String, #[ts(optional = nullable)] command: Option<String>, }
}
dto! {
    /// A page of a log.
    pub struct LogPage { total: u32, from: u32, lines: Vec<LogLine>, error_lines: Vec<u32>, }
}
dto! {
    /// One line of a log.
    pub struct LogLine { spans: Vec<LogSpan>, }
}
dto! {
    /// A run of characters of one style.
    pub struct LogSpan {
        text: String,
        /// A colour name of the sixteen (`red`, `bright-green`, …) or `#rrggbb`.
        #[ts(optional = nullable)]
        fg: Option<String>,
        bold: bool,
        dim: bool,
        italic: bool,
        underline: bool,
    }
}
dto! {
    /// Where a search matched.
    pub struct LogMatches { lines: Vec<u32>, truncated: bool, }
}
dto! {
    /// A change's diff.
    pub struct Diff { files: Vec<DiffFile>, truncated: bool, }
}
dto! {
    /// One file of a diff.
    pub struct DiffFile {
        path: String,
        #[ts(optional = nullable)]
        old_path: Option<String>,
        status: String,
        binary: bool,
        truncated: bool,
        added: u32,
        removed: u32,
        viewed: bool,
        hunks: Vec<DiffHunk>,
    }
}
dto! {
    /// One hunk.
    pub struct DiffHunk { header: String, lines: Vec<DiffLine>, }
}
dto! {
    /// One line of a hunk.
    pub struct DiffLine {
        kind: DiffLineKind,
        #[ts(optional = nullable)]
        old: Option<u32>,
        #[ts(optional = nullable)]
        new: Option<u32>,
        text: String,
    }
}
dto! {
    /// Kinds of diff line.
    pub enum DiffLineKind { Context, Added, Removed, }
}
dto! {
    /// What happened to a change, newest first.
    pub struct History { entries: Vec<HistoryEntry>, }
}
dto! {
    /// One thing that happened.
    pub struct HistoryEntry {
        at: String,
        /// `commit` or a statement's kind.
        kind: String,
        who: String,
        text: String,
        #[ts(optional = nullable)]
        statement: Option<String>,
        #[ts(optional = nullable)]
        commit: Option<String>,
    }
}
dto! {
    /// What the sign sheet shows before anything is filled in.
    pub struct SignSheet {
        signer: SignerInfo,
        /// Every field that will be bound, as label and value.
        bound: Vec<BoundField>,
        questions: Vec<ChecklistQuestion>,
        /// Destroys that the policy wants typed.
        acknowledge: Vec<AcknowledgedDestroy>,
        max_hours: u32,
        default_hours: u32,
    }
}
dto! {
    /// Who signs.
    pub struct SignerInfo { person: String, fingerprint: String, algorithm: String, home: String, needs_passphrase: bool, needs_touch: bool, }
}
dto! {
    /// One bound field.
    pub struct BoundField { label: String, value: String, #[ts(optional = nullable)] unit: Option<String>, }
}
dto! {
    /// One question of the checklist.
    pub struct ChecklistQuestion { id: String, text: String, }
}
dto! {
    /// One answer.
    pub struct ChecklistEntry { question: String, answer: AnswerChoice, }
}
dto! {
    /// What may be answered.
    pub enum AnswerChoice { Yes, NotApplicable, }
}
dto! {
    /// A destroy to acknowledge, or acknowledged.
    pub struct AcknowledgedDestroy { unit: String, address: String, }
}
dto! {
    /// The exact bytes that will be signed, and a token that signs just these.
    pub struct SignPreview {
        token: String,
        /// The payload, as text: it is JSON in UTF-8.
        payload: String,
        sha256: String,
        namespace: String,
        expires: String,
    }
}
dto! {
    /// A statement was recorded.
    pub struct Recorded {
        statement: String,
        /// False when it is kept here and waits to be published.
        published: bool,
        #[ts(optional = nullable)]
        problem: Option<Problem>,
        /// The next change that needs me, for moving the cursor on.
        #[ts(optional = nullable)]
        next: Option<ChangeRef>,
    }
}
dto! {
    /// A merge was pushed.
    pub struct Merged { commit: String, }
}
dto! {
    /// The audit list.
    pub struct Audit { entries: Vec<AuditEntry>, total: u32, invalid: u32, }
}
dto! {
    /// One statement with its verification.
    pub struct AuditEntry {
        statement: String,
        kind: String,
        repository: String,
        #[ts(optional = nullable)]
        change: Option<String>,
        #[ts(optional = nullable)]
        person: Option<String>,
        #[ts(optional = nullable)]
        fingerprint: Option<String>,
        issued: String,
        text: String,
        valid: bool,
        /// Why it does not verify.
        #[ts(optional = nullable)]
        problem: Option<String>,
    }
}
dto! {
    /// A statement's bytes, and how to check them without this program.
    pub struct StatementDetail { entry: AuditEntry, payload: String, signature: String, verify_command: String, }
}
dto! {
    /// The result of checking the whole record.
    pub struct AuditReport { ok: bool, statements: u32, signatures_valid: u32, lines: Vec<String>, #[ts(optional = nullable)] first_bad: Option<String>, }
}
dto! {
    /// A key that can sign.
    pub struct KeyInfo { fingerprint: String, algorithm: String, comment: String, home: String, in_use: bool, needs_passphrase: bool, needs_touch: bool, public_key: String, persons: Vec<String>, }
}
dto! {
    /// Keys and this device.
    pub struct Keys {
        keys: Vec<KeyInfo>,
        #[ts(optional = nullable)]
        agent_problem: Option<String>,
        device_recipient: String,
    }
}
dto! {
    /// Kinds of run.
    pub enum RunKind { Fetch, Clone, Plan, Apply, Merge, Demo, }
}
dto! {
    /// How a run stands.
    pub enum RunStatus { Running, Succeeded, Failed, Cancelled, Interrupted, }
}
dto! {
    /// One run.
    pub struct RunInfo {
        id: String,
        kind: RunKind,
        title: String,
        status: RunStatus,
        started_at: String,
        #[ts(optional = nullable)]
        ended_at: Option<String>,
        summary: String,
        cancellable: bool,
        repeatable: bool,
        /// Who ran it: this device, or the deploy runner as its signed statements say.
        by: String,
        #[ts(optional = nullable)]
        change: Option<ChangeRef>,
        #[ts(optional = nullable)]
        unit: Option<String>,
    }
}
dto! {
    /// All runs, newest first.
    pub struct Runs { runs: Vec<RunInfo>, }
}
dto! {
    /// A run's log lines that are still in memory.
    pub struct RunLog { lines: Vec<String>, truncated: bool, }
}
