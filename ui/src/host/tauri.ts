// The host inside the desktop window.
import { invoke } from "@tauri-apps/api/core";
import { listen } from "@tauri-apps/api/event";
import type { EventMessage } from "./generated";
import { hostError, type Args, type CommandName, type Host, type Result } from "./host";

export function insideTauri(): boolean {
  return "__TAURI_INTERNALS__" in window;
}

/** Ends a subscription that may not have begun yet. */
function ending(begun: Promise<() => void>): () => void {
  return () => void begun.then((end) => end());
}

export function tauriHost(): Host {
  return {
    async call<K extends CommandName>(name: K, args: Args<K>): Promise<Result<K>> {
      try {
        return await invoke<Result<K>>(name, { args });
      } catch (thrown) {
        throw hostError(thrown, {
          code: "host",
          message: "The app's core did not answer as expected.",
          hint: "Try again; if it stays, restart Countersign.",
        });
      }
    },
    listen(listener) {
      return ending(listen<EventMessage>("engine-event", ({ payload }) => listener.message(payload)));
    },
    places(open) {
      return ending(listen<string>("open-place", ({ payload }) => open(payload)));
    },
  };
}
