// A change's plan as one flat list of rows, danger first. Pure: what is unfolded and what was read comes in.
import type {
  AttributeRow,
  Change,
  CheckRow,
  Danger,
  HostError,
  OutputRow,
  PlanRow,
  Problem,
  ProvisionerRow,
  UnitInfo,
  UnitPlan,
} from "../../host";

/** What is known of a unit's plan. */
export interface UnitRead {
  plan?: UnitPlan | undefined;
  error?: HostError | null;
}

/** What is known of a resource's attributes. */
export type AttributesRead = { rows: readonly AttributeRow[] } | { error: HostError } | "reading";

export type PlanItem =
  | { kind: "danger-head"; key: string; replaced: number; destroyed: number; other: number; unread: number }
  | { kind: "danger"; key: string; danger: Danger; attributes: string | null; last: boolean; unfolded: boolean }
  | { kind: "danger-none"; key: string; unread: number }
  | { kind: "unit"; key: string; unit: UnitInfo; read: UnitRead; unfolded: boolean; found: number | null }
  | { kind: "problem"; key: string; unit: string; problem: Problem; tone: "bad" | "warn"; retry: "plan" | null }
  | { kind: "failed"; key: string; unit: string }
  | { kind: "note"; key: string; text: string; tone: "plain" | "warn"; level: number }
  | { kind: "waiting"; key: string; text: string; level: number }
  | { kind: "group"; key: string; title: string; symbol: string; action: string; count: number; unfolded: boolean; danger: boolean }
  | { kind: "resource"; key: string; unit: string; row: PlanRow; unfolded: boolean; drifted: boolean }
  | { kind: "attribute"; key: string; unit: string; index: number; attribute: AttributeRow; danger: boolean; last: boolean }
  | { kind: "attributes-failed"; key: string; unit: string; index: number; error: HostError; danger: boolean }
  | { kind: "output"; key: string; output: OutputRow }
  | { kind: "check"; key: string; check: CheckRow }
  | { kind: "provisioner"; key: string; provisioner: ProvisionerRow }
  | { kind: "provider"; key: string; provider: string };

export interface PlanView {
  change: Change;
  reads: ReadonlyMap<string, UnitRead>;
  /** Whether a foldable row is unfolded, given how it starts. */
  unfolded: (key: string, atFirst: boolean) => boolean;
  attributes: (unit: string, index: number) => AttributesRead | undefined;
  search: string;
}

const GROUPS: readonly { action: string; title: string }[] = [
  { action: "replace", title: "Replaced" },
  { action: "delete", title: "Destroyed" },
  { action: "forget", title: "Forgotten: stays in the cloud, leaves the state" },
  { action: "update", title: "Updated" },
  { action: "create", title: "Created" },
  { action: "import", title: "Imported" },
  { action: "moved", title: "Moved" },
  { action: "read", title: "Read during apply" },
  { action: "no-op", title: "Unchanged" },
];

export function words(search: string): string[] {
  return search.toLowerCase().split(/\s+/).filter(Boolean);
}

function found(row: PlanRow, wanted: readonly string[]): boolean {
  const text = `${row.address}\n${row.resourceType}\n${row.action}\n${row.summary}\n${row.previousAddress ?? ""}`.toLowerCase();
  return wanted.every((word) => text.includes(word));
}

/** The group a row stands in. A row that only moves or is only imported is named as such. */
function groupOf(row: PlanRow): string {
  if (row.action !== "no-op") return row.action;
  if (row.importing) return "import";
  return row.previousAddress ? "moved" : "no-op";
}

export function resourceKey(unit: string, index: number): string {
  return `${unit}\n${index}`;
}

export function planItems(view: PlanView): PlanItem[] {
  const wanted = words(view.search);
  const items: PlanItem[] = [];
  pushDangers(items, view);
  for (const unit of view.change.units) pushUnit(items, view, unit, wanted);
  return items;
}

