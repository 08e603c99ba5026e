import { expect, it } from "vitest";
import type { DiffLine } from "../src/host/generated";
import { diffItems, pairs } from "../src/screens/review/diffItems";
import { CLONE, FixtureHost } from "./fixture/world";

const line = (kind: DiffLine["kind"], text: string): DiffLine => ({ kind, old: null, new: null, text });

it("puts what was removed beside what was added in its place", () => {
  const rows = pairs([
    line("context", "a"),
    line("removed", "b"),
    line("removed", "c"),
    line("added", "d"),
    line("context", "e"),
    line("added", "f"),
  ]);
  expect(rows.map(({ left, right }) => [left?.text ?? null, right?.text ?? null])).toEqual([
    ["a", "a"],
    ["b", "d"],
    ["c", null],
    ["e", "e"],
    [null, "f"],
  ]);
});

it("shows the same lines in both layouts and no lines of folded files", async () => {
  const diff = await new FixtureHost("full", 10).call("diff", { clone: CLONE, change: "grow-orders-db" });
  const unified = diffItems(diff, "unified", () => true);
  const split = diffItems(diff, "split", () => true);
  const added = (items: typeof unified) =>
    items
      .flatMap((item) => (item.kind === "line" ? [item.line] : item.kind === "pair" ? [item.right] : []))
      .filter((candidate) => candidate?.kind === "added");
  expect(added(unified)).toEqual(added(split));
  expect(new Set(unified.map(({ key }) => key)).size).toBe(unified.length);
  expect(diffItems(diff, "unified", () => false).map(({ kind }) => kind)).toEqual(["file", "file", "file"]);
});

it("says what it leaves out", () => {
  const file = {
    path: "x",
    oldPath: "y",
    status: "renamed",
    binary: false,
    truncated: true,
    added: 0,
    removed: 0,
    viewed: false,
    hunks: [],
  };
  const notes = diffItems({ files: [file, { ...file, path: "z", binary: true }], truncated: true }, "unified", () => true).filter(
    ({ kind }) => kind === "note",
  );
  expect(notes).toHaveLength(5);
});
