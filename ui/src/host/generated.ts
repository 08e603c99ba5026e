// Generated from the command list of src-tauri/api. Do not edit: `cargo xtask bindings` writes it anew.

/**
 * A destroy to acknowledge, or acknowledged.
 */
export type AcknowledgedDestroy = { unit: string, address: string, };

/**
 * Adds a clone: a folder on this machine or a URL to clone from.
 */
export type AddClone = { 
/**
 * A folder's absolute path, or a URL.
 */
source: string, 
/**
 * Where to put the clone when `source` is a URL; a folder of the data directory when left out.
 */
into?: string | null, kind: CloneKind, };

/**
 * What may be answered.
 */
export type AnswerChoice = "yes" | "not-applicable";

/**
 * A failure, for people and programs.
 */
export type ApiError = { 
/**
 * What kind of failure it is.
 */
code: ErrorCode, 
/**
 * What happened.
 */
message: string, 
/**
 * What was kept, where one might fear a loss.
 */
kept: string | null, 
/**
 * What to do next.
 */
hint: string | null, };

/**
 * About this program and machine.
 */
export type AppInfo = { version: string, dataDir: string, 
/**
 * Set when this data directory belongs to a demo world.
 */
demoDir?: string | null, tools: Array<ToolFound>, theme: Theme, };

/**
 * One attribute, old and new.
 */
export type AttributeRow = { path: string, before: Shown, after: Shown, forcesReplacement: boolean, };

/**
 * The audit list.
 */
export type Audit = { entries: Array<AuditEntry>, total: number, invalid: number, };

/**
 * One statement with its verification.
 */
export type AuditEntry = { statement: string, kind: string, repository: string, change?: string | null, person?: string | null, fingerprint?: string | null, issued: string, text: string, valid: boolean, 
/**
 * Why it does not verify.
 */
problem?: string | null, };

/**
 * Filters the audit list. Empty text matches all.
 */
export type AuditFilter = { text: string, kind?: string | null, };

/**
 * The result of checking the whole record.
 */
export type AuditReport = { ok: boolean, statements: number, signaturesValid: number, lines: Array<string>, firstBad?: string | null, };

/**
 * One bound field.
 */
export type BoundField = { label: string, value: string, unit?: string | null, };

/**
 * A change with all that its page shows.
 */
export type Change = { row: ChangeRow, description: string, trunk: string, base: string, mergedAs?: string | null, units: Array<UnitInfo>, 
/**
 * Every destroy and replacement over all units.
 */
dangers: Array<Danger>, gate: Gate, 
/**
 * What I may do now, each with the reason when not.
 */
actions: ChangeActions, 
/**
 * When the runner signed the manifest.
 */
plannedAt?: string | null, plannedBy?: string | null, 
/**
 * After an apply: what trunk's own dry run says.
 */
trunkCheck?: string | null, };

/**
 * What may be done now; a reason stands where it may not.
 */
export type ChangeActions = { approveBlocked?: string | null, refuseBlocked?: string | null, mergeBlocked?: string | null, 
/**
 * My approval that counts, for revoking.
 */
myApproval?: string | null, };

/**
 * Names a change of a clone.
 */
export type ChangeRef = { clone: string, change: string, };

/**
 * A change in the queue.
 */
export type ChangeRow = { clone: string, cloneName: string, id: string, title: string, author: string, head: string, updatedAt: string, commits: number, environments: Array<string>, units: number, counts: PlanCounts, 
/**
 * Approvals that count and approvals required, over the rule that lacks most.
 */
approvals: number, approvalsRequired: number, destroys: number, open: boolean, state: ChangeState, 
/**
 * The one thing to know, in a few words: "plan failed in stage/web", "needs 1 of security".
 */
summary: string, mine: boolean, };

/**
 * Where a change stands.
 */
export type ChangeState = "planning" | "plan-failed" | "conflicts" | "needs-review" | "ready" | "merged" | "applying" | "applied" | "apply-failed" | "refused" | "nothing-to-apply" | "blocked";

/**
 * One check.
 */
export type CheckRow = { address: string, status: string, problems: Array<string>, };

/**
 * One answer.
 */
