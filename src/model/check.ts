/**
 * The last look at what a reader made of a file, before anything is planned or allocated from it: every
 * place lies inside its source, every count within the limits, every rate and time a number.
 *
 * Readers check what they read where they read it, and say it better. This is for what slips through.
 */
import {
  DEFAULT_LIMITS,
  type ErrorDetails,
  type ErrorPlace,
  FuseError,
  type Limits,
} from "../errors.ts";
import { type ByteSource, truncated } from "../source/source.ts";
import type { Dataset, EventTable, ImageSeries, Recording } from "./dataset.ts";
import { type DType, sizeOf } from "./dtype.ts";
import { type ChunkLayout, type FrameLayout, type FrameTable, totalFrames } from "./layout.ts";

/** Segments a recording's attributes can list; readers that collect them stop there. */
export const MOST_SEGMENTS = 1 << 18;

/** Bytes an array may have whatever its files hold, and bytes a stored byte can stand for (zstd: 2^15). */
const FREE_BYTES = 1 << 30, MOST_EXPANSION = 1 << 16;
/** How often one frame table may go over the bytes of its files. */
const MOST_PASSES = 4;

/** Throws once a reader has found more segments than are kept. */
export function checkSegments(found: number, place: ErrorPlace): void {
  if (found <= MOST_SEGMENTS) return;
  throw new FuseError("Limit", "more interruptions of a recording than allowed", {
    ...place,
    found,
    expected: `at most ${MOST_SEGMENTS}`,
  });
}

/**
 * Checks `dataset`, and repairs scales that are no numbers (with a warning).
 * @throws FuseError `Truncated` for frames or chunks past the end of their source, `Limit` for counts
 * and sizes beyond the limits, `Corrupt` for numbers that make no sense.
 */
export function checkDataset(dataset: Dataset, limits: Limits = DEFAULT_LIMITS): void {
  const checker = new Checker(dataset, limits);
  checker.count("recordings", dataset.recordings.length);
  checker.count("channels", dataset.recordings.reduce((n, r) => n + r.channels.length, 0));
  checker.count("event tables", dataset.events.length);
  checker.count("images", dataset.images.length);
  checker.count("arrays", dataset.arrays.length);
  checker.count("digital lines", dataset.digital.reduce((n, d) => n + d.lines.length, 0));
  dataset.frameTables.forEach((table) => checker.frameTable(table));
  dataset.recordings.forEach((recording) => checker.recording(recording));
  dataset.events.forEach((table) => checker.events(table));
  dataset.images.forEach((image) => checker.image(image));
  for (const { path, shape, dtype, layout, permutation } of dataset.arrays) {
    shape.forEach((n) => n === null || checker.natural(n, "length of an array", { array: path }));
    const element = dtype === "string" ? 1 : sizeOf(dtype);
    checker.promise(shape.reduce<number>((a, n) => a * (n ?? 1), element), { array: path });
    if (layout.kind === "frames") checker.frames(layout, { array: path });
    if (layout.kind === "chunks") {
      const stored = shape.map((n) => n ?? 0);
      permutation?.forEach((from, i) => stored[from] = shape[i] ?? 0);
      checker.chunked(layout, stored, dtype, { array: path });
      continue;
    }
    checker.bytes(
      shape.slice(1).reduce<number>((a, n) => a * (n ?? 1), element),
      limits.headerBytes,
      "a row of an array",
      { array: path },
    );
  }
}

class Checker {
  /** Bytes of all files together. */
  readonly #held: number;

  constructor(readonly dataset: Dataset, readonly limits: Limits) {
    this.#held = dataset.sources.reduce((n, s) => n + (s.size ?? Infinity), 0);
  }

  fail(tag: "Corrupt" | "Limit" | "Truncated", statement: string, details: ErrorDetails): never {
    throw new FuseError(tag, statement, { source: this.dataset.sources[0].name, ...details });
  }

  count(what: string, found: number): void {
    if (found <= this.limits.items) return;
    this.fail("Limit", `more ${what} than allowed`, {
      found,
      expected: `at most ${this.limits.items}`,
    });
  }

  natural(n: number, what: string, details: ErrorDetails = {}): void {
    if (Number.isSafeInteger(n) && n >= 0) return;
    this.fail("Corrupt", `impossible ${what}`, { ...details, found: n });
  }

