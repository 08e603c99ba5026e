// Where the window is. It stands in the address as `#/…`, so that back, forward, reload and deep links work.
export const CHANGE_TABS = ["plan", "diff", "history"] as const;
export type ChangeTab = (typeof CHANGE_TABS)[number];
export const SETTINGS_SECTIONS = ["clones", "keys", "tools", "appearance"] as const;
export type SettingsSection = (typeof SETTINGS_SECTIONS)[number];

export type Place =
  | { screen: "review"; clone: string | null; change: string | null; tab: ChangeTab }
  | { screen: "runs"; run: string | null }
  | { screen: "audit"; statement: string | null }
  | { screen: "settings"; section: SettingsSection };

function oneOf<T extends string>(allowed: readonly T[], text: string | undefined, fallback: T): T {
  return allowed.find((value) => value === text) ?? fallback;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Reads a `#/…` path. Whatever cannot be read is the review screen. */
export function parsePlace(hash: string): Place {
  const [screen, first, second, third] = hash
    .replace(/^#?\/?/, "")
    .split("/")
    .map(decoded);
  if (screen === "runs") return { screen, run: first || null };
  if (screen === "audit") return { screen, statement: first || null };
  if (screen === "settings") return { screen, section: oneOf(SETTINGS_SECTIONS, first, "clones") };
  if (screen !== "review") return { screen: "review", clone: null, change: null, tab: "plan" };
  return { screen, clone: first || null, change: (first && second) || null, tab: oneOf(CHANGE_TABS, third, "plan") };
}

export function placePath(place: Place): string {
  const parts: (string | null)[] = [place.screen];
  if (place.screen === "review" && place.clone && place.change) parts.push(place.clone, place.change, place.tab);
  if (place.screen === "runs") parts.push(place.run);
  if (place.screen === "audit") parts.push(place.statement);
  if (place.screen === "settings") parts.push(place.section);
  return `#/${parts
    .filter((part) => part !== null)
    .map(encodeURIComponent)
    .join("/")}`;
}

class Whereabouts {
  now = $state.raw<Place>(parsePlace(window.location.hash));

  /** Goes to a place; `replace` leaves no step to go back to. */
  go(place: Place, step: "push" | "replace" = "push"): void {
    const path = placePath(place);
    if (path !== window.location.hash) {
      if (step === "push") window.history.pushState(null, "", path);
      else window.history.replaceState(null, "", path);
    }
    this.now = place;
  }

  open(path: string): void {
    this.go(parsePlace(path));
  }

  /** Follows back and forward until the returned function is called. */
  follow(): () => void {
    const read = () => (this.now = parsePlace(window.location.hash));
    window.addEventListener("popstate", read);
    window.addEventListener("hashchange", read);
    return () => {
      window.removeEventListener("popstate", read);
      window.removeEventListener("hashchange", read);
    };
  }
}

export const whereabouts = new Whereabouts();