export type ChecklistEntry = { question: string, answer: AnswerChoice, };

/**
 * One question of the checklist.
 */
export type ChecklistQuestion = { id: string, text: string, };

/**
 * A watched clone.
 */
export type CloneInfo = { id: string, name: string, path: string, kind: CloneKind, remote?: string | null, trunk?: string | null, trunkCommit?: string | null, refreshedAt?: string | null, 
/**
 * The repository's name in its policy.
 */
repository?: string | null, 
/**
 * Who you are here: the person whose key you use.
 */
you?: string | null, problem?: Problem | null, };

/**
 * The two kinds of repository.
 */
export type CloneKind = "modules" | "live";

/**
 * Names a clone.
 */
export type CloneRef = { clone: string, };

/**
 * A destroy or replacement.
 */
export type Danger = { unit: string, 
/**
 * Place in the unit's [`UnitPlan::resources`], when the plan can be read here.
 */
index?: number | null, address: string, action: string, symbol: string, 
/**
 * What forces a replacement: attribute paths with old and new where they may be shown.
 */
forces: Array<string>, };

/**
 * A change's diff.
 */
export type Diff = { files: Array<DiffFile>, truncated: boolean, };

/**
 * One file of a diff.
 */
export type DiffFile = { path: string, oldPath?: string | null, status: string, binary: boolean, truncated: boolean, added: number, removed: number, viewed: boolean, hunks: Array<DiffHunk>, };

/**
 * One hunk.
 */
export type DiffHunk = { header: string, lines: Array<DiffLine>, };

/**
 * One line of a hunk.
 */
export type DiffLine = { kind: DiffLineKind, old?: number | null, new?: number | null, text: string, };

/**
 * Kinds of diff line.
 */
export type DiffLineKind = "context" | "added" | "removed";

/**
 * What kind of failure it is.
 */
export type ErrorCode = "usage" | "gate-closed" | "invalid" | "plan-stale" | "tool-failed" | "remote" | "machine" | "passphrase" | "bug";

/**
 * The gate's verdict.
 */
export type Gate = { open: boolean, requirements: Array<GateRequirement>, };

/**
 * What a requirement rests on.
 */
export type GateEvidence = { text: string, counts: boolean, statement?: string | null, };

/**
 * One requirement.
 */
export type GateRequirement = { name: string, met: boolean, detail: string, evidence: Array<GateEvidence>, };

/**
 * What happened to a change, newest first.
 */
export type History = { entries: Array<HistoryEntry>, };

/**
 * One thing that happened.
 */
export type HistoryEntry = { at: string, 
/**
 * `commit` or a statement's kind.
 */
kind: string, who: string, text: string, statement?: string | null, commit?: string | null, };

/**
 * A key that can sign.
 */
export type KeyInfo = { fingerprint: string, algorithm: string, comment: string, home: string, inUse: boolean, needsPassphrase: boolean, needsTouch: boolean, publicKey: string, persons: Array<string>, };

/**
 * Names a key.
 */
export type KeyRef = { fingerprint: string, };

/**
 * Keys and this device.
 */
export type Keys = { keys: Array<KeyInfo>, agentProblem?: string | null, deviceRecipient: string, };

/**
 * One line of a log.
 */
export type LogLine = { spans: Array<LogSpan>, };

/**
 * Where a search matched.
 */
export type LogMatches = { lines: Array<number>, truncated: boolean, };

/**
 * A page of a log.
 */
export type LogPage = { total: number, from: number, lines: Array<LogLine>, errorLines: Array<number>, };

/**
 * Asks for a range of log lines; `from` counts from 0.
 */
export type LogRange = { clone: string, change: string, unit: string, from: number, count: number, };

/**
 * Searches a log.
 */
export type LogSearch = { clone: string, change: string, unit: string, query: string, };

/**
 * A run of characters of one style.
 */
export type LogSpan = { text: string, 
/**
 * A colour name of the sixteen (`red`, `bright-green`, …) or `#rrggbb`.
 */
fg?: string | null, bold: boolean, dim: boolean, italic: boolean, underline: boolean, };

/**
 * Merges a change.
 */
export type MergeArgs = { clone: string, change: string, 
/**
 * The head the reviewer saw; the merge is refused when it moved.
 */
head: string, };

