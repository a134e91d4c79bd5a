/** Names of groups and arrays inside a store. */
import type { Dataset } from "../model/dataset.ts";

/** Bytes of a segment; file systems take 255, and a number may follow. */
const SEGMENT_BYTES = 200;

/**
 * A name as one path segment of a store: no slashes, no control characters, none that end or escape a
 * segment of a URL (`%`, `?`, `#`, `:`) or that Windows refuses, not "." or "..", not one of the names
 * zarr keeps for itself, not longer than a file's name may be. Everything else, spaces and letters of
 * any script, stays.
 */
export function segmentName(name: string, fallback: string): string {
  let clean = name.toWellFormed().normalize("NFC")
    // deno-lint-ignore no-control-regex
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069/\\%?#:*"<>|]/g, "_").trim();
  clean = cutBytes(clean, SEGMENT_BYTES).replace(/[.\s]+$/, "");
  if (clean === "") clean = fallback;
  if (/^(__.*|zarr\.json|\.z(array|group|attrs|metadata))$/i.test(clean)) {
    clean = `_${clean.replace(/^[_.]+/, "")}`;
  }
  return clean;
}

/** The longest start of `text` that takes at most `most` bytes of UTF-8. */
function cutBytes(text: string, most: number): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(most));
  return text.slice(0, read);
}

/** Numbers what comes again, also in another case: `name`, `name_2`, `name_3` ... */
class Distinct {
  /** Lower-cased names, each with the number its next repeat tries. */
  readonly #taken = new Map<string, number>();

  take(name: string): string {
    const key = name.toLowerCase();
    let number = this.#taken.get(key);
    let candidate = name;
    if (number !== undefined) {
      do candidate = `${name}_${number++}`; while (this.#taken.has(candidate.toLowerCase()));
    }
    this.#taken.set(key, number ?? 2);
    if (candidate !== name) this.#taken.set(candidate.toLowerCase(), 2);
    return candidate;
  }
}

/** Gives each name its own segment: repeats (also those that differ in case only) get `_2`, `_3` ... */
export class UniqueNames {
  readonly #distinct = new Distinct();

  take(name: string, fallback = "unnamed"): string {
    return this.#distinct.take(segmentName(name, fallback));
  }
}

/** A path whose every segment is a {@link segmentName}. */
export function pathName(path: string): string {
  return path.split("/").map((part) => segmentName(part, "unnamed")).join("/");
}

/**
 * Makes the paths that a reader gave to arrays, columns and documents fit for a store, each its own:
 * parts of them come out of files.
 */
export function nameSafely(dataset: Dataset): void {
  const paths = new Distinct();
  const renamed = new Map<string, string[]>();
  for (const group of dataset.groups ?? []) group.path = pathName(group.path);
  for (const array of dataset.arrays) {
    const given = array.path;
    array.path = paths.take(pathName(given));
    const same = renamed.get(given);
    if (same) same.push(array.path);
    else renamed.set(given, [array.path]);
  }
  for (const digital of dataset.digital) {
    const to = renamed.get(digital.array);
    if (to) digital.array = to.length > 1 ? to.shift()! : to[0];
  }
  for (const table of dataset.events) {
    const names = new UniqueNames();
    for (const column of table.columns) column.name = names.take(column.name, "column");
  }
  if (dataset.documents) {
    dataset.documents = Object.fromEntries(
      Object.entries(dataset.documents).map(([key, text]) => [paths.take(pathName(key)), text]),
    );
  }
}
