import type { ChangeState } from "../../host";

export interface StateWords {
  text: string;
  tone: "plain" | "good" | "warn" | "bad";
}

/** Each state of a change in words. */
export const STATES: Record<ChangeState, StateWords> = {
  planning: { text: "waiting for the runner's plan", tone: "plain" },
  "plan-failed": { text: "plan failed", tone: "bad" },
  conflicts: { text: "conflicts with trunk", tone: "bad" },
  "needs-review": { text: "needs review", tone: "plain" },
  ready: { text: "ready to merge", tone: "good" },
  merged: { text: "merged, waiting for the runner", tone: "plain" },
  applying: { text: "applying", tone: "plain" },
  applied: { text: "applied", tone: "good" },
  "apply-failed": { text: "apply failed", tone: "bad" },
  refused: { text: "refused", tone: "bad" },
  "nothing-to-apply": { text: "nothing to apply", tone: "plain" },
  blocked: { text: "blocked", tone: "warn" },
};
