import { describe, expect, it } from "vitest";
import type { AnswerChoice, SignSheet } from "../src/host/generated";
import { draftOf, missing, type Filled } from "../src/screens/review/draft";

const sheet: SignSheet = {
  signer: { person: "you", fingerprint: "SHA256:x", algorithm: "ssh-ed25519", home: "a file", needsPassphrase: false, needsTouch: false },
  bound: [],
  questions: [
    { id: "security", text: "?" },
    { id: "style", text: "?" },
  ],
  acknowledge: [{ unit: "prod/db", address: "terraform_data.db" }],
  maxHours: 72,
  defaultHours: 24,
};
const complete: Filled = {
  answers: new Map<string, AnswerChoice>([
    ["security", "yes"],
    ["style", "not-applicable"],
  ]),
  typed: ["terraform_data.db"],
  hours: 24,
};

describe("the sign sheet", () => {
  it("lacks nothing when every question is answered, every destroy typed and the expiry allowed", () => {
    expect(missing(sheet, complete)).toEqual([]);
  });
  it.each<[string, Partial<Filled>, string]>([
    ["an open question", { answers: new Map([["security", "yes" as const]]) }, "1 question to answer"],
    ["no answers", { answers: new Map() }, "2 questions to answer"],
    ["nothing typed", { typed: [] }, "1 destroy to acknowledge"],
    ["an address in other case", { typed: ["Terraform_data.db"] }, "1 destroy to acknowledge"],
    ["a part of the address", { typed: ["terraform_data.d"] }, "1 destroy to acknowledge"],
    ["too many hours", { hours: 73 }, "an expiry between 1 and 72 hours"],
    ["no hours", { hours: 0 }, "an expiry between 1 and 72 hours"],
    ["half an hour", { hours: 1.5 }, "an expiry between 1 and 72 hours"],
    ["hours that are no number", { hours: Number.NaN }, "an expiry between 1 and 72 hours"],
  ])("with %s says so", (_, change, words) => expect(missing(sheet, { ...complete, ...change })).toEqual([words]));
  it("drafts just what was filled in", () => {
    expect(draftOf({ clone: "c", change: "x" }, sheet, complete)).toEqual({
      clone: "c",
      change: "x",
      answers: [
        { question: "security", answer: "yes" },
        { question: "style", answer: "not-applicable" },
      ],
      acknowledged: [{ unit: "prod/db", address: "terraform_data.db" }],
      expiresInHours: 24,
    });
  });
});