/**
 * A merge was pushed.
 */
export type Merged = { commit: string, };

/**
 * Makes a key.
 */
export type NewKey = { name: string, passphrase?: string | null, };

/**
 * No arguments.
 */
export type Nothing = Record<symbol, never>;

/**
 * One output.
 */
export type OutputRow = { name: string, action: string, symbol: string, before: Shown, after: Shown, };

/**
 * Counts of a plan.
 */
export type PlanCounts = { create: number, update: number, delete: number, replace: number, read: number, noOp: number, import: number, moved: number, forget: number, };

/**
 * One resource of a plan.
 */
export type PlanRow = { index: number, address: string, resourceType: string, action: string, symbol: string, danger: boolean, previousAddress?: string | null, importing?: string | null, reason?: string | null, deposed?: string | null, attributes: number, sensitive: boolean, 
/**
 * A few words on what changes, safe to show.
 */
summary: string, };

/**
 * Something that is wrong, for people: what happened, what was kept, what to do.
 */
export type Problem = { message: string, kept?: string | null, hint?: string | null, };

/**
 * One provisioner that will run.
 */
export type ProvisionerRow = { resource: string, provisionerType: string, when: string, command?: string | null, };

/**
 * The review queue.
 */
export type Queue = { sections: Array<Section>, 
/**
 * How many changes need me: the number in the tray.
 */
needsMe: number, 
/**
 * Branches and clones that could not be read.
 */
problems: Array<QueueProblem>, clones: number, };

/**
 * A clone or branch that could not be read.
 */
export type QueueProblem = { clone: string, subject: string, problem: Problem, };

/**
 * A statement was recorded.
 */
export type Recorded = { statement: string, 
/**
 * False when it is kept here and waits to be published.
 */
published: boolean, problem?: Problem | null, 
/**
 * The next change that needs me, for moving the cursor on.
 */
next?: ChangeRef | null, };

/**
 * Refuses a change.
 */
export type RefuseArgs = { clone: string, change: string, 
/**
 * The head the reviewer looked at.
 */
head: string, reason: string, passphrase?: string | null, };

/**
 * Names one resource of a unit's plan by its place in [`UnitPlan::resources`].
 */
export type ResourceRef = { clone: string, change: string, unit: string, index: number, };

/**
 * Asks to uncover one sensitive value.
 */
export type RevealArgs = { clone: string, change: string, unit: string, index: number, path: string, side: Side, };

/**
 * A sensitive value that was asked for.
 */
export type Revealed = { text: string, recordedAt: string, };

/**
 * Takes an approval back.
 */
export type RevokeArgs = { statement: string, reason: string, passphrase?: string | null, };

/**
 * One run.
 */
export type RunInfo = { id: string, kind: RunKind, title: string, status: RunStatus, startedAt: string, endedAt?: string | null, summary: string, cancellable: boolean, repeatable: boolean, 
/**
 * Who ran it: this device, or the deploy runner as its signed statements say.
 */
by: string, change?: ChangeRef | null, unit?: string | null, };

/**
 * Kinds of run.
 */
export type RunKind = "fetch" | "clone" | "plan" | "apply" | "merge" | "demo";

/**
 * A run's log lines that are still in memory.
 */
export type RunLog = { lines: Array<string>, truncated: boolean, };

/**
 * Names a run.
 */
export type RunRef = { run: string, };

/**
 * How a run stands.
 */
export type RunStatus = "running" | "succeeded" | "failed" | "cancelled" | "interrupted";

/**
 * All runs, newest first.
 */
export type Runs = { runs: Array<RunInfo>, };

/**
 * One section of the queue.
 */
export type Section = { name: SectionName, title: string, changes: Array<ChangeRow>, };

/**
 * Sections of the queue, in the order shown.
 */
export type SectionName = "needs-my-review" | "not-planned" | "waiting-on-others" | "ready-to-merge" | "applying" | "applied-today";

/**
 * Sets the colours.
 */
export type SetTheme = { theme: Theme, };

/**
 * Marks a file of a diff as viewed, or takes the mark away.
 */
export type SetViewed = { clone: string, change: string, path: string, viewed: boolean, };

