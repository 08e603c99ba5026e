// What the reviewer has filled in on the sign sheet, and what is still missing.
import type { AnswerChoice, ChangeRef, SignDraft, SignSheet } from "../../host";

export interface Filled {
  answers: ReadonlyMap<string, AnswerChoice>;
  /** What was typed for each destroy, by its place in the sheet. */
  typed: readonly string[];
  hours: number;
}

export function typedRight(sheet: SignSheet, filled: Filled, place: number): boolean {
  return filled.typed[place] === sheet.acknowledge[place]?.address;
}

export function hoursRight(sheet: SignSheet, hours: number): boolean {
  return Number.isInteger(hours) && hours >= 1 && hours <= sheet.maxHours;
}

/** What still has to be done before signing, in words; empty when complete. */
export function missing(sheet: SignSheet, filled: Filled): string[] {
  const lacking: string[] = [];
  const unanswered = sheet.questions.filter(({ id }) => !filled.answers.has(id)).length;
  if (unanswered > 0) lacking.push(unanswered === 1 ? "1 question to answer" : `${unanswered} questions to answer`);
  const untyped = sheet.acknowledge.filter((_, place) => !typedRight(sheet, filled, place)).length;
  if (untyped > 0) lacking.push(untyped === 1 ? "1 destroy to acknowledge" : `${untyped} destroys to acknowledge`);
  if (!hoursRight(sheet, filled.hours)) lacking.push(`an expiry between 1 and ${sheet.maxHours} hours`);
  return lacking;
}

export function draftOf(open: ChangeRef, sheet: SignSheet, filled: Filled): SignDraft {
  return {
    clone: open.clone,
    change: open.change,
    answers: sheet.questions.flatMap(({ id }) => {
      const answer = filled.answers.get(id);
      return answer ? [{ question: id, answer }] : [];
    }),
    acknowledged: sheet.acknowledge.filter((_, place) => typedRight(sheet, filled, place)),
    expiresInHours: filled.hours,
  };
}
