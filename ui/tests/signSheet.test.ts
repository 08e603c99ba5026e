import { cleanup, render, screen, waitFor } from "@testing-library/svelte";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Change, Recorded } from "../src/host/generated";
import SignSheet from "../src/screens/review/SignSheet.svelte";
import Mounted from "./Mounted.svelte";
import { CLONE, FixtureHost } from "./fixture/world";

const OPEN = { clone: CLONE, change: "grow-orders-db" };
const ADDRESS = "module.orders_db.terraform_data.database";

describe("the sign sheet", () => {
  let host: FixtureHost;
  let change: Change;
  const signed = vi.fn<(recorded: Recorded) => void>();

  beforeEach(async () => {
    signed.mockClear();
    host = new FixtureHost("full", 10);
    change = await host.call("change", OPEN);
    render(Mounted, { host, part: SignSheet, given: { change, open: OPEN, onclose: () => {}, onsigned: signed } });
    await screen.findByText("Checklist");
  });
  afterEach(cleanup);

  const sign = () => screen.getByRole<HTMLButtonElement>("button", { name: "Sign" });
  const calls = (name: string) => host.calls.filter((call) => call.name === name);
  function type(text: string) {
    const field = screen.getByRole<HTMLInputElement>("textbox");
    field.value = text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  function answer(which: "Yes" | "Not applicable" = "Yes") {
    for (const choice of screen.getAllByRole("radio", { name: which })) choice.click();
  }
  const ready = () => waitFor(() => expect(sign().disabled).toBe(false));

  it("lists everything that is bound and who signs", () => {
    expect(screen.getByText(change.row.head)).toBeTruthy();
    for (const { commitment } of change.units) expect(screen.getByText(commitment ?? "missing")).toBeTruthy();
    expect(screen.getByText(/^SHA256:Zk3p/)).toBeTruthy();
  });

  it("cannot be signed until it is complete, and previews nothing before", async () => {
    expect(sign().disabled).toBe(true);
    answer();
    type(ADDRESS.slice(0, -1));
    await screen.findByText(/Still missing: 1 destroy to acknowledge/);
    expect(sign().disabled).toBe(true);
    type(ADDRESS);
    await ready();
    expect(calls("sign_preview").map(({ args }) => args)).toMatchObject([{ acknowledged: [{ address: ADDRESS }] }]);
    expect(calls("approve")).toEqual([]);
  });

  it("signs the token of the preview that is shown, also after a change of mind", async () => {
    answer();
    type(ADDRESS);
    await ready();
    answer("Not applicable");
    await waitFor(() => expect(sign().disabled).toBe(true));
    await ready();
    expect(calls("sign_preview").at(-1)?.args).toMatchObject({
      answers: expect.arrayContaining([{ question: "security", answer: "not-applicable" }]),
    });
    sign().click();
    await waitFor(() => expect(signed).toHaveBeenCalled());
    expect(calls("approve").map(({ args }) => args)).toEqual([{ token: `token-${calls("sign_preview").length}`, passphrase: null }]);
  });

  it("keeps what was filled in when signing fails, and makes new bytes for the next try", async () => {
    answer();
    type(ADDRESS);
    await ready();
    host.failNext("approve", "agent", "The agent is locked.", "Nothing was signed.", "Unlock it, then sign again.");
    sign().click();
    await screen.findByText("The agent is locked.");
    expect(screen.getByText("Unlock it, then sign again.")).toBeTruthy();
    await ready();
    expect(calls("sign_preview")).toHaveLength(2);
    expect(signed).not.toHaveBeenCalled();
    sign().click();
    await waitFor(() => expect(signed).toHaveBeenCalledOnce());
  });

  it("shows the exact bytes", async () => {
    answer();
    type(ADDRESS);
    await ready();
    screen.getByRole("button", { name: "Show exact bytes" }).click();
    expect((await screen.findByLabelText("Exact bytes that will be signed")).textContent).toContain(`"head":"${change.row.head}"`);
    expect(screen.getByText("approval@countersign")).toBeTruthy();
  });
});
