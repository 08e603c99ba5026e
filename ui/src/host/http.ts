// The host of `countersign serve`: the same commands over loopback HTTP with a token.
import type { EventMessage } from "./generated";
import { HostError, hostError, type Args, type CommandName, type Host, type Result } from "./host";

const STORED_TOKEN = "countersign.token";

/** Takes the token out of the address bar and keeps it for this tab only. */
export function takeToken(location: Location, history: History, storage: Storage): string | null {
  const found = /^#token=([^&]+)(?:&place=(.*))?$/.exec(location.hash);
  if (!found?.[1]) return storage.getItem(STORED_TOKEN);
  const token = decodeURIComponent(found[1]);
  storage.setItem(STORED_TOKEN, token);
  history.replaceState(null, "", location.pathname + location.search + (found[2] ? `#${found[2]}` : ""));
  return token;
}

const UNREACHABLE = {
  code: "unreachable",
  message: "The engine cannot be reached.",
  kept: "Nothing was changed.",
  hint: "Check that “countersign serve” is still running, then try again.",
};

export function httpHost(token: string | null): Host {
  return {
    async call<K extends CommandName>(name: K, args: Args<K>): Promise<Result<K>> {
      if (!token) {
        throw new HostError({
          code: "no-token",
          message: "This page has no token for the engine.",
          hint: "Open the whole address that “countersign serve” printed, with its #token=… part.",
        });
      }
      let response: Response;
      try {
        response = await fetch(`/api/${name}`, {
          method: "POST",
          headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
          body: JSON.stringify(args),
        });
      } catch (thrown) {
        throw hostError(thrown, UNREACHABLE);
      }
      let body: unknown;
      try {
        body = await response.json();
      } catch {
        body = undefined;
      }
      if (response.ok && body !== undefined) return body as Result<K>;
      throw hostError(body, {
        code: `http-${response.status}`,
        message: `The engine answered ${response.status} to “${name}”.`,
        hint: "Try again; if it stays, look at the output of “countersign serve”.",
      });
    },
    listen(listener) {
      if (!token) return () => {};
      const source = new EventSource(`/api/events?token=${encodeURIComponent(token)}`);
      let broken = false;
      source.onmessage = ({ data }) => listener.message(JSON.parse(data as string) as EventMessage);
      source.onerror = () => {
        if (!broken) listener.lost?.();
        broken = true;
      };
      source.onopen = () => {
        if (broken) listener.resumed();
        broken = false;
      };
      return () => source.close();
    },
  };
}
