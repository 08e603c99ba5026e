// Light, dark, or as the system says. The document carries the outcome; the stylesheet has the two sets of colours.
import type { Theme } from "../host";
import { remembered } from "./remembered.svelte";

const systemDark = window.matchMedia?.("(prefers-color-scheme: dark)");

function paint(theme: string): void {
  const dark = theme === "dark" || (theme !== "light" && systemDark?.matches);
  document.documentElement.dataset["theme"] = dark ? "dark" : "light";
}

/** Shows a theme and remembers it, so that the next start does not flash. */
export function useTheme(theme: Theme): void {
  if (remembered.theme.value !== theme) remembered.theme.value = theme;
  paint(theme);
}

/** Paints the last theme at once and follows the system. */
export function startTheme(): void {
  paint(remembered.theme.value);
  systemDark?.addEventListener("change", () => paint(remembered.theme.value));
}