  bytes(found: number, most: number, what: string, details: ErrorDetails = {}): void {
    if (found <= most) return;
    this.fail("Limit", `${what} is larger than allowed`, {
      ...details,
      found: `${found} bytes`,
      expected: `at most ${most}`,
    });
  }

  /** An array of `bytes` must be possible to get out of the files, however well they are compressed. */
  promise(bytes: number, details: ErrorDetails): void {
    if (bytes <= Math.max(FREE_BYTES, MOST_EXPANSION * this.#held)) return;
    this.fail("Truncated", "an array is far larger than the files can hold", {
      ...details,
      found: `${this.#held} bytes`,
      expected: `${bytes} bytes, compressed`,
    });
  }

  source(index: number): ByteSource {
    const source = this.dataset.sources[index];
    return source ?? this.fail("Corrupt", "data in a file that is not there", { found: index });
  }

  /** Only the last frame of a file may be cut short: its layout says what of it is used. */
  frameTable({ frameBytes, source, offset, frameCount }: FrameTable): void {
    if (!Number.isSafeInteger(frameBytes) || frameBytes < 1) {
      this.fail("Corrupt", "impossible size of a data frame", { found: `${frameBytes} bytes` });
    }
    this.bytes(frameBytes, this.limits.chunkBytes, "a data frame");
    let total = 0;
    for (let run = 0; run < offset.length; run++) {
      const { name, size } = this.source(source[run]);
      const place = { source: name, offset: offset[run] };
      this.natural(offset[run], "place of data", { source: name });
      this.natural(frameCount[run], "number of data frames", place);
      if (size === undefined || frameCount[run] === 0) continue;
      const bytes = frameCount[run] * frameBytes, there = size - offset[run];
      if (there <= bytes - frameBytes) throw truncated({ name }, offset[run], bytes, there);
      total += bytes;
    }
    if (total > MOST_PASSES * (this.#held + frameBytes)) {
      this.fail("Corrupt", "the same bytes are claimed as data over and over", {
        found: `${total} bytes of data`,
        expected: `at most the ${this.#held} bytes there are`,
      });
    }
  }

  frames(layout: FrameLayout, details: ErrorDetails): void {
    const table = this.dataset.frameTables[layout.table];
    if (!table) this.fail("Corrupt", "no frames for an array", details);
    const inside = (n: number) => Number.isInteger(n) && n >= 0 && n < table.frameBytes;
    const wrong = layout.channelOffsets.find((n) => !inside(n)) ??
      layout.sampleOffsets?.find((n) => !inside(n));
    if (wrong !== undefined) {
      this.fail("Corrupt", "samples lie outside their data frame", {
        ...details,
        found: wrong,
        expected: `0 to ${table.frameBytes - 1}`,
      });
    }
    this.natural(layout.samplesPerFrame, "number of samples in a data frame", details);
  }

  recording(recording: Recording): void {
    const { name, samplingFrequency: rate, sampleCount, segments, parts } = recording;
    const details = { array: name };
    if (rate !== null && !(Number.isFinite(rate) && rate > 0)) {
      this.fail("Corrupt", "impossible sampling rate", { ...details, found: `${rate} Hz` });
    }
    checkSegments(segments.length, { source: this.dataset.sources[0].name, ...details });
    for (const segment of segments) {
      this.natural(segment.startIndex, "start of a segment", details);
      this.natural(segment.length, "length of a segment", details);
      if (Number.isFinite(segment.startSeconds)) continue;
      this.fail("Corrupt", "impossible time", { ...details, found: segment.startSeconds });
    }
    if (sampleCount !== null) {
      this.natural(sampleCount, "number of samples", details);
      this.promise(sampleCount * recording.channels.length * sizeOf(recording.rawType), details);
    }
    for (const { layout, tail, channelCount, grid } of parts) {
      if (layout.kind === "chunks" && grid) {
        this.chunked(layout, grid.shape, recording.rawType, details);
      }
      if (layout.kind !== "frames") continue;
      this.frames(layout, details);
      const frames = totalFrames(this.dataset.frameTables[layout.table]);
      const held = Math.max(
        frames * layout.samplesPerFrame,
        tail ? tail.firstSample + tail.values.length / channelCount : 0,
      );
      if (sampleCount === null || sampleCount <= held) continue;
      this.fail("Truncated", "fewer samples than promised", {
        ...details,
        found: held,
        expected: sampleCount,
      });
    }
    this.#scales(recording);
  }

  #scales({ name, channels }: Recording): void {
    const bad = channels.filter((c) => !Number.isFinite(c.gain) || !Number.isFinite(c.offset));
    if (bad.length === 0) return;
    const [{ name: first, gain, offset }] = bad;
    const others = bad.length > 1 ? ` and ${bad.length - 1} others` : "";
    this.dataset.warnings.push(
      `${name}: the scale of channel ${first}${others} is no number (${gain}, ${offset}): ` +
        "the converter's numbers are kept, without a unit",
    );
    for (const channel of bad) Object.assign(channel, { gain: 1, offset: 0, units: "" });
  }

  events({ name, count, columns }: EventTable): void {
    if (count !== null) this.natural(count, "number of events", { array: name });
    for (const column of columns) {
      const details = { array: `${name}/${column.name}` };
      column.innerShape.forEach((n) => this.natural(n, "length of an array", details));
      const width = column.dtype === "string" ? 1 : sizeOf(column.dtype);
      const row = column.innerShape.reduce((a, b) => a * b, width);
      this.bytes(row, this.limits.headerBytes, "one event", details);
      this.promise(row * (count ?? 0), details);
      if (column.layout.kind === "frames") this.frames(column.layout, details);
    }
  }

  image({ name, axes, dtype, levels }: ImageSeries): void {
    const details = { array: name };
    for (const { shape, layout } of levels) {
      for (const n of [...shape, ...layout.chunkShape]) {
        if (!Number.isSafeInteger(n) || n < 1) {
          this.fail("Corrupt", "impossible size of an image", {
            ...details,
            found: shape.join(" x "),
          });
        }
      }
      const chunk = layout.chunkShape.reduce((a, b) => a * b, sizeOf(dtype));
      this.bytes(chunk, this.limits.chunkBytes, "a strip or tile of an image", details);
      const whole = shape.reduce((a, b) => a * b, sizeOf(dtype));
      this.natural(whole, "size of an image", details);
      this.promise(whole, details);
      const grid = shape.map((n, i) => Math.ceil(n / layout.chunkShape[i]));
      const entries = grid.reduce((a, b) => a * b, 1);
      if (shape.length !== axes.length || entries !== layout.offset.length) {
        this.fail("Corrupt", "another number of strips or tiles than the image needs", {
          ...details,
          found: layout.offset.length,
          expected: entries,
        });
      }
      this.#chunks(layout);
    }
  }

  /** An array made of stored chunks: one entry a cell of its grid, none larger than may be decoded. */
  chunked(layout: ChunkLayout, shape: number[], dtype: DType, details: ErrorDetails): void {
    const { chunkShape, offset, source, length } = layout;
    const possible = chunkShape.length === shape.length &&
      chunkShape.every((n) => Number.isSafeInteger(n) && n > 0);
    const cells = possible ? shape.reduce((n, s, i) => n * Math.ceil(s / chunkShape[i]), 1) : NaN;
    if (cells !== offset.length || cells !== source.length || cells !== length.length) {
      this.fail("Corrupt", "another number of chunks than the array needs", {
        ...details,
        found: offset.length,
        expected: possible ? cells : `chunks of ${shape.length} dimensions`,
      });
    }
    const bytes = chunkShape.reduce((n, s) => n * s, sizeOf(dtype));
    this.bytes(bytes, this.limits.chunkBytes, "a chunk of an array", details);
    this.#chunks(layout, "chunk");
  }

  #chunks({ source, offset, length }: ChunkLayout, what = "strip or tile"): void {
    for (let i = 0; i < source.length; i++) {
      if (source[i] < 0) continue;
      const { name, size } = this.source(source[i]);
      this.natural(offset[i], `place of a ${what}`, { source: name });
      this.natural(length[i], `size of a ${what}`, { source: name, offset: offset[i] });
      if (size !== undefined && offset[i] + length[i] > size) {
        throw truncated({ name }, offset[i], length[i], size - offset[i]);
      }
    }
  }
}
