import { QueryClient } from "@tanstack/svelte-query";
import { afterEach, describe, expect, it, vi } from "vitest";
import { commandTags, mutationTags, type EventMessage, type Tag } from "../src/host/generated";
import { HostError, hostError, type EventListener, type Host } from "../src/host/host";
import { httpHost, takeToken } from "../src/host/http";
import { follow, invalidate, queryKey, REFRESH_AFTER_MS } from "../src/host/queries";
import { CLONE, FixtureHost, READS } from "./fixture/world";

const FALLBACK = { code: "x", message: "It failed." };

describe("cache tags", () => {
  const provided = new Set(Object.values(commandTags).flat());
  it("every write invalidates only what some read provides", () => {
    for (const [name, tags] of Object.entries(mutationTags)) for (const tag of tags) expect(provided, `${name}: ${tag}`).toContain(tag);
  });
  it("refresh what provides them and nothing else", async () => {
    const client = new QueryClient();
    client.setQueryData(queryKey("queue", {}), "queue");
    client.setQueryData(queryKey("keys", {}), "keys");
    await invalidate(client, ["queue"]);
    expect(client.getQueryState(queryKey("queue", {}))?.isInvalidated).toBe(true);
    expect(client.getQueryState(queryKey("keys", {}))?.isInvalidated).toBe(false);
  });
});

describe("the event stream", () => {
  function streaming() {
    const client = new QueryClient();
    client.setQueryData(queryKey("queue", {}), "queue");
    client.setQueryData(queryKey("keys", {}), "keys");
    let listener: EventListener | null = null;
    const host: Host = {
      call: () => Promise.reject(new Error("unused")),
      listen: (given) => ((listener = given), () => (listener = null)),
    };
    const heard: EventMessage[] = [];
    const broken: boolean[] = [];
    const end = follow(
      host,
      client,
      (message) => heard.push(message),
      (now) => broken.push(now),
    );
    const send = (seq: number, invalidates: Tag[]) => listener?.message({ seq, event: { type: "clone-changed", clone: "c" }, invalidates });
    const stale = (name: "queue" | "keys") => client.getQueryState(queryKey(name, {}))?.isInvalidated;
    return { client, send, stale, heard, broken, end, listener: () => listener };
  }
  it("refreshes what an event names", () => {
    vi.useFakeTimers();
    const { send, stale, heard } = streaming();
    send(1, ["queue"]);
    vi.advanceTimersByTime(REFRESH_AFTER_MS);
    vi.useRealTimers();
    expect([stale("queue"), stale("keys"), heard.length]).toEqual([true, false, 1]);
  });
  it("reads once for many events", () => {
    vi.useFakeTimers();
    const { send, client } = streaming();
    const read = vi.spyOn(client, "invalidateQueries");
    for (let seq = 1; seq <= 50; seq += 1) send(seq, ["runs"]);
    vi.advanceTimersByTime(REFRESH_AFTER_MS);
    vi.useRealTimers();
    expect(read).toHaveBeenCalledOnce();
  });
  it("refreshes everything when a message was missed", () => {
    const { send, stale } = streaming();
    send(1, []);
    expect(stale("keys")).toBe(false);
    send(3, []);
    expect([stale("queue"), stale("keys")]).toEqual([true, true]);
  });
  it("refreshes everything when it comes back, and says that it was gone", () => {
    const { stale, broken, listener } = streaming();
    listener()?.lost?.();
    listener()?.resumed();
    expect([stale("queue"), broken]).toEqual([true, [true, false]]);
  });
  it("ends", () => {
    const { end, listener } = streaming();
    end();
    expect(listener()).toBeNull();
  });
});

describe("the HTTP host", () => {
  afterEach(() => vi.unstubAllGlobals());
  const answering = (status: number, body: string) =>
    vi.stubGlobal(
      "fetch",
      vi.fn(() => Promise.resolve(new Response(body, { status }))),
    );

  it("takes the token out of the address and keeps the place", () => {
    window.history.replaceState(null, "", "/#token=abc%2B1&place=/runs");
    expect(takeToken(window.location, window.history, window.sessionStorage)).toBe("abc+1");
    expect(window.location.href).not.toContain("abc");
    expect(window.location.hash).toBe("#/runs");
    expect(takeToken(window.location, window.history, window.sessionStorage)).toBe("abc+1");
    window.sessionStorage.clear();
    expect(takeToken(window.location, window.history, window.sessionStorage)).toBeNull();
  });
  it("sends the token and the arguments", async () => {
    answering(200, "[]");
    await httpHost("secret").call("change", { clone: "a", change: "b" });
    expect(fetch).toHaveBeenCalledWith(
      "/api/change",
      expect.objectContaining({
        method: "POST",
        body: '{"clone":"a","change":"b"}',
        headers: expect.objectContaining({ authorization: "Bearer secret" }),
      }),
    );
  });
  it("hands the engine's errors on whole", async () => {
    answering(409, JSON.stringify({ code: "moved", message: "The head moved.", kept: "Nothing was merged.", hint: "Look again." }));
    await expect(httpHost("t").call("queue", {})).rejects.toMatchObject({
      code: "moved",
      message: "The head moved.",
      kept: "Nothing was merged.",
      hint: "Look again.",
    });
  });
  it.each([
    ["a proxy's page", 502, "<html>bad gateway</html>"],
    ["an empty answer", 200, ""],
  ])("makes %s an error that says what to do", async (_, status, body) => {
    answering(status, body);
    await expect(httpHost("t").call("queue", {})).rejects.toMatchObject({
      code: `http-${status}`,
      hint: expect.stringContaining("countersign serve"),
    });
  });
  it("says when there is no engine, and when there is no token", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("refused")));
    await expect(httpHost("t").call("queue", {})).rejects.toMatchObject({ code: "unreachable", kept: "Nothing was changed." });
    await expect(httpHost(null).call("queue", {})).rejects.toMatchObject({ code: "no-token" });
  });
});

it.each([
  [new TypeError("x"), "It failed. (x)"],
  ["text", "It failed. (text)"],
  [undefined, "It failed."],
  [{ code: "c", message: "own" }, "own"],
  [new HostError({ code: "c", message: "kept as it is" }), "kept as it is"],
])("whatever a transport throws becomes an error for people (%#)", (thrown, message) =>
  expect(hostError(thrown, FALLBACK)).toMatchObject({ message }),
);

it("the fixture answers every read", async () => {
  const host = new FixtureHost("full", 20);
  const ref = { clone: CLONE, change: "grow-orders-db" };
  const unit = { ...ref, unit: "prod/orders-db" };
  const args = { ...unit, index: 0, from: 0, count: 10, query: "orders", text: "", statement: "st-ana", run: "run-3" };
  for (const name of READS) await expect(host.call(name, args as never), name).resolves.toBeDefined();
  expect([...READS].sort()).toEqual(Object.keys(commandTags).sort());
});
