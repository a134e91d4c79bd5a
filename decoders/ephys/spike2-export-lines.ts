/** The lines of text of a Spike2 export, and where the numbers between them are. */
import { FuseError } from "../../src/errors.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";
import { loadWasm } from "../wasm/instance.ts";
import { ExtentReader } from "./extents.ts";
import { decodeText } from "./spike2-text.ts";

/** Bytes scanned at once; no line of text may be longer. */
const WINDOW_BYTES = 1 << 20;
const LINES = 8192, LINE_BYTES = 32, STATE_BYTES = 32;
/** Lines of text a file may have, besides those of spikes. */
const MOST_LINES = 1 << 20;
/** What the line of a spike begins with. */
const SPIKE = new TextEncoder().encode('"WAVMK"');
const BYTE_ORDER_MARK = "\ufeff";

/** A range of lines of numbers. */
export interface NumberRange {
  /** Byte of the first line, and behind the last. */
  start: number;
  end: number;
  /** Lines that are not blank. */
  lines: number;
}

/** Spikes of a WaveMark channel: a line and its points each, one spike after another. */
export class SpikeIndex {
  length = 0;
  /** Byte of each spike's line, and behind its last point. */
  start = new Float64Array(16);
  end = new Float64Array(16);
  /** Lines of points. */
  lines = new Float64Array(16);

  push(start: number, end: number): void {
    if (this.length === this.start.length) {
      const grow = (old: Float64Array) => {
        const next = new Float64Array(2 * old.length);
        next.set(old);
        return next;
      };
      [this.start, this.end, this.lines] = [grow(this.start), grow(this.end), grow(this.lines)];
    }
    this.start[this.length] = start;
    this.end[this.length++] = end;
  }
}

/** One line of text, with the numbers that follow it; or a row of spikes. */
export interface TextLine {
  offset: number;
  /** Without quotes. */
  fields: string[];
  /** Which fields stood in quotes. */
  quoted: boolean[];
  numbers: NumberRange | null;
  /** This line's spike and those directly after it. */
  spikes?: SpikeIndex;
}

/** Goes through the whole file once. @throws FuseError `Limit` for too many or too long lines */
export async function readLines(
  source: ByteSource,
  size: number,
  signal?: AbortSignal,
): Promise<TextLine[]> {
  const wasm = await loadWasm("ephys");
  const reader = new ExtentReader(source, [{ start: 0, offset: 0, length: size }], signal);
  const window = wasm.alloc(WINDOW_BYTES);
  const state = wasm.alloc(STATE_BYTES);
  const rows = wasm.alloc(LINES * LINE_BYTES);
  const found: TextLine[] = [];
  try {
    wasm.view(state, STATE_BYTES).fill(0);
    for (let base = 0; base < size;) {
      const length = Math.min(WINDOW_BYTES, size - base);
      const bytes = await reader.read(base, length);
      wasm.view(window, length).set(bytes);
      const last = base + length === size ? 1 : 0;
      const count = wasm.call("text_sections", [window, length, base, last, state, rows, LINES]);
      const view = viewOf(wasm.view(rows, count * LINE_BYTES));
      for (let at = 0; at < count * LINE_BYTES; at += LINE_BYTES) {
        closeLine(found, view, at + 8);
        const offset = view.getUint32(at, true), length = view.getUint32(at + 4, true);
        const start = base + offset;
        const spike = SPIKE.every((byte, i) => bytes[offset + i] === byte);
        const row = found.at(-1)?.spikes;
        if (!spike || !row) found.push(lineAt(bytes, offset, length, base));
        if (spike) (row ?? (found.at(-1)!.spikes = new SpikeIndex())).push(start, start + length);
      }
      if (found.length > MOST_LINES) throw tooMany(source);
      const used = viewOf(wasm.view(state, STATE_BYTES)).getUint32(24, true);
      if (used === 0) throw tooLong(source, base);
      base += used;
    }
    closeLine(found, viewOf(wasm.view(state, STATE_BYTES)), 0);
    return found;
  } finally {
    wasm.free(window, WINDOW_BYTES);
    wasm.free(state, STATE_BYTES);
    wasm.free(rows, LINES * LINE_BYTES);
  }
}

/** Gives the last line the numbers that were counted since. */
function closeLine(found: TextLine[], view: DataView, at: number): void {
  const lines = view.getFloat64(at, true);
  const last = found.at(-1);
  if (lines === 0 || !last) return;
  const [start, end] = [view.getFloat64(at + 8, true), view.getFloat64(at + 16, true)];
  const { spikes } = last;
  if (spikes) {
    spikes.end[spikes.length - 1] = end;
    spikes.lines[spikes.length - 1] = lines;
  } else last.numbers = { start, end, lines };
}

function lineAt(bytes: Uint8Array, offset: number, length: number, base: number): TextLine {
  const text = decodeText(bytes.subarray(offset, offset + length), "windows-1252");
  const line = base + offset === 0 ? text.replace(BYTE_ORDER_MARK, "") : text;
  return { offset: base + offset, ...splitFields(line), numbers: null };
}

/** Fields of a line: in quotes (doubled inside), or up to a separator. */
export function splitFields(line: string): { fields: string[]; quoted: boolean[] } {
  const fields: string[] = [], quoted: boolean[] = [];
  const pattern = /"((?:[^"]|"")*)"?|([^\t,;"]+)|[\t,;]/gy;
  let match: RegExpExecArray | null;
  while ((match = pattern.exec(line)) !== null) {
    const [, inQuotes, plain] = match;
    if (inQuotes !== undefined) {
      fields.push(inQuotes.replaceAll('""', '"'));
      quoted.push(true);
    } else if (plain !== undefined && plain.trim() !== "") {
      // Blanks separate, too.
      for (const part of plain.trim().split(/\s+/)) {
        fields.push(part);
        quoted.push(false);
      }
    }
  }
  return { fields, quoted };
}

/** A field as a number; NaN for what is none. */
export function numberOf(field: string | undefined): number {
  return field === undefined || field.trim() === "" ? NaN : Number(field);
}

function tooMany(source: ByteSource): FuseError {
  return new FuseError("Limit", "more lines of text than a Spike2 export can have", {
    source: source.name,
    expected: `at most ${MOST_LINES}`,
  });
}

function tooLong(source: ByteSource, offset: number): FuseError {
  return new FuseError("Limit", "a line is too long", {
    source: source.name,
    offset,
    expected: `at most ${WINDOW_BYTES} bytes`,
  });
}
