/**
 * Samples written as text: one line a sample with a number for each channel (multiplexed), or one line a
 * channel with a number for each sample (vectorized). Lines of any length; a pass holds one piece of the file.
 */
import { FuseError } from "../../src/errors.ts";
import type { StreamBlock } from "../../src/model/dataset.ts";
import type { ByteSource } from "../../src/source/source.ts";
import type { AsciiForm } from "./brainvision-header.ts";

/** Id of the stream of samples. */
export const SAMPLES = "samples";
/** Bytes of a piece. */
const PIECE_BYTES = 1 << 20;
/** Bytes of the longest number or name. */
const WORD_BYTES = 1 << 16;
/** Numbers of a block. */
const BLOCK = 1 << 17;

const TAB = 0x09, LF = 0x0a, CR = 0x0d, SPACE = 0x20, COMMA = 0x2c, SEMICOLON = 0x3b;

/** A text file of samples. */
export interface AsciiData extends AsciiForm {
  source: ByteSource;
  channels: number;
  isVectorized: boolean;
}

/** How many samples there are, as counted. */
export interface AsciiSurvey {
  /** Samples of each channel: of the shortest where they differ. */
  samples: number;
  /** Lines with another number of values than the others. */
  oddLines: number;
  /** Channels that have a line of their own; vectorized only. */
  lines: number;
}

/** Told of each word and of each end of a line that has words. */
interface WordListener {
  /** The word in column `column` of line `line`, both counted from 0 without what is skipped. */
  word(bytes: Uint8Array, from: number, end: number, line: number, column: number): void;
  /** A line with `columns` words ended. */
  line(line: number, columns: number): void;
}

/** Splits the file into lines and words; yields after every piece. */
async function* words(
  data: AsciiData,
  listener: WordListener,
  signal?: AbortSignal,
): AsyncGenerator<void> {
  const { source, skipLines, skipColumns, decimal } = data;
  const size = source.size ?? 0;
  const isGap = new Uint8Array(256);
  for (const code of [TAB, SPACE, SEMICOLON, LF, CR]) isGap[code] = 1;
  if (decimal !== ",") isGap[COMMA] = 1;
  let carry = new Uint8Array(0);
  let rawLine = 0, line = 0, column = 0;
  for (let at = 0; at < size; at += PIECE_BYTES) {
    const length = Math.min(PIECE_BYTES, size - at);
    const piece = await source.read(at, length, { signal, purpose: "bulk" });
    const isLast = at + length === size;
    // A closing line end makes the last word like any other.
    const bytes = new Uint8Array(carry.length + length + (isLast ? 1 : 0));
    bytes.set(carry);
    bytes.set(piece, carry.length);
    if (isLast) bytes[bytes.length - 1] = LF;
    let from = -1;
    for (let i = 0; i < bytes.length; i++) {
      const code = bytes[i];
      if (isGap[code] === 0) {
        if (from < 0) from = i;
        continue;
      }
      if (from >= 0) {
        if (rawLine >= skipLines && column >= skipColumns) {
          listener.word(bytes, from, i, line, column - skipColumns);
        }
        column++;
        from = -1;
      }
      if (code !== LF) continue;
      if (rawLine >= skipLines && column > skipColumns) {
        listener.line(line, column - skipColumns);
        line++;
      }
      rawLine++;
      column = 0;
    }
    carry = from < 0 ? new Uint8Array(0) : bytes.slice(from);
    if (carry.length > WORD_BYTES) {
      throw new FuseError("Corrupt", "text without numbers among the samples", {
        source: source.name,
        format: "brainvision",
        offset: at,
      });
    }
    yield;
  }
}

/** Counts the samples of a file. */
export async function surveyAscii(data: AsciiData, signal?: AbortSignal): Promise<AsciiSurvey> {
  const { channels, isVectorized } = data;
  let shortest = Infinity, lines = 0, odd = 0, first = 0;
  const pass = words(data, {
    word() {},
    line(line, columns) {
      if (line === 0) first = isVectorized ? columns : channels;
      if (isVectorized && line >= channels) return;
      lines++;
      if (columns !== first) odd++;
      shortest = Math.min(shortest, columns);
    },
  }, signal);
  for await (const _ of pass);
  if (isVectorized) return { samples: lines ? shortest : 0, oddLines: odd, lines };
  return { samples: lines, oddLines: odd, lines };
}

