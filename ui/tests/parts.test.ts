import { cleanup, render, screen } from "@testing-library/svelte";
import { afterEach, describe, expect, it, vi } from "vitest";
import { notices } from "../src/lib/notices.svelte";
import AttributeLine from "../src/screens/review/AttributeLine.svelte";
import Failure from "../src/parts/Failure.svelte";

afterEach(cleanup);

describe("a failure", () => {
  it("says what happened, what was kept and what to try", () => {
    const retry = vi.fn();
    render(Failure, { problem: { message: "The remote is gone.", kept: "Nothing was lost.", hint: "Check the address." }, retry });
    expect(screen.getByRole("alert").textContent).toMatch(/The remote is gone\..*Nothing was lost\..*Check the address\./s);
    screen.getByRole("button", { name: "Try again" }).click();
    expect(retry).toHaveBeenCalledOnce();
  });
  it("shows hostile text as text", () => {
    render(Failure, { problem: { message: '<img src=x onerror="alert(1)">\n\u202ebold' } });
    expect(document.querySelector("img")).toBeNull();
    expect(screen.getByRole("alert").textContent).toContain("⟨U+202E⟩bold");
  });
});

describe("a sensitive attribute", () => {
  const attribute = {
    path: "password",
    before: { kind: "sensitive" as const, text: "" },
    after: { kind: "sensitive-unknown" as const, text: "" },
    forcesReplacement: false,
  };
  const given = { attribute, danger: false, last: false, before: undefined, after: undefined, revealing: false };
  it("is covered, and one side is revealed at a time", () => {
    const onreveal = vi.fn();
    render(AttributeLine, { ...given, onreveal });
    const buttons = screen.getAllByRole("button");
    expect(buttons).toHaveLength(1);
    buttons[0]?.click();
    expect(onreveal.mock.calls).toEqual([["before"]]);
  });
  it("says that looking was recorded", () => {
    render(AttributeLine, { ...given, before: { text: "hunter2", recordedAt: new Date().toISOString() }, onreveal: () => {} });
    expect(document.body.textContent).toMatch(/hunter2.*recorded just now/s);
    expect(screen.queryByRole("button")).toBeNull();
  });
});

describe("notices", () => {
  it("of success leave by themselves, of failure stay", () => {
    vi.useFakeTimers();
    notices.show({ tone: "good", title: "done" });
    notices.show({ tone: "bad", title: "failed" });
    expect(notices.urgent).toBe("failed");
    vi.advanceTimersByTime(60_000);
    expect(notices.toasts.map(({ title }) => title)).toEqual(["failed"]);
    vi.useRealTimers();
  });
});
