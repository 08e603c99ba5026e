// A diff as one flat list of rows, unified or side by side.
import type { Diff, DiffFile, DiffLine } from "../../host";

export type DiffItem =
  | { kind: "file"; key: string; file: DiffFile; unfolded: boolean }
  | { kind: "hunk"; key: string; header: string }
  | { kind: "line"; key: string; line: DiffLine }
  | { kind: "pair"; key: string; left: DiffLine | null; right: DiffLine | null }
  | { kind: "note"; key: string; text: string };

export function fileKey(path: string): string {
  return `file ${path}`;
}

/** Puts removed lines beside the added ones that follow them. */
export function pairs(lines: readonly DiffLine[]): { left: DiffLine | null; right: DiffLine | null }[] {
  const rows: { left: DiffLine | null; right: DiffLine | null }[] = [];
  let removed: DiffLine[] = [];
  let added: DiffLine[] = [];
  const flush = () => {
    for (let index = 0; index < Math.max(removed.length, added.length); index += 1) {
      rows.push({ left: removed[index] ?? null, right: added[index] ?? null });
    }
    removed = [];
    added = [];
  };
  for (const line of lines) {
    if (line.kind === "removed") {
      if (added.length > 0) flush();
      removed.push(line);
    } else if (line.kind === "added") added.push(line);
    else {
      flush();
      rows.push({ left: line, right: line });
    }
  }
  flush();
  return rows;
}

export function diffItems(diff: Diff, layout: "unified" | "split", unfolded: (file: DiffFile) => boolean): DiffItem[] {
  const items: DiffItem[] = [];
  for (const file of diff.files) {
    const key = fileKey(file.path);
    const open = unfolded(file);
    items.push({ kind: "file", key, file, unfolded: open });
    if (open) pushFile(items, key, file, layout);
  }
  if (diff.truncated)
    items.push({
      kind: "note",
      key: "truncated",
      text: "The diff is longer than what is shown here. Look at the rest with git diff in the clone.",
    });
  return items;
}

function pushFile(items: DiffItem[], key: string, file: DiffFile, layout: "unified" | "split"): void {
  if (file.binary) items.push({ kind: "note", key: `${key} binary`, text: "A binary file: its content is not shown." });
  else if (file.hunks.length === 0)
    items.push({ kind: "note", key: `${key} empty`, text: "No line changes: the file was renamed, or only its mode changed." });
  file.hunks.forEach((hunk, place) => {
    items.push({ kind: "hunk", key: `${key} ${place}`, header: hunk.header });
    if (layout === "unified") hunk.lines.forEach((line, index) => items.push({ kind: "line", key: `${key} ${place} ${index}`, line }));
    else pairs(hunk.lines).forEach((pair, index) => items.push({ kind: "pair", key: `${key} ${place} ${index}s`, ...pair }));
  });
  if (file.truncated)
    items.push({ kind: "note", key: `${key} truncated`, text: "This file's diff is cut here: it is too long to show whole." });
}
