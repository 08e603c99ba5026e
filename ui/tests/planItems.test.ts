import { describe, expect, it } from "vitest";
import type { Change, UnitPlan } from "../src/host/generated";
import { planItems, planUnfolded, type PlanItem, type UnitRead } from "../src/screens/review/planItems";
import { CLONE, FixtureHost } from "./fixture/world";

async function loaded(id: string, search = "", size = 10_000) {
  const host = new FixtureHost("full", size);
  const change: Change = await host.call("change", { clone: CLONE, change: id });
  const reads = new Map<string, UnitRead>();
  for (const { unit, state, problem } of change.units) {
    if (state === "planned" && !problem)
      reads.set(unit, { plan: (await host.call("unit_plan", { clone: CLONE, change: id, unit })) as UnitPlan });
  }
  const folds = new Map<string, boolean>();
  const view = {
    change,
    reads,
    search,
    unfolded: (key: string, atFirst: boolean) => folds.get(key) ?? atFirst,
    attributes: () => undefined,
  };
  return { view, folds, items: () => planItems(view) };
}
const kinds = (items: PlanItem[]) => [...new Set(items.map(({ kind }) => kind))];

describe("a plan as rows", () => {
  it("begins with every destroy and replacement of all units, and that block cannot be folded", async () => {
    const { view, folds, items } = await loaded("fleet-image-42");
    for (const item of items()) if (planUnfolded(item) === true) folds.set(item.key, false);
    const shown = items();
    expect(shown[0]).toMatchObject({ kind: "danger-head", destroyed: 3, replaced: 0, unread: 0 });
    expect(shown.slice(1, 4).map((item) => item.kind === "danger" && item.danger.address)).toEqual(
      view.change.dangers.map(({ address }) => address),
    );
    expect(planUnfolded(shown[0] as PlanItem)).toBeUndefined();
  });

  it("groups a unit by action, danger first", async () => {
    const { items } = await loaded("grow-orders-db");
    const groups = items().flatMap((item) => (item.kind === "group" ? [`${item.title} ${item.count}`] : []));
    expect(groups).toEqual([
      "Replaced 1",
      "Updated 50",
      "Created 2",
      "Moved 1",
      "Changed outside of the tool since the last apply 1",
      "Outputs 2",
      "Checks 2",
      "Provisioners that will run 1",
      "Providers that will run 1",
    ]);
  });

  it("never says that nothing is destroyed while a unit has no readable plan", async () => {
    const { items } = await loaded("web-scale-out");
    expect(items()[0]).toMatchObject({ kind: "danger-none", unread: 1 });
    expect(kinds(items())).toContain("failed");
  });

  it("says what it waits for when a unit is not planned", async () => {
    const { items } = await loaded("policy-self-approve");
    expect(items().find(({ kind }) => kind === "note")).toMatchObject({ text: expect.stringContaining("has not planned this unit yet") });
  });

  it("finds by every word and counts what it found", async () => {
    const { items } = await loaded("fleet-image-42", "n00007 fleet[0]");
    const found = items().filter(({ kind }) => kind === "resource");
    expect(found).toHaveLength(1);
    expect(items().find(({ kind }) => kind === "unit")).toMatchObject({ found: 1 });
    expect(items()[0]?.kind).toBe("danger-head");
  });

  it("has a key of its own for each of 10,000 resources, quickly", async () => {
    const { items } = await loaded("fleet-image-42");
    const begin = performance.now();
    const shown = items();
    const took = performance.now() - begin;
    expect(new Set(shown.map(({ key }) => key)).size).toBe(shown.length);
    expect(shown.filter(({ kind }) => kind === "resource")).toHaveLength(10_000);
    expect(took).toBeLessThan(250);
  });
});