function pushDangers(items: PlanItem[], view: PlanView): void {
  const { dangers, units } = view.change;
  // A plan that is sealed for others still names its destroys in the signed manifest; one that is not there does not.
  const unread = units.filter((unit) => unit.state !== "planned").length;
  if (dangers.length === 0) {
    items.push({ kind: "danger-none", key: "danger-none", unread });
    return;
  }
  const replaced = dangers.filter(({ action }) => action === "replace").length;
  const destroyed = dangers.filter(({ action }) => action === "delete" || action === "destroy").length;
  items.push({ kind: "danger-head", key: "danger-head", replaced, destroyed, other: dangers.length - replaced - destroyed, unread });
  dangers.forEach((danger, place) => {
    const key = `danger ${place}`;
    const unfolded = danger.index != null && view.unfolded(key, false);
    items.push({
      kind: "danger",
      key,
      danger,
      attributes: danger.index != null ? key : null,
      last: place === dangers.length - 1 && !unfolded,
      unfolded,
    });
    if (unfolded && danger.index != null)
      pushAttributes(items, view, danger.unit, danger.index, key, place === dangers.length - 1 ? "danger-last" : "danger");
  });
}

function pushUnit(items: PlanItem[], view: PlanView, unit: UnitInfo, wanted: readonly string[]): void {
  const read = view.reads.get(unit.unit) ?? {};
  const key = `unit ${unit.unit}`;
  const unfolded = view.unfolded(key, !unit.noChanges || unit.state !== "planned");
  const rows = read.plan?.resources.filter((row) => found(row, wanted));
  items.push({ kind: "unit", key, unit, read, unfolded, found: wanted.length > 0 ? (rows?.length ?? null) : null });
  if (!unfolded) return;
  if (unit.applied) items.push({ kind: "note", key: `${key} applied`, text: unit.applied, tone: "plain", level: 2 });
  if (unit.problem) {
    items.push({
      kind: "problem",
      key: `${key} problem`,
      unit: unit.unit,
      problem: unit.problem,
      tone: unit.state === "failed" ? "bad" : "warn",
      retry: null,
    });
  }
  if (unit.state === "waiting") {
    items.push({
      kind: "note",
      key: `${key} waiting`,
      text: "The deploy runner has not planned this unit yet. Its plan shows here as soon as it is published.",
      tone: "plain",
      level: 2,
    });
    return;
  }
  if (unit.state === "outdated") {
    items.push({
      kind: "note",
      key: `${key} outdated`,
      text: "This plan is for an older state of the branch or of trunk. The runner plans it anew; do not decide on this one.",
      tone: "warn",
      level: 2,
    });
  }
  if (unit.problem) return;
  if (unit.state === "failed") {
    items.push({ kind: "failed", key: `${key} failed`, unit: unit.unit });
    return;
  }
  if (read.error) {
    items.push({ kind: "problem", key: `${key} unread`, unit: unit.unit, problem: read.error, tone: "bad", retry: "plan" });
    return;
  }
  if (!read.plan || !rows) {
    items.push({ kind: "waiting", key: `${key} reading`, text: "Decrypting and reading the plan…", level: 2 });
    return;
  }
  pushPlan(items, view, unit.unit, read.plan, rows, wanted.length > 0);
}

function pushPlan(items: PlanItem[], view: PlanView, unit: string, plan: UnitPlan, rows: readonly PlanRow[], searching: boolean): void {
  if (!plan.complete) {
    items.push({
      kind: "note",
      key: `${unit} incomplete`,
      text: "The tool says this plan is not complete: applying it leaves changes for a later plan.",
      tone: "warn",
      level: 2,
    });
  }
  if (rows.length === 0 && plan.outputs.every(({ action }) => action === "no-op") && plan.drift.length === 0) {
    items.push({
      kind: "note",
      key: `${unit} none`,
      text: searching ? "No resource of this unit has these words." : "This plan changes nothing.",
      tone: "plain",
      level: 2,
    });
  }
  const byGroup = new Map<string, PlanRow[]>();
  for (const row of rows) {
    const group = groupOf(row);
    const list = byGroup.get(group);
    if (list) list.push(row);
    else byGroup.set(group, [row]);
  }
  const known = new Set(GROUPS.map(({ action }) => action));
  const groups = [...GROUPS, ...[...byGroup.keys()].filter((action) => !known.has(action)).map((action) => ({ action, title: action }))];
  for (const { action, title } of groups) {
    const list = byGroup.get(action);
    if (list) pushGroup(items, view, unit, `group ${unit} ${action}`, title, action, list, searching || action !== "no-op", false);
  }
  if (searching) return;
  if (plan.drift.length > 0)
    pushGroup(items, view, unit, `drift ${unit}`, "Changed outside of the tool since the last apply", "drift", plan.drift, true, true);
  const outputs = plan.outputs.filter(({ action }) => action !== "no-op");
  pushSection(items, view, `outputs ${unit}`, "Outputs", outputs, (output, key) => ({ kind: "output", key, output }));
  pushSection(items, view, `checks ${unit}`, "Checks", plan.checks, (check, key) => ({ kind: "check", key, check }));
  pushSection(items, view, `provisioners ${unit}`, "Provisioners that will run", plan.provisioners, (provisioner, key) => ({
    kind: "provisioner",
    key,
    provisioner,
  }));
  pushSection(items, view, `providers ${unit}`, "Providers that will run", plan.providers, (provider, key) => ({
    kind: "provider",
    key,
    provider,
  }));
}

