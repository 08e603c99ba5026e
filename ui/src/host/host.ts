// The one way the window talks to the engine. Every other file of the UI knows this interface and nothing below it.
import type { Commands, EventMessage } from "./generated";

export type CommandName = keyof Commands;
export type Args<K extends CommandName> = Commands[K]["args"];
export type Result<K extends CommandName> = Commands[K]["result"];

export interface EventListener {
  message(message: EventMessage): void;
  /** The stream broke and is back: anything may have been missed. */
  resumed(): void;
  /** The stream is gone for now. */
  lost?(): void;
}

export interface Host {
  /** Runs a command. Fails with a [`HostError`] and with nothing else. */
  call<K extends CommandName>(name: K, args: Args<K>): Promise<Result<K>>;
  /** Listens to the engine's events until the returned function is called. */
  listen(listener: EventListener): () => void;
  /** Listens for places the shell asks to open (deep links, tray, notifications), as `#/…` paths. */
  places?(open: (path: string) => void): () => void;
}

/** The engine's `ApiError`, or one of the transport's own with a code of its own. */
export interface Failing {
  code: string;
  message: string;
  kept?: string | null;
  hint?: string | null;
}

/** A failure for people: what happened, what was kept, what to try. */
export class HostError extends Error {
  readonly code: string;
  readonly kept: string | null;
  readonly hint: string | null;

  constructor(failure: Failing) {
    super(failure.message);
    this.name = "HostError";
    this.code = failure.code;
    this.kept = failure.kept ?? null;
    this.hint = failure.hint ?? null;
  }
}

function isFailing(value: unknown): value is Failing {
  return typeof value === "object" && value !== null && "message" in value && typeof value.message === "string";
}

/** Makes a [`HostError`] of whatever a transport threw. */
export function hostError(thrown: unknown, fallback: Failing): HostError {
  if (thrown instanceof HostError) return thrown;
  if (isFailing(thrown) && "code" in thrown) return new HostError(thrown);
  const detail = thrown instanceof Error ? thrown.message : typeof thrown === "string" ? thrown : "";
  return new HostError({ ...fallback, message: detail ? `${fallback.message} (${detail})` : fallback.message });
}
