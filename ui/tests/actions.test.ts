import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { bindKeys, keyCaps, registry, type Action } from "../src/lib/actions.svelte";
import { ranked, score } from "../src/lib/ranked";

const action = (id: string, keys: string[], run = vi.fn()): Action & { run: ReturnType<typeof vi.fn> } => ({
  id,
  title: id,
  section: "Change",
  keys,
  run,
});
const press = (key: string, target: EventTarget = document.body, more: KeyboardEventInit = {}) =>
  target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));

describe("keys", () => {
  let end = () => {};
  const approve = action("approve", ["a"]);
  const palette = action("palette", ["$mod+k"]);
  const enter = action("enter", ["Enter"]);
  const go = action("go", ["g r"]);
  beforeEach(() => {
    end = bindKeys([approve, palette, enter, go], (done) => done.run());
  });
  afterEach(() => {
    end();
    document.body.replaceChildren();
    for (const { run } of [approve, palette, enter, go]) run.mockClear();
  });

  it("act from the page", () => {
    press("a");
    press("g");
    press("r");
    expect(approve.run).toHaveBeenCalledOnce();
    expect(go.run).toHaveBeenCalledOnce();
  });
  it("belong to the field that is typed in, but for the palette's", () => {
    const field = document.body.appendChild(document.createElement("input"));
    press("a", field);
    press("k", field, { ctrlKey: true });
    expect(approve.run).not.toHaveBeenCalled();
    expect(palette.run).toHaveBeenCalledOnce();
  });
  it("leave Enter to the button that has the focus", () => {
    press("Enter", document.body.appendChild(document.createElement("button")));
    expect(enter.run).not.toHaveBeenCalled();
  });
  it("do nothing while a dialog is open", () => {
    const dialog = document.body.appendChild(document.createElement("div"));
    dialog.setAttribute("role", "dialog");
    dialog.dataset["state"] = "open";
    press("a");
    press("k", document.body, { ctrlKey: true });
    expect(approve.run).not.toHaveBeenCalled();
    expect(palette.run).not.toHaveBeenCalled();
  });
});

describe("the registry", () => {
  it("keeps what others offered when one takes its own back", () => {
    const first = registry.offer([action("one", [])]);
    const second = registry.offer([action("two", [])]);
    first();
    expect(registry.find("two")).toBeDefined();
    expect(registry.find("one")).toBeUndefined();
    second();
  });
  it("does nothing that is blocked and says why", () => {
    const refused = vi.fn();
    const run = vi.fn();
    registry.perform({ id: "x", title: "x", section: "Change", blocked: () => "The gate is closed.", run }, refused);
    expect(run).not.toHaveBeenCalled();
    expect(refused).toHaveBeenCalledWith("The gate is closed.");
  });
});

it.each([
  ["$mod+k", ["Ctrl", "K"]],
  ["g r", ["G", "R"]],
  ["Shift+?", ["?"]],
  ["]", ["]"]],
  ["ArrowLeft", ["←"]],
])("%s is shown as %j", (binding, caps) => expect(keyCaps(binding)).toEqual(caps));

describe("finding by letters", () => {
  it("prefers the beginning of a word, then any place, then letters in order", () => {
    expect(score("Go to Runs", "runs")).toBeGreaterThan(score("Go to Reruns", "runs") ?? 0);
    expect(score("Show the raw log", "srl")).not.toBeNull();
    expect(score("Show the raw log", "xyz")).toBeNull();
  });
  it("keeps everything in place when nothing was asked", () => {
    const items = [
      { section: "b", t: "x" },
      { section: "a", t: "y" },
    ];
    expect(ranked(items, "  ", ({ t }) => t)).toEqual(items);
  });
  it("does not tear sections apart", () => {
    const items = ["a1", "b1", "a2"].map((t) => ({ section: t.slice(0, 1), t: `one ${t}` }));
    expect(ranked(items, "one", ({ t }) => t).map(({ section }) => section)).toEqual(["a", "a", "b"]);
  });
});
