/** `params.py`: assignments of literals, of which phy needs five. It is read, never run. */
import type { ByteSource } from "../../src/source/source.ts";

/** Name of the file. */
export const PARAMS_FILE = "params.py";
/** Bytes of it that are read. */
const MOST_BYTES = 1 << 20;

/** A value a literal can have; anything else in the file is passed over. */
export type Literal = string | number | boolean | string[];

/** Values by name. */
export type Params = Map<string, Literal>;

/** Reads the assignments of a `params.py`. */
export async function readParams(file: ByteSource, signal?: AbortSignal): Promise<Params> {
  const bytes = await file.readUpTo(0, MOST_BYTES, { signal, purpose: "header" });
  return parseParams(new TextDecoder().decode(bytes));
}

const STRING = /^[rRuUbB]{0,2}(?:'([^'\n]*)'|"([^"\n]*)")/;
const NUMBER = /^[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/;
const NOT_A_NUMBER = /^(?:(?:np|numpy|math)\.nan|nan|float\(\s*["']nan["']\s*\))(?!\w)/i;
const NUMPY_TYPE = /^(?:np|numpy)\.(\w+)/;

/** The assignments `name = literal` of a text; the last one of a name counts. */
export function parseParams(text: string): Params {
  const params: Params = new Map();
  for (const match of text.matchAll(/^([A-Za-z_]\w*)[ \t]*=(?!=)[ \t]*/gm)) {
    const value = literalAt(text.slice(match.index + match[0].length, match.index + 65_536));
    if (value !== undefined) params.set(match[1], value);
  }
  return params;
}

function literalAt(text: string): Literal | undefined {
  const string = STRING.exec(text);
  if (string) return unescaped(string);
  if (text.startsWith("[") || text.startsWith("(")) return listAt(text.slice(1));
  const word = /^(True|False)\b/.exec(text);
  if (word) return word[1] === "True";
  if (NOT_A_NUMBER.test(text)) return NaN;
  const type = NUMPY_TYPE.exec(text);
  if (type) return type[1];
  const number = NUMBER.exec(text);
  // What follows must end the line: "3 * 10" is no literal.
  if (!number || !/^[ \t]*(?:#|;|\r|\n|$)/.test(text.slice(number[0].length))) return undefined;
  return Number(number[0].replaceAll("_", ""));
}

/** Backslashes of paths stay, doubled ones of plain strings become one. */
function unescaped(match: RegExpExecArray): string {
  const value = match[1] ?? match[2];
  return /^[rR]/.test(match[0]) ? value : value.replaceAll("\\\\", "\\");
}

/** Strings of a list or tuple, over lines. */
function listAt(text: string): string[] | undefined {
  const out: string[] = [];
  let rest = text;
  for (;;) {
    rest = rest.replace(/^(?:[\s,]+|#[^\n]*)+/, "");
    if (/^[\])]/.test(rest)) return out;
    const match = STRING.exec(rest);
    if (!match) return undefined;
    out.push(unescaped(match));
    rest = rest.slice(match[0].length);
  }
}

/** Names of the recording's files, without folders, in the order of time. */
export function dataFiles(params: Params): string[] {
  const value = params.get("dat_path");
  const paths = typeof value === "string" ? [value] : Array.isArray(value) ? value : [];
  return paths.map((path) => path.split(/[\\/]/).at(-1)!.trim()).filter((name) => name !== "");
}

/** True when `params` names the file and says how many channels of what type it has. */
export function describes(params: Params, name: string): boolean {
  return dataFiles(params).some((file) => file.toLowerCase() === name.toLowerCase()) &&
    params.has("n_channels_dat") && params.has("dtype");
}
