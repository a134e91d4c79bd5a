/** Names that a wrong one may have meant. */
import { FuseError } from "../../src/errors.ts";

/** Names shown. */
const SHOWN = 5;

/** The names nearest to one that is not there, best first. */
export function nearNames(name: string, names: readonly string[]): string[] {
  const plain = (text: string) => text.toLowerCase().replace(/[^\p{L}\d]/gu, "");
  const own = plain(name);
  return [...new Set(names)].map((other) => {
    const its = plain(other);
    const within = its !== "" && own !== "" && (its.includes(own) || own.includes(its));
    const distance = editDistance(own.slice(0, 40), its.slice(0, 40));
    return { other, rank: its === own ? -1 : within ? Math.min(distance, 2) : distance };
  }).sort((a, b) => a.rank - b.rank).slice(0, SHOWN).map(({ other }) => other);
}

/** The failure of a descriptor that names what a file does not have. */
export function missing(
  what: string,
  name: string,
  names: readonly string[],
  place: { source: string; field?: string },
): FuseError {
  const near = nearNames(name, names);
  return new FuseError("Usage", `the mapping names a ${what} that is not there`, {
    ...place,
    found: `"${name}"`,
    expected: near.length
      ? `one of ${names.length}: ${near.map((n) => `"${n}"`).join(", ")}${
        names.length > near.length ? ", ..." : ""
      }`
      : `none: the file has no ${what}s`,
  });
}

/** Letters to change, add or leave out. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}
