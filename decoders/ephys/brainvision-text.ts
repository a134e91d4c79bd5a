/** Text of BrainVision header and marker files: code pages, sections, keys, fields. */
import { decodeAnsi } from "./ansi-text.ts";

/** A file that begins like this is a header or a marker file. */
const HEADER = /^\s*Brain ?Vision\b.*\bHeader\b/i;
const MARKERS = /^\s*Brain ?Vision\b.*\bMarker\b/i;

/** What a file is by its first line: "header", "markers", or undefined. */
export function kindOf(head: Uint8Array): "header" | "markers" | undefined {
  const [line] = decodeAnsi(withoutMark(head.subarray(0, 256))).split(/[\r\n]/, 1);
  return HEADER.test(line) ? "header" : MARKERS.test(line) ? "markers" : undefined;
}

function withoutMark(bytes: Uint8Array): Uint8Array {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
}

/** Names of code pages that are not labels of the Encoding Standard. */
const PAGES: Record<string, string> = {
  "ansi": "windows-1252",
  "utf8": "utf-8",
  "932": "shift_jis",
  "936": "gbk",
  "949": "euc-kr",
  "950": "big5",
};

/**
 * The function that turns bytes of a file into text: by its "Codepage" where it has one, else UTF-8 when
 * it is well-formed, else the Western code page of Windows.
 */
export function decoderFor(head: Uint8Array): (bytes: Uint8Array) => string {
  const [, stated] = /^\s*Codepage\s*=\s*(\S+)/im.exec(latin(head)) ?? [];
  const page = stated?.toLowerCase();
  if (page && page !== "utf-8" && page !== "ansi") {
    const label = PAGES[page] ?? (/^12\d\d$/.test(page) ? `windows-${page}` : page);
    try {
      const decoder = new TextDecoder(label);
      return (bytes) => decoder.decode(bytes);
    } catch {
      // Not a code page anyone knows: as if it had not been stated.
    }
  }
  // UTF-8 is promised and not always kept.
  return (bytes) => decodeAnsi(withoutMark(bytes));
}

function latin(bytes: Uint8Array): string {
  let text = "";
  const end = Math.min(bytes.length, 8192);
  for (let i = 0; i < end; i++) text += String.fromCharCode(bytes[i]);
  return text;
}

/** Sections of a file by their lower-cased names; keys are lower-cased too. */
export interface IniSection {
  /** As written. */
  name: string;
  entries: Map<string, string>;
  /** Keys as written. */
  keys: string[];
}

/** A header file: its sections, and the free text of the last one. */
export interface IniFile {
  firstLine: string;
  sections: Map<string, IniSection>;
  comment: string;
}

/** Splits a file into sections; "[Comment]" and all that follows it is free text. */
export function parseIni(text: string): IniFile {
  const lines = text.split(/\r\n|\r|\n/);
  const file: IniFile = { firstLine: lines[0].trim(), sections: new Map(), comment: "" };
  let section: IniSection | undefined;
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i].trim();
    if (line === "" || line.startsWith(";")) continue;
    const [, name] = /^\[(.+)\]$/.exec(line) ?? [];
    if (name !== undefined) {
      const key = name.trim().toLowerCase();
      if (key === "comment") {
        file.comment = lines.slice(i + 1).join("\n").trim();
        break;
      }
      section = file.sections.get(key) ?? { name: name.trim(), entries: new Map(), keys: [] };
      file.sections.set(key, section);
      continue;
    }
    const equals = line.indexOf("=");
    if (!section || equals < 0) continue;
    const key = line.slice(0, equals).trim();
    section.entries.set(key.toLowerCase(), line.slice(equals + 1).trim());
    section.keys.push(key);
  }
  return file;
}

/** Fields of an entry: parted by commas, and "\1" stands for a comma inside one. */
export function fieldsOf(entry: string): string[] {
  return entry.split(",").map((field) => field.replaceAll("\\1", ",").trim());
}

/** ISO 8601 local time of "YYYYMMDDhhmmssuuuuuu", and microseconds since 1970; undefined for what is none. */
export function dateOf(
  text: string | undefined,
): { iso: string; microseconds: bigint } | undefined {
  const found = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d{6})$/.exec(text ?? "");
  if (!found) return undefined;
  const [year, month, day, hours, minutes, seconds, micro] = found.slice(1).map(Number);
  const time = Date.UTC(year, month - 1, day, hours, minutes, seconds);
  const back = new Date(time);
  const isDate = year >= 1900 && back.getUTCMonth() === month - 1 && back.getUTCDate() === day &&
    hours < 24 && minutes < 60 && seconds < 60;
  if (!isDate) return undefined;
  return {
    iso: `${back.toISOString().slice(0, 19)}.${found[7]}`,
    microseconds: BigInt(time) * 1000n + BigInt(micro),
  };
}
