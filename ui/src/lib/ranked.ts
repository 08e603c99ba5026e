// Finding by a few letters: every word of the query stands in the text, or its letters stand there in order.

/** How well `text` answers `query`, higher is better; null when it does not. */
export function score(text: string, query: string): number | null {
  const haystack = text.toLowerCase();
  let total = 0;
  for (const word of query.toLowerCase().split(/\s+/).filter(Boolean)) {
    const start = haystack.indexOf(word);
    if (start >= 0) {
      const wordBegins = start === 0 || /[^a-z0-9]/.test(haystack[start - 1] ?? "");
      total += wordBegins ? 3 : 2;
      continue;
    }
    let from = 0;
    for (const letter of word) {
      const at = haystack.indexOf(letter, from);
      if (at < 0) return null;
      from = at + 1;
    }
    total += 0.5;
  }
  return total;
}

/** What answers `query`: the groups keep their order by their best answer, and all keep their places when nothing was asked. */
export function ranked<T extends { section: string }>(items: readonly T[], query: string, text: (item: T) => string): T[] {
  if (!query.trim()) return [...items];
  const scored = items.flatMap((item) => {
    const points = score(text(item), query);
    return points === null ? [] : [{ item, points }];
  });
  const best = new Map<string, number>();
  for (const { item, points } of scored) best.set(item.section, Math.max(points, best.get(item.section) ?? 0));
  scored.sort((a, b) => {
    const sections = (best.get(b.item.section) ?? 0) - (best.get(a.item.section) ?? 0);
    if (sections !== 0 || a.item.section === b.item.section) return sections || b.points - a.points;
    return a.item.section < b.item.section ? -1 : 1;
  });
  return scored.map(({ item }) => item);
}