function pushGroup(
  items: PlanItem[],
  view: PlanView,
  unit: string,
  key: string,
  title: string,
  action: string,
  rows: readonly PlanRow[],
  atFirst: boolean,
  drifted: boolean,
): void {
  const unfolded = view.unfolded(key, atFirst);
  const first = rows[0];
  const danger = rows.some((row) => row.danger);
  items.push({ kind: "group", key, title, symbol: drifted ? "≠" : (first?.symbol ?? ""), action, count: rows.length, unfolded, danger });
  if (!unfolded) return;
  for (const row of rows) {
    // Drifted rows have no attributes to ask for: their index counts in another list.
    const own = drifted ? `drift ${resourceKey(unit, row.index)}` : `resource ${resourceKey(unit, row.index)}`;
    const open = !drifted && view.unfolded(own, false);
    items.push({ kind: "resource", key: own, unit, row, unfolded: open, drifted });
    if (open) pushAttributes(items, view, unit, row.index, own, "unit");
  }
}

function pushAttributes(
  items: PlanItem[],
  view: PlanView,
  unit: string,
  index: number,
  owner: string,
  place: "danger" | "danger-last" | "unit",
): void {
  const danger = place !== "unit";
  const read = view.attributes(unit, index);
  if (read === undefined || read === "reading") {
    items.push({ kind: "waiting", key: `${owner} reading`, text: "Reading the attributes…", level: 4 });
    return;
  }
  if ("error" in read) {
    items.push({ kind: "attributes-failed", key: `${owner} failed`, unit, index, error: read.error, danger });
    return;
  }
  if (read.rows.length === 0) {
    items.push({ kind: "note", key: `${owner} bare`, text: "No attribute changes.", tone: "plain", level: 4 });
    return;
  }
  read.rows.forEach((attribute, at) =>
    items.push({
      kind: "attribute",
      key: `${owner} ${at}`,
      unit,
      index,
      attribute,
      danger,
      last: place === "danger-last" && at === read.rows.length - 1,
    }),
  );
}

function pushSection<T>(
  items: PlanItem[],
  view: PlanView,
  key: string,
  title: string,
  list: readonly T[],
  item: (value: T, key: string) => PlanItem,
): void {
  if (list.length === 0) return;
  const unfolded = view.unfolded(key, true);
  items.push({ kind: "group", key, title, symbol: "", action: "", count: list.length, unfolded, danger: false });
  if (unfolded) list.forEach((value, place) => items.push(item(value, `${key} ${place}`)));
}

export function planLevel(item: PlanItem): number {
  if (item.kind === "unit" || item.kind === "danger-head" || item.kind === "danger-none") return 1;
  if (item.kind === "danger" || item.kind === "group" || item.kind === "problem" || item.kind === "failed") return 2;
  if (item.kind === "note" || item.kind === "waiting") return item.level;
  if (item.kind === "attribute" || item.kind === "attributes-failed") return item.danger ? 3 : 4;
  return 3;
}

export function planEstimate(item: PlanItem): number {
  if (item.kind === "unit") return 40;
  if (item.kind === "danger-head") return 38;
  if (item.kind === "danger") return item.danger.forces.length > 0 ? 50 : 30;
  if (item.kind === "failed") return 320;
  if (item.kind === "problem" || item.kind === "attributes-failed") return 90;
  return 28;
}

export function planUnfolded(item: PlanItem): boolean | undefined {
  if (item.kind === "danger") return item.attributes ? item.unfolded : undefined;
  if (item.kind === "resource") return item.drifted ? undefined : item.unfolded;
  if (item.kind === "unit" || item.kind === "group") return item.unfolded;
  return undefined;
}
