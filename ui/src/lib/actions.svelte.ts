// One registry of everything that can be done: shortcuts, palette, menus and the help sheet all read it.
import { tinykeys } from "tinykeys";

export type ActionSection = "Go to" | "Queue" | "Change" | "Plan and diff" | "Window";
export const ACTION_SECTIONS: readonly ActionSection[] = ["Change", "Queue", "Plan and diff", "Go to", "Window"];

export interface Action {
  id: string;
  title: string;
  section: ActionSection;
  /** In tinykeys' notation; the first is the one shown. */
  keys?: readonly string[];
  /** Why it cannot be done now. */
  blocked?: () => string | null;
  /** Left out of palette and menus: moving a cursor is for keys only. */
  keysOnly?: boolean;
  run: () => void;
}

class Registry {
  // Not reactive itself: an effect's teardown would read it as it was before, and drop what others offered since.
  readonly #given = new Map<symbol, readonly Action[]>();
  all = $state.raw<readonly Action[]>([]);

  /** Offers actions until the returned function is called. Use it in an `$effect`. */
  offer(actions: readonly Action[]): () => void {
    const owner = Symbol();
    this.#given.set(owner, actions);
    this.#publish();
    return () => {
      this.#given.delete(owner);
      this.#publish();
    };
  }

  #publish(): void {
    this.all = [...this.#given.values()].flat();
  }

  find(id: string): Action | undefined {
    return this.all.find((action) => action.id === id);
  }

  /** Does an action unless it is blocked; the reason goes to `refused`. */
  perform(action: Action, refused: (reason: string) => void): void {
    const reason = action.blocked?.() ?? null;
    if (reason) refused(reason);
    else action.run();
  }
}

export const registry = new Registry();

/** Typing belongs to the field; a dialog's keys belong to the dialog. */
function isTaken(event: KeyboardEvent): boolean {
  const target = event.target;
  if (!(target instanceof HTMLElement)) return false;
  if (target.closest('[role="dialog"], [role="alertdialog"], [role="menu"]')) return true;
  // Enter on a control is the control's.
  if (event.key === "Enter" && target.closest("button, a, summary, label")) return true;
  return target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName);
}

function dialogOpen(): boolean {
  return document.querySelector('[role="dialog"][data-state="open"]') !== null;
}

/** Binds the keys of `actions` to the window. */
export function bindKeys(actions: readonly Action[], perform: (action: Action) => void): () => void {
  const bindings: Record<string, (event: KeyboardEvent) => void> = {};
  for (const action of actions) {
    for (const key of action.keys ?? []) {
      bindings[key] = (event) => {
        if (event.defaultPrevented) return;
        const withModifier = key.includes("$mod");
        if (withModifier ? dialogOpen() : isTaken(event) || dialogOpen()) return;
        event.preventDefault();
        perform(action);
      };
    }
  }
  return tinykeys(window, bindings, { timeout: 1200 });
}

const MAC = typeof navigator !== "undefined" && /Mac|iPhone|iPad/.test(navigator.platform);
const NAMES: Record<string, string> = {
  $mod: MAC ? "⌘" : "Ctrl",
  Shift: MAC ? "⇧" : "Shift",
  Enter: "Enter",
  Escape: "Esc",
  ArrowDown: "↓",
  ArrowUp: "↑",
  ArrowLeft: "←",
  ArrowRight: "→",
};

/** A binding as the keys to show: `$mod+k` → `["Ctrl", "K"]`, `g r` → `["G", "R"]`. */
export function keyCaps(binding: string): string[] {
  const symbol = /^Shift\+([^A-Za-z])$/.exec(binding);
  if (symbol?.[1]) return [symbol[1]];
  return binding
    .split(" ")
    .flatMap((press) => press.split(/\b\+/))
    .map((key) => NAMES[key] ?? (key.length === 1 ? key.toUpperCase() : key));
}
