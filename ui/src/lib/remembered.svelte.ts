// Small choices of this window that outlive it: pane widths, folded sections, how a diff is drawn.
function read<T>(key: string, fallback: T): T {
  try {
    const text = window.localStorage.getItem(key);
    const value: unknown = text === null ? fallback : JSON.parse(text);
    return typeof value === typeof fallback ? (value as T) : fallback;
  } catch {
    return fallback;
  }
}

export class Remembered<T extends string | number | boolean | string[]> {
  #value: T;
  readonly #key: string;

  constructor(name: string, fallback: T) {
    this.#key = `countersign.${name}`;
    const found = read(this.#key, fallback);
    this.#value = $state.raw(Array.isArray(found) === Array.isArray(fallback) ? found : fallback);
  }

  get value(): T {
    return this.#value;
  }

  set value(value: T) {
    this.#value = value;
    try {
      window.localStorage.setItem(this.#key, JSON.stringify(value));
    } catch {
      // Private windows refuse storage: the choice then lasts as long as the window.
    }
  }
}

export const remembered = {
  theme: new Remembered<string>("theme", "system"),
  queueWidth: new Remembered<number>("pane.queue", 336),
  gateWidth: new Remembered<number>("pane.gate", 296),
  runsWidth: new Remembered<number>("pane.runs", 440),
  foldedSections: new Remembered<string[]>("queue.folded", []),
  diffSplit: new Remembered<boolean>("diff.split", false),
  logWrap: new Remembered<boolean>("log.wrap", true),
};
