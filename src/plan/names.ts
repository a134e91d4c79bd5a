/** Names of groups and arrays inside a store. */

/**
 * A name as one path segment of a store: no slashes, no control characters, not "." or "..", not one of
 * the names zarr keeps for itself. Everything else, spaces and letters of any script, stays.
 */
export function segmentName(name: string, fallback: string): string {
  // deno-lint-ignore no-control-regex
  let clean = name.replace(/[\u0000-\u001f\u007f/\\]/g, "_").trim();
  if (clean.length > 120) clean = clean.slice(0, 120).trim();
  if (clean === "" || /^\.+$/.test(clean)) clean = fallback;
  if (/^(__.*|zarr\.json|\.z(array|group|attrs|metadata))$/i.test(clean)) {
    clean = `_${clean.replace(/^[_.]+/, "")}`;
  }
  return clean;
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
