import { expect, it } from "vitest";
import { parsePlace, placePath, type Place } from "../src/lib/place.svelte";

it.each<Place>([
  { screen: "review", clone: null, change: null, tab: "plan" },
  { screen: "review", clone: "live", change: 'feature/<u>odd</u> name & "x" %2F', tab: "diff" },
  { screen: "runs", run: null },
  { screen: "runs", run: "run/1" },
  { screen: "audit", statement: "sha256:ab/c" },
  { screen: "settings", section: "keys" },
])("%j survives the address", (place) => expect(parsePlace(placePath(place))).toEqual(place));

it.each(["", "#", "#/", "#/nonsense/x/y", "#token=full.me&place=/review/a/b", "#/review/onlyclone", "#/%E0%A4%A"])(
  "%s is the review screen without a change",
  (hash) => {
    expect(parsePlace(hash)).toMatchObject({ screen: "review", change: null });
  },
);

it("an unknown tab is the plan: a link cannot name an act", () => {
  expect(parsePlace("#/review/live/x/approve")).toMatchObject({ tab: "plan" });
});
