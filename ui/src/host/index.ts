// What the rest of the UI may import.
import type { Host } from "./host";
import { httpHost, takeToken } from "./http";
import { insideTauri, tauriHost } from "./tauri";

export type * from "./generated";
export * from "./host";
export * from "./queries";

/** The host this page runs in. */
export function findHost(): Host {
  if (insideTauri()) return tauriHost();
  return httpHost(takeToken(window.location, window.history, window.sessionStorage));
}
