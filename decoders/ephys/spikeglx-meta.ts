/** The `.meta` file of a SpikeGLX recording: `key=value` lines, tables under keys that begin with `~`. */
import { type ErrorDetails, FuseError } from "../../src/errors.ts";

/** A parsed `.meta` file. */
export interface SpikeglxMeta {
  /** File name, for messages. */
  source: string;
  /** Values by key, without the `~` of tables. */
  values: Map<string, string>;
}

/** Name of another file of the set: the same name with another extension. */
export function partnerName(name: string, extension: "" | ".meta"): string {
  return name.replace(/\.(meta|c?bin|ch)$/i, "") + extension;
}

/** True for the beginning of a `.meta` file: lines of the kind, and keys every version writes. */
export function looksLikeMeta(head: Uint8Array): boolean {
  const text = new TextDecoder().decode(head.subarray(0, 8192));
  if (!/^~?[A-Za-z]\w*\s*=/.test(text)) return false;
  const keys = ["fileCreateTime", "fileName", "fileSizeBytes", "fileTimeSecs", "nSavedChans"];
  return keys.filter((key) => new RegExp(`^${key}\\s*=`, "m").test(text)).length >= 3;
}

/** Parses the text of a `.meta` file; later lines of the same key do not count. */
export function parseMeta(text: string, source: string): SpikeglxMeta {
  const values = new Map<string, string>();
  for (const line of text.split(/\r\n|\r|\n/)) {
    const equals = line.indexOf("=");
    if (equals < 1) continue;
    const key = line.slice(0, equals).trim().replace(/^~/, "");
    if (!values.has(key)) values.set(key, line.slice(equals + 1).trim());
  }
  return { source, values };
}

/** The failure of a field that is missing or wrong. */
export function wrongField(
  meta: SpikeglxMeta,
  field: string,
  expected: string,
  more: ErrorDetails = {},
): FuseError {
  return new FuseError("Corrupt", "a field of the .meta file is missing or wrong", {
    source: meta.source,
    format: "spikeglx",
    field,
    found: meta.values.get(field) ?? "nothing",
    expected,
    ...more,
  });
}

/** A number, or undefined where the field is absent or empty. @throws FuseError for other text. */
export function numberOf(meta: SpikeglxMeta, field: string): number | undefined {
  const text = meta.values.get(field);
  if (text === undefined || text === "") return undefined;
  const value = Number(text);
  if (!Number.isFinite(value)) throw wrongField(meta, field, "a number");
  return value;
}

/** A number that must be there and be greater than 0. */
export function positiveOf(meta: SpikeglxMeta, field: string): number {
  const value = numberOf(meta, field);
  if (value === undefined || value <= 0) throw wrongField(meta, field, "a number above 0");
  return value;
}

/** Counts separated by commas, exactly `length` of them; undefined where the field is absent. */
export function countsOf(
  meta: SpikeglxMeta,
  field: string,
  length: number,
): number[] | undefined {
  const text = meta.values.get(field);
  if (text === undefined || text === "") return undefined;
  const counts = text.split(",").map((part) => part.trim() === "" ? NaN : Number(part));
  if (counts.length !== length || !counts.every((n) => Number.isSafeInteger(n) && n >= 0)) {
    throw wrongField(meta, field, `${length} counts`);
  }
  return counts;
}

/** Numbers of a list such as `0:383,768`, at most `most` of them. */
export function rangesOf(meta: SpikeglxMeta, field: string, most: number): number[] {
  const out: number[] = [];
  for (const item of (meta.values.get(field) ?? "").split(",")) {
    if (item.trim() === "") continue;
    const match = /^\s*(\d{1,9})(?:\s*:\s*(\d{1,9}))?\s*$/.exec(item);
    const first = Number(match?.[1]), last = Number(match?.[2] ?? match?.[1]);
    if (!match || last < first || out.length + last - first + 1 > most) {
      throw wrongField(meta, field, `a list of at most ${most} numbers such as 0:3,5`);
    }
    for (let n = first; n <= last; n++) out.push(n);
  }
  return out;
}

/** The parts in brackets of a table such as `(0,384)(0 0 1 500 250)`. */
export function tableOf(meta: SpikeglxMeta, field: string): string[] {
  return [...(meta.values.get(field) ?? "").matchAll(/\(([^()]*)\)/g)].map((m) => m[1]);
}