/**
 * How a value may be shown.
 */
export type Shown = { kind: ShownKind, 
/**
 * The value for `known`; empty otherwise.
 */
text: string, };

/**
 * Kinds of value.
 */
export type ShownKind = "absent" | "known" | "unknown" | "sensitive" | "sensitive-unknown";

/**
 * Old or new.
 */
export type Side = "before" | "after";

/**
 * Signs what a preview showed, byte for byte.
 */
export type SignArgs = { 
/**
 * From [`SignPreview::token`].
 */
token: string, passphrase?: string | null, };

/**
 * What the reviewer filled in on the sign sheet.
 */
export type SignDraft = { clone: string, change: string, answers: Array<ChecklistEntry>, acknowledged: Array<AcknowledgedDestroy>, 
/**
 * Hours until the approval ceases to count; at most what the policy allows.
 */
expiresInHours: number, };

/**
 * The exact bytes that will be signed, and a token that signs just these.
 */
export type SignPreview = { token: string, 
/**
 * The payload, as text: it is JSON in UTF-8.
 */
payload: string, sha256: string, namespace: string, expires: string, };

/**
 * What the sign sheet shows before anything is filled in.
 */
export type SignSheet = { signer: SignerInfo, 
/**
 * Every field that will be bound, as label and value.
 */
bound: Array<BoundField>, questions: Array<ChecklistQuestion>, 
/**
 * Destroys that the policy wants typed.
 */
acknowledge: Array<AcknowledgedDestroy>, maxHours: number, defaultHours: number, };

/**
 * Who signs.
 */
export type SignerInfo = { person: string, fingerprint: string, algorithm: string, home: string, needsPassphrase: boolean, needsTouch: boolean, };

/**
 * A statement's bytes, and how to check them without this program.
 */
export type StatementDetail = { entry: AuditEntry, payload: string, signature: string, verifyCommand: string, };

/**
 * Names a statement.
 */
export type StatementRef = { statement: string, };

/**
 * Groups of cached answers. An answer is stale when one of its tags is invalidated.
 */
export type Tag = "app" | "clones" | "queue" | "change" | "plan" | "diff" | "history" | "audit" | "keys" | "runs";

/**
 * Colours of the window.
 */
export type Theme = "system" | "light" | "dark";

/**
 * A program this machine has, or lacks.
 */
export type ToolFound = { name: string, version?: string | null, path?: string | null, 
/**
 * Why it is looked for.
 */
purpose: string, 
/**
 * What to do when it is missing.
 */
hint?: string | null, };

/**
 * One unit of a change.
 */
export type UnitInfo = { unit: string, environment?: string | null, deleted: boolean, state: UnitState, counts: PlanCounts, noChanges: boolean, tool?: string | null, inputs: string, commitment?: string | null, review?: string | null, 
/**
 * Why its plan cannot be read here, when it cannot.
 */
problem?: Problem | null, 
/**
 * What its apply did, when there was one.
 */
applied?: string | null, };

/**
 * The plan of one unit: rows only; attributes come by resource.
 */
export type UnitPlan = { unit: string, formatVersion: string, toolVersion?: string | null, complete: boolean, counts: PlanCounts, 
/**
 * Danger first, then by address.
 */
resources: Array<PlanRow>, drift: Array<PlanRow>, outputs: Array<OutputRow>, checks: Array<CheckRow>, provisioners: Array<ProvisionerRow>, providers: Array<string>, logLines: number, };

/**
 * Names a unit of a change.
 */
export type UnitRef = { clone: string, change: string, unit: string, };

/**
 * Where a unit's plan stands.
 */
export type UnitState = "waiting" | "planned" | "failed" | "outdated";

