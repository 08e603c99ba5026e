// Toasts, and what a screen reader is told. A toast never carries the only copy of anything.
export type Tone = "info" | "good" | "warn" | "bad";

export interface Toast {
  id: number;
  tone: Tone;
  title: string;
  detail: string | null;
  action: { label: string; run: () => void } | null;
}

export interface NewToast {
  tone: Tone;
  title: string;
  detail?: string | null;
  action?: Toast["action"];
}

const LASTING_MS: Record<Tone, number | null> = { info: 6000, good: 6000, warn: 12000, bad: null };
const AT_MOST = 4;

class Notices {
  toasts = $state.raw<readonly Toast[]>([]);
  polite = $state("");
  urgent = $state("");
  #next = 1;
  #timers = new Map<number, ReturnType<typeof setTimeout>>();

  show(toast: NewToast): void {
    const id = this.#next++;
    const shown: Toast = { id, tone: toast.tone, title: toast.title, detail: toast.detail ?? null, action: toast.action ?? null };
    this.toasts = [...this.toasts, shown].slice(-AT_MOST);
    this.say(shown.detail ? `${shown.title}. ${shown.detail}` : shown.title, toast.tone === "bad" ? "urgent" : "polite");
    this.resume(id);
  }

  /** Speaks without showing. */
  say(text: string, how: "polite" | "urgent" = "polite"): void {
    if (how === "urgent") this.urgent = text;
    else this.polite = text;
  }

  dismiss(id: number): void {
    this.pause(id);
    this.toasts = this.toasts.filter((toast) => toast.id !== id);
  }

  /** Stops a toast's clock while it is looked at. */
  pause(id: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }

  resume(id: number): void {
    const toast = this.toasts.find((candidate) => candidate.id === id);
    const lasting = toast ? LASTING_MS[toast.tone] : null;
    if (lasting === null) return;
    this.pause(id);
    this.#timers.set(
      id,
      setTimeout(() => this.dismiss(id), lasting),
    );
  }
}

export const notices = new Notices();
