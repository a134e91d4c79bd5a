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
  clean = cutBytes(clean, SEGMENT_BYTES).trim().replace(/\.+$/, "");
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

/** Gives each name its own segment: repeats (also those that differ in case only) get `_2`, `_3` ... */
export class UniqueNames {
  readonly #taken = new Set<string>();

  take(name: string, fallback = "unnamed"): string {
    const base = segmentName(name, fallback);
    let candidate = base;
    for (let n = 2; this.#taken.has(candidate.toLowerCase()); n++) candidate = `${base}_${n}`;
    this.#taken.add(candidate.toLowerCase());
    return candidate;
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
  const taken = new UniquePaths();
  const renamed = new Map<string, string>();
  for (const array of dataset.arrays) {
    const path = taken.take(pathName(array.path));
    if (!renamed.has(array.path)) renamed.set(array.path, path);
    array.path = path;
  }
  for (const digital of dataset.digital) {
    digital.array = renamed.get(digital.array) ?? digital.array;
  }
  for (const table of dataset.events) {
    const names = new UniqueNames();
    for (const column of table.columns) column.name = names.take(column.name, "column");
  }
  if (dataset.documents) {
    dataset.documents = Object.fromEntries(
      Object.entries(dataset.documents).map(([key, text]) => [taken.take(pathName(key)), text]),
    );
  }
}

class UniquePaths {
  readonly #taken = new Set<string>();

  take(path: string): string {
    let candidate = path;
    for (let n = 2; this.#taken.has(candidate.toLowerCase()); n++) candidate = `${path}_${n}`;
    this.#taken.add(candidate.toLowerCase());
    return candidate;
  }
}