export interface Commands {
  app_info: { args: Nothing; result: AppInfo };
  set_theme: { args: SetTheme; result: Nothing };
  clones: { args: Nothing; result: Array<CloneInfo> };
  clone_add: { args: AddClone; result: CloneInfo };
  clone_remove: { args: CloneRef; result: Nothing };
  clone_refresh: { args: CloneRef; result: Nothing };
  open_demo: { args: Nothing; result: Nothing };
  queue: { args: Nothing; result: Queue };
  change: { args: ChangeRef; result: Change };
  unit_plan: { args: UnitRef; result: UnitPlan };
  plan_resource: { args: ResourceRef; result: Array<AttributeRow> };
  reveal: { args: RevealArgs; result: Revealed };
  plan_log: { args: LogRange; result: LogPage };
  plan_log_search: { args: LogSearch; result: LogMatches };
  diff: { args: ChangeRef; result: Diff };
  set_viewed: { args: SetViewed; result: Nothing };
  history: { args: ChangeRef; result: History };
  sign_sheet: { args: ChangeRef; result: SignSheet };
  sign_preview: { args: SignDraft; result: SignPreview };
  approve: { args: SignArgs; result: Recorded };
  refuse: { args: RefuseArgs; result: Recorded };
  revoke: { args: RevokeArgs; result: Recorded };
  merge: { args: MergeArgs; result: Merged };
  audit: { args: AuditFilter; result: Audit };
  statement: { args: StatementRef; result: StatementDetail };
  audit_verify: { args: Nothing; result: AuditReport };
  keys: { args: Nothing; result: Keys };
  key_new: { args: NewKey; result: KeyInfo };
  key_use: { args: KeyRef; result: Nothing };
  runs: { args: Nothing; result: Runs };
  run_log: { args: RunRef; result: RunLog };
  run_cancel: { args: RunRef; result: Nothing };
  run_repeat: { args: RunRef; result: Nothing };
}

export type QueryName =
  | "app_info"
  | "clones"
  | "queue"
  | "change"
  | "unit_plan"
  | "plan_resource"
  | "plan_log"
  | "plan_log_search"
  | "diff"
  | "history"
  | "sign_sheet"
  | "audit"
  | "statement"
  | "keys"
  | "runs"
  | "run_log";

export const commandTags: Record<QueryName, Tag[]> = {
  app_info: ["app"],
  clones: ["clones"],
  queue: ["queue"],
  change: ["change"],
  unit_plan: ["plan"],
  plan_resource: ["plan"],
  plan_log: ["plan"],
  plan_log_search: ["plan"],
  diff: ["diff"],
  history: ["history"],
  sign_sheet: ["change"],
  audit: ["audit"],
  statement: ["audit"],
  keys: ["keys"],
  runs: ["runs"],
  run_log: ["runs"],
};

export type MutationName =
  | "set_theme"
  | "clone_add"
  | "clone_remove"
  | "clone_refresh"
  | "open_demo"
  | "reveal"
  | "set_viewed"
  | "sign_preview"
  | "approve"
  | "refuse"
  | "revoke"
  | "merge"
  | "audit_verify"
  | "key_new"
  | "key_use"
  | "run_cancel"
  | "run_repeat";

export const mutationTags: Record<MutationName, Tag[]> = {
  set_theme: ["app"],
  clone_add: ["clones","queue"],
  clone_remove: ["clones","queue","audit"],
  clone_refresh: ["clones","queue","change","history","audit","runs"],
  open_demo: ["app","clones","queue","keys","audit","runs"],
  reveal: ["history"],
  set_viewed: ["diff"],
  sign_preview: [],
  approve: ["queue","change","history","audit"],
  refuse: ["queue","change","history","audit"],
  revoke: ["queue","change","history","audit"],
  merge: ["queue","change","history","audit","clones","runs"],
  audit_verify: [],
  key_new: ["keys","clones","queue","change"],
  key_use: ["keys","clones","queue","change"],
  run_cancel: ["runs"],
  run_repeat: ["runs"],
};

export type EngineEvent =
  | { type: "clone-changed"; clone: string }
  | { type: "statements-added"; clone: string; count: number }
  | { type: "run-started"; run: string; title: string }
  | { type: "run-progress"; run: string; text: string }
  | { type: "run-ended"; run: string; status: string; summary: string }
  | { type: "needs-me"; clone: string; change: string; title: string }
  | { type: "apply-ended"; clone: string; change: string; ok: boolean; text: string }
  | { type: "alarm"; clone: string; message: string };

export interface EventMessage {
  seq: number;
  event: EngineEvent;
  invalidates: Tag[];
}
