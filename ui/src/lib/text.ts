// How things are said: times, counts, short forms, and characters that try to hide.
import type { PlanCounts } from "../host";

const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

/**
 * Makes invisible and direction-changing characters visible, as `⟨U+202E⟩`.
 * What a reviewer reads must be what is there: see the Unicode consortium's UTS #55 on source code spoofing.
 */
export function plain(text: string): string {
  return text.replace(HIDDEN, (character) => `⟨U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

/**
 * The engine's fragments (`the gate is closed: approvals 1 of 2`) as sentences. A first word that is a name, a path or a
 * command keeps its small letter.
 */
export function sentence(text: string): string {
  const shown = plain(text.trim());
  const begun = /^[a-z]+(?=[ ,:;.]|$)(?!\.[a-z])/.test(shown) ? shown.charAt(0).toUpperCase() + shown.slice(1) : shown;
  return /[\p{L}\p{N})”"’'\]]$/u.test(begun) ? `${begun}.` : begun;
}

const ISO_TIME = /\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z/g;
const brief = new Intl.DateTimeFormat("en", { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

/** The engine's words with its times as people write them, begun with a capital. */
export function told(text: string): string {
  const timed = plain(text).replace(ISO_TIME, (iso) => brief.format(Date.parse(iso)));
  return /^[a-z]+ /.test(timed) ? timed.charAt(0).toUpperCase() + timed.slice(1) : timed;
}

/** A requirement of the gate by its name: `approvals:prod` is “Approvals for prod”. */
export function requirementTitle(name: string): string {
  const [kind = "", ...rest] = plain(name).split(":");
  if (kind === "role" && rest.length === 2) return `Approval of ${rest[0]} for ${rest[1]}`;
  const words = kind.replaceAll("-", " ");
  const title = words.charAt(0).toUpperCase() + words.slice(1);
  return rest.length > 0 ? `${title} for ${rest.join(":")}` : title;
}

/** The tool's signs with a minus that is as wide as its plus. */
export function minus(symbol: string): string {
  return symbol.replace("-", "−");
}

const UNITS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["week", 604_800],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });

/** `12 min. ago`, `in 3 hr.`; `just now` within a minute. Not a time: the text itself. */
export function ago(iso: string, now: number): string {
  const at = Date.parse(iso);
  if (Number.isNaN(at)) return plain(iso);
  const seconds = Math.round((at - now) / 1000);
  const unit = UNITS.find(([, size]) => Math.abs(seconds) >= size);
  return unit ? relative.format(Math.trunc(seconds / unit[1]), unit[0]) : "just now";
}

const full = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium" });

export function moment(iso: string): string {
  const at = Date.parse(iso);
  return Number.isNaN(at) ? plain(iso) : full.format(at);
}

/** `1 m 20 s` between two times. */
export function lasted(from: string, to: string): string {
  const seconds = Math.max(0, Math.round((Date.parse(to) - Date.parse(from)) / 1000));
  if (Number.isNaN(seconds)) return "";
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} m ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} m`;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/** The first characters of a commit id, digest or fingerprint. */
export function short(id: string, length = 8): string {
  return id.length <= length ? id : id.slice(0, length);
}

/** `SHA256:abcd…wxyz`. */
export function shortFingerprint(fingerprint: string): string {
  const [kind, digest] = fingerprint.split(":");
  return digest && digest.length > 14 ? `${kind}:${digest.slice(0, 6)}…${digest.slice(-4)}` : fingerprint;
}

export interface Count {
  symbol: string;
  count: number;
  word: string;
  tone: "create" | "update" | "delete" | "replace" | "quiet";
}

/** The counts worth showing, dangers first. */
export function counted(counts: PlanCounts): Count[] {
  const all: Count[] = [
    { symbol: "−/+", count: counts.replace, word: "to replace", tone: "replace" },
    { symbol: "−", count: counts.delete, word: "to destroy", tone: "delete" },
    { symbol: "+", count: counts.create, word: "to create", tone: "create" },
    { symbol: "~", count: counts.update, word: "to update", tone: "update" },
    { symbol: "←", count: counts.import, word: "to import", tone: "quiet" },
    { symbol: "→", count: counts.moved, word: "moved", tone: "quiet" },
    { symbol: "∅", count: counts.forget, word: "to forget", tone: "quiet" },
    { symbol: "≤", count: counts.read, word: "to read", tone: "quiet" },
  ];
  return all.filter(({ count }) => count > 0);
}
