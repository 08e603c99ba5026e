import { describe, expect, it } from "vitest";
import { ago, counted, lasted, plain, plural, requirementTitle, sentence, shortFingerprint, told } from "../src/lib/text";

describe("plain", () => {
  it("shows characters that would hide or turn the text around", () => {
    expect(plain("a\u202eb\u2066c\u200bd\ufeff")).toBe("a⟨U+202E⟩b⟨U+2066⟩c⟨U+200B⟩d⟨U+FEFF⟩");
    expect(plain("\u001b[31mred")).toBe("⟨U+001B⟩[31mred");
  });
  it("leaves letters of every script, tabs and newlines alone", () => {
    const text = "שלום مرحبا ünïcode 漢字 \t\n<b>&amp;";
    expect(plain(text)).toBe(text);
  });
});

describe("times", () => {
  const now = Date.parse("2026-03-04T10:00:00Z");
  it.each([
    ["2026-03-04T09:59:40Z", "just now"],
    ["2026-03-04T09:48:00Z", "12 min. ago"],
    ["2026-03-04T13:00:00Z", "in 3 hr."],
    ["2026-03-03T09:00:00Z", "yesterday"],
    ["not a time", "not a time"],
  ])("%s is %s", (at, words) => expect(ago(at, now)).toBe(words));
  it("says how long", () => {
    expect(lasted("2026-03-04T10:00:00Z", "2026-03-04T10:01:20Z")).toBe("1 m 20 s");
    expect(lasted("2026-03-04T10:00:00Z", "nonsense")).toBe("");
  });
});

it("counts put dangers first and leave out nothing that is there", () => {
  const counts = { create: 1, update: 2, delete: 3, replace: 4, read: 5, noOp: 6, import: 7, moved: 8, forget: 9 };
  expect(counted(counts).map(({ symbol, count }) => `${symbol}${count}`)).toEqual(["−/+4", "−3", "+1", "~2", "←7", "→8", "∅9", "≤5"]);
});

it("short forms", () => {
  expect(plural(1, "unit")).toBe("1 unit");
  expect(plural(10_000, "unit")).toBe("10,000 units");
  expect(shortFingerprint("SHA256:Zk3pQvX9aN0dYw4rT6uB1mLhJcE8sGf2iKoWqRtUvXy")).toBe("SHA256:Zk3pQv…UvXy");
});

it.each([
  ["the gate is closed: approvals 1 of 2", "The gate is closed: approvals 1 of 2."],
  ["stage/web has no plan", "stage/web has no plan."],
  ["countersign.toml is not valid", "countersign.toml is not valid."],
  ["Already whole.", "Already whole."],
  ["terraform ended with 1", "Terraform ended with 1."],
  ["", ""],
])("%j becomes %j", (fragment, whole) => expect(sentence(fragment)).toBe(whole));

it.each([
  ["approvals:prod", "Approvals for prod"],
  ["role:security:prod", "Approval of security for prod"],
  ["not-applied", "Not applied"],
  ["policy", "Policy"],
])("the requirement %s is called “%s”", (name, title) => expect(requirementTitle(name)).toBe(title));

it("tells times as people write them", () => {
  expect(told("planned at 2026-03-04T10:00:00.768924558Z")).toMatch(/^Planned at Mar 4, \d\d:\d\d$/);
  expect(told("ana approves")).toBe("Ana approves");
});
