// Rules of the house that a reader could break without noticing.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { describe, expect, it } from "vitest";

const SOURCE = join(import.meta.dirname, "..", "src");
const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" })
  .filter((name) => /\.(ts|svelte|css)$/.test(name))
  .map((name) => ({ name: name.split(sep).join("/"), text: readFileSync(join(SOURCE, name), "utf8") }));

function offenders(pattern: RegExp, allowed: (name: string) => boolean = () => false): string[] {
  return files.filter(({ name, text }) => !allowed(name) && pattern.test(text)).map(({ name }) => name);
}

describe("the window's sources", () => {
  it("are found", () => {
    expect(files.length).toBeGreaterThan(40);
    expect(relative(SOURCE, join(SOURCE, "host", "tauri.ts"))).toBe(["host", "tauri.ts"].join(sep));
  });

  it("touch Tauri in one file of one folder", () => {
    expect(offenders(/@tauri-apps|__TAURI/, (name) => name === "host/tauri.ts")).toEqual([]);
  });

  it("reach the network in the host's folder alone", () => {
    expect(offenders(/\bfetch\(|EventSource|XMLHttpRequest|WebSocket|sendBeacon/, (name) => name.startsWith("host/"))).toEqual([]);
  });

  it("import the host only through its door", () => {
    expect(offenders(/from "[^"]*\/host\/[^"]+"/, (name) => name.startsWith("host/"))).toEqual([]);
  });

  it("never put text into the page as HTML", () => {
    expect(offenders(/\{@html|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/)).toEqual([]);
  });

  it("have no style attribute in markup, which the content security policy would drop", () => {
    expect(offenders(/\sstyle="/)).toEqual([]);
  });

  it("load nothing from elsewhere", () => {
    expect(offenders(/https?:\/\/(?!www\.w3\.org)|url\(/, (name) => name.startsWith("host/"))).toEqual([]);
  });

  it("take colours from the tokens", () => {
    expect(offenders(/#[0-9a-f]{3,8}\s*[;,)]|\brgb\(/i, (name) => name === "tokens.css" || name.endsWith(".ts"))).toEqual([]);
  });

  it("know nothing of the fixtures", () => {
    expect(offenders(/tests\/fixture|FixtureHost/)).toEqual([]);
  });
});