/**
 * Blocks of samples. Multiplexed: field "samples", C-order `[channel, count]`; vectorized: field
 * "channel_<number>" for each channel in turn. Words that are no numbers, and values a line lacks, are NaN.
 */
export async function* readAscii(
  data: AsciiData,
  samples: number,
  signal?: AbortSignal,
): AsyncGenerator<StreamBlock> {
  const { channels, isVectorized, decimal } = data;
  const ready: StreamBlock[] = [];
  const room = isVectorized ? BLOCK : Math.max(1, Math.floor(BLOCK / channels));
  let block = new Float64Array(isVectorized ? room : room * channels);
  let filled = 0, bad = 0;
  /** Gives out the `filled` samples of the block. */
  const flush = (field: string) => {
    if (filled === 0) return;
    let values = block;
    if (filled < room) {
      values = new Float64Array(filled * (isVectorized ? 1 : channels));
      if (isVectorized) values.set(block.subarray(0, filled));
      else {
        for (let c = 0; c < channels; c++) {
          values.set(block.subarray(c * room, c * room + filled), c * filled);
        }
      }
    }
    ready.push({ field, values, count: filled });
    block = new Float64Array(block.length);
    filled = 0;
  };
  const parse = (bytes: Uint8Array, from: number, end: number): number => {
    const value = parseNumber(bytes, from, end, decimal);
    if (Number.isNaN(value)) bad++;
    return value;
  };
  const pass = words(
    data,
    isVectorized
      ? {
        word(bytes, from, end, line, column) {
          if (line >= channels || column >= samples) return;
          block[filled++] = parse(bytes, from, end);
          if (filled === room) flush(`channel_${line}`);
        },
        line(line) {
          if (line < channels) flush(`channel_${line}`);
        },
      }
      : {
        word(bytes, from, end, _line, column) {
          if (column < channels) block[column * room + filled] = parse(bytes, from, end);
        },
        line(line, columns) {
          if (line >= samples) return;
          for (let c = columns; c < channels; c++) block[c * room + filled] = NaN;
          filled++;
          if (filled === room) flush("samples");
        },
      },
    signal,
  );
  for await (const _ of pass) {
    yield* ready;
    ready.length = 0;
  }
  if (!isVectorized) flush("samples");
  yield* ready;
  if (bad) {
    const text = `${bad} values of the data file are no numbers: they are NaN`;
    yield { field: "warnings", values: [text], count: 1 };
  }
}

/** Powers of ten that doubles hold exactly. */
const TENS = Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));

/**
 * The number written in `bytes[from, end)`; NaN for what is none. Up to 15 digits with a decimal part are a
 * whole number over a power of ten, both exact, so that one division rounds correctly; the rest is left to
 * the language.
 */
export function parseNumber(
  bytes: Uint8Array,
  from: number,
  end: number,
  decimal: "." | ",",
): number {
  const point = decimal.charCodeAt(0);
  let at = from;
  const isNegative = bytes[at] === 0x2d;
  if (isNegative || bytes[at] === 0x2b) at++;
  let whole = 0, digits = 0, after = -1;
  for (; at < end; at++) {
    const digit = bytes[at] - 0x30;
    if (digit >= 0 && digit <= 9) {
      whole = whole * 10 + digit;
      digits++;
      if (after >= 0) after++;
    } else if (bytes[at] === point && after < 0) after = 0;
    else break;
  }
  if (at === end && digits > 0 && digits <= 15) {
    const value = after > 0 ? whole / TENS[after] : whole;
    return isNegative ? -value : value;
  }
  let text = "";
  for (let i = from; i < Math.min(end, from + 400); i++) {
    text += bytes[i] === point ? "." : String.fromCharCode(bytes[i]);
  }
  return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) ? Number(text) : NaN;
}
