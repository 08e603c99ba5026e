// Ties commands to the cache: reads declare the tags they provide, writes and events the tags they invalidate.
import { createMutation, createQuery, keepPreviousData, QueryClient, useQueryClient, type CreateQueryResult } from "@tanstack/svelte-query";
import { getContext, setContext } from "svelte";
import { commandTags, mutationTags, type EventMessage, type MutationName, type QueryName, type Tag } from "./generated";
import type { Args, Host, HostError, Result } from "./host";

const HOST = Symbol("host");

export function provideHost(host: Host): void {
  setContext(HOST, host);
}

export function useHost(): Host {
  return getContext<Host>(HOST);
}

/** A cache that refreshes when told to and at no other time: nothing moves unless something happened. */
export function newQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: Infinity,
        gcTime: 5 * 60_000,
        retry: false,
        refetchOnWindowFocus: false,
        refetchOnReconnect: false,
        // The engine is on this machine: being offline is no reason to wait.
        networkMode: "always",
      },
      mutations: { retry: false, networkMode: "always" },
    },
  });
}

export function queryKey<K extends QueryName>(name: K, args: Args<K>): [K, Args<K>] {
  return [name, args];
}

export function queryOptions<K extends QueryName>(host: Host, name: K, args: Args<K>) {
  return { queryKey: queryKey(name, args), queryFn: (): Promise<Result<K>> => host.call(name, args) };
}

/** Refreshes every cached read that provides one of `tags`. */
export function invalidate(client: QueryClient, tags: readonly Tag[]): Promise<void> {
  if (tags.length === 0) return Promise.resolve();
  const touched = new Set(tags);
  return client.invalidateQueries({
    predicate: ({ queryKey: [name] }) => (commandTags[name as QueryName] ?? []).some((tag) => touched.has(tag)),
  });
}

/** Reads a command's answer reactively. `args` of `null` means: not yet. */
export function ask<K extends QueryName>(
  name: K,
  args: () => Args<K> | null,
  keepPrevious: "keep" | "drop" = "drop",
  /** While true, nothing is read anew; what was read stays. */
  paused: () => boolean = () => false,
): CreateQueryResult<Result<K>, HostError> {
  const host = useHost();
  const query = createQuery<Result<K>, HostError>(() => {
    const given = args();
    return {
      queryKey: [name, given],
      queryFn: () => host.call(name, given as Args<K>),
      enabled: given !== null && !paused(),
      ...(keepPrevious === "keep" ? { placeholderData: keepPreviousData } : {}),
    };
  });
  return query as CreateQueryResult<Result<K>, HostError>;
}

/** Runs a command that changes something, and refreshes what it touches. */
export function tell<K extends MutationName>(name: K) {
  const host = useHost();
  const client = useQueryClient();
  return createMutation<Result<K>, HostError, Args<K>>(() => ({
    mutationFn: (args) => host.call(name, args),
    onSuccess: () => void invalidate(client, mutationTags[name]),
  }));
}

/** A run says many things a second: what they make stale is read once for all of them. */
export const REFRESH_AFTER_MS = 100;

/** Feeds the engine's stream into the cache; `heard` sees each event after that, `broken` whether the stream is gone. */
export function follow(
  host: Host,
  client: QueryClient,
  heard: (message: EventMessage) => void,
  broken: (now: boolean) => void,
): () => void {
  let last: number | null = null;
  let stale = new Set<Tag>();
  let due: ReturnType<typeof setTimeout> | undefined;
  const refresh = () => {
    const tags = [...stale];
    stale = new Set();
    due = undefined;
    void invalidate(client, tags);
  };
  const end = host.listen({
    message(message) {
      const gap = last !== null && message.seq !== last + 1;
      last = message.seq;
      if (gap) void client.invalidateQueries();
      for (const tag of message.invalidates) stale.add(tag);
      if (stale.size > 0) due ??= setTimeout(refresh, REFRESH_AFTER_MS);
      heard(message);
    },
    lost() {
      broken(true);
    },
    resumed() {
      last = null;
      broken(false);
      void client.invalidateQueries();
    },
  });
  return () => {
    clearTimeout(due);
    end();
  };
}
