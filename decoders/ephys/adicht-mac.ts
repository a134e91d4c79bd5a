/**
 * LabChart for Macintosh documents: a table of chunks at the end of the file, big-endian throughout.
 * Samples and comments lie outside the chunks, at offsets the chunks give.
 */
import { ensure, FuseError, type Limits } from "../../src/errors.ts";
import type { Attributes } from "../../src/model/dataset.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";
import { isMacDocument } from "./adicht.ts";
import { type MacComment, readComments } from "./adicht-mac-comments.ts";
import { type MacScales, parseScales } from "./adicht-mac-scales.ts";
import type {
  Calibration,
  LabChartComment,
  LabChartDocument,
  LabChartRecord,
  SampleBlock,
  SampleType,
  Track,
} from "./adicht-model.ts";

const HEADER_BYTES = 32;
/** Bytes of an entry of the table of chunks, of the list of blocks, and of a channel's index. */
const CHUNK_ENTRY = 14, BLOCK_ENTRY = 34, CLOCK_ENTRY = 12, INDEX_ENTRY = 24;
/** Seconds from 1904, where Macintosh clocks begin, to 1970. */
const MAC_EPOCH_SECONDS = 2_082_844_800;
/** Ids of the channel titles. */
const FIRST_TITLE = 1100;
const NONE = 0xffffffff;
const PLAIN = 16, PACKED = 19;
/** Types of chunks that say what a document holds. */
const USED = new Set(["vers", "Alc2", "mTim", "Map4", "Gain", "UntA", "STR "]);

const macRoman = new TextDecoder("macintosh");

/** What reading a document needs. */
export interface MacContext {
  source: ByteSource;
  size: number;
  limits: Limits;
  signal?: AbortSignal;
  warnings: string[];
}

interface Chunk {
  type: string;
  id: number;
  offset: number;
  length: number;
}

/** One storage block: up to 16000 ticks of a record. */
interface StorageBlock {
  ticks: number;
  /** LabChart's block number, from 1. */
  record: number;
  /** Ticks since the start of the record. */
  tick: number;
  /** Seconds since 1970 by the local clock. */
  start: number;
  comments: number | null;
  /** Microseconds of the machine's own clock. */
  clock: bigint | null;
}

/** Reads a document. @throws FuseError `Corrupt`, `Truncated`, `Unsupported` or `Limit` */
export async function readMacDocument(context: MacContext): Promise<LabChartDocument> {
  return await new MacReader(context).read();
}

class MacReader {
  #chunks: Chunk[] = [];

  constructor(readonly context: MacContext) {}

  async read(): Promise<LabChartDocument> {
    this.#chunks = await this.#readTable();
    const maps = this.#chunks.filter((chunk) => chunk.type === "Map4")
      .sort((a, b) => a.id - b.id);
    if (maps.length === 0) {
      throw this.#fail(
        "Unsupported",
        "is a LabChart for Macintosh settings file: it holds no data",
        {
          remedy: "Give the document recorded with it",
        },
      );
    }
    const blocks = this.#parseBlocks(await this.#chunk("Alc2"), await this.#chunk("mTim"));
    const scales = parseScales(await this.#chunk("Gain"), await this.#chunk("UntA"));
    const titles = await this.#readTitles(maps.at(-1)!.id);
    const records = this.#records(blocks);
    const leftOut: LabChartDocument["leftOut"] = [];
    for (const map of maps) {
      const index = await this.#bytes(map);
      if (!this.#addTracks(map.id - 1, index, blocks, records, scales)) {
        leftOut.push({
          what: `channel ${map.id} "${titles[map.id - 1]}"`,
          why: "a calculated channel: the document keeps its definition, not its samples",
        });
      }
    }
    const others = [...new Set(this.#chunks.map((c) => c.type).filter((t) => !USED.has(t)))];
    if (others.length > 0) {
      leftOut.push({
        what: `chunks ${others.join(", ")}`,
        why: "settings, macros, windows and movies, not part of the recording",
      });
    }
    return {
      records,
      comments: await this.#comments(blocks),
      titles,
      header: await this.#header(maps.length),
      leftOut,
    };
  }

  async #readTable(): Promise<Chunk[]> {
    const { source, size, limits, signal } = this.context;
    const head = await source.readUpTo(0, HEADER_BYTES, { signal, purpose: "header" });
    ensure(isMacDocument(head) && head.length === HEADER_BYTES, "not a Macintosh document", {
      source: source.name,
      offset: 0,
    });
    const view = viewOf(head);
    const offset = view.getUint32(24), length = view.getUint32(28);
    if (offset + length > size) {
      throw this.#fail("Truncated", "its table of contents lies past the end of the file", {
        offset: 24,
        found: `${size} bytes`,
        expected: `at least ${offset + length} bytes`,
      });
    }
    const count = Math.floor(length / CHUNK_ENTRY);
    if (count > limits.items) {
      throw this.#fail("Limit", "more chunks than allowed", {
        offset: 28,
        found: count,
        expected: `at most ${limits.items}`,
      });
    }
    const bytes = await source.read(offset, length, { signal, purpose: "header" });
    const table = viewOf(bytes);
    return Array.from({ length: count }, (_, i) => {
      const at = i * CHUNK_ENTRY;
      const chunk: Chunk = {
        type: String.fromCharCode(...bytes.subarray(at, at + 4)),
        id: table.getUint16(at + 4),
        offset: table.getUint32(at + 6),
        length: table.getUint32(at + 10),
      };
      if (chunk.offset + chunk.length > size) {
        throw this.#fail("Truncated", `chunk ${chunk.type} lies past the end of the file`, {
          offset: offset + at,
          found: `${size} bytes`,
          expected: `at least ${chunk.offset + chunk.length} bytes`,
        });
      }
      return chunk;
    });
  }

  #bytes(chunk: Chunk): Promise<Uint8Array> {
    const { source, limits, signal } = this.context;
    if (chunk.length > limits.headerBytes) {
      throw this.#fail("Limit", `chunk ${chunk.type} is larger than allowed`, {
        offset: chunk.offset,
        found: `${chunk.length} bytes`,
        expected: `at most ${limits.headerBytes}`,
      });
    }
    return source.read(chunk.offset, chunk.length, { signal, purpose: "header" });
  }

  /** The first chunk of a type; empty when there is none. */
  async #chunk(type: string): Promise<Uint8Array> {
    const chunk = this.#chunks.find((c) => c.type === type);
    return chunk ? await this.#bytes(chunk) : new Uint8Array(0);
  }

  #parseBlocks(bytes: Uint8Array, clocks: Uint8Array): StorageBlock[] {
    const view = viewOf(bytes), clock = viewOf(clocks);
    return Array.from({ length: Math.floor(bytes.length / BLOCK_ENTRY) }, (_, i) => {
      const at = i * BLOCK_ENTRY;
      const comments = view.getUint32(at + 30);
      const fraction = view.getFloat64(at + 14);
      return {
        ticks: view.getUint16(at),
        record: view.getUint16(at + 2),
        tick: view.getUint32(at + 6),
        start: view.getUint32(at + 10) - MAC_EPOCH_SECONDS +
          (fraction >= 0 && fraction < 1 ? fraction : 0),
        comments: comments === NONE ? null : comments,
        clock: (i + 1) * CLOCK_ENTRY <= clocks.length ? clock.getBigUint64(i * CLOCK_ENTRY) : null,
      };
    });
  }

  async #readTitles(channels: number): Promise<string[]> {
    const titles: string[] = [];
    const wanted = this.#chunks.filter((c) =>
      c.type === "STR " && c.id >= FIRST_TITLE && c.id < FIRST_TITLE + channels
    );
    const texts = await Promise.all(wanted.map((chunk) => this.#bytes(chunk)));
    wanted.forEach((chunk, i) => {
      const [length] = texts[i];
      titles[chunk.id - FIRST_TITLE] = macRoman.decode(texts[i].subarray(1, 1 + (length ?? 0)))
        .trim();
    });
    return Array.from({ length: channels }, (_, i) => titles[i] ?? "");
  }

  /** Runs of storage blocks with one number. */
  #records(blocks: StorageBlock[]): LabChartRecord[] {
    const records: LabChartRecord[] = [];
    let number = -1;
    blocks.forEach((block, i) => {
      if (block.record !== number) {
        number = block.record;
        records.push({
          start: block.start,
          utcMinusLocal: null,
          tickRate: rateOf(blocks, i),
          ticks: 0,
          tracks: [],
        });
      }
      const record = records[records.length - 1];
      record.ticks = Math.max(record.ticks, block.tick + block.ticks);
    });
    // A record of one storage block tells no rate: the machine's setting is that of its neighbours.
    let known = records.find((record) => record.tickRate !== null)?.tickRate ?? null;
    for (const record of records) {
      if (record.tickRate === null) record.tickRate = known;
      else known = record.tickRate;
    }
    return records;
  }

  /** Adds a channel to the records it has samples in; false when it has none at all. */
  #addTracks(
    channel: number,
    index: Uint8Array,
    blocks: StorageBlock[],
    records: LabChartRecord[],
    scales: MacScales,
  ): boolean {
    const view = viewOf(index);
    const count = Math.min(blocks.length, Math.floor(index.length / INDEX_ENTRY));
    const type: SampleType = hasPlain(view, count) ? "float32" : "int32";
    let record = -1, number = -1, any = false;
    let track: Track | undefined, key = "";
    for (let i = 0; i < count; i++) {
      const block = blocks[i];
      if (block.record !== number) {
        number = block.record;
        record++;
        track = undefined;
      }
      const at = i * INDEX_ENTRY;
      const length = view.getUint32(at + 4);
      if (length === 0 || block.ticks === 0) continue;
      const step = Math.max(1, view.getUint16(at + 22));
      const range = view.getUint16(at + 16), units = view.getUint16(at + 20);
      if (!track || key !== `${step} ${range} ${units}`) {
        key = `${step} ${range} ${units}`;
        const calibration = this.#calibration(scales, range, units, channel);
        track = { channel, type, ticksPerSample: step, calibration, blocks: [] };
        records[record].tracks.push(track);
      }
      track.blocks.push(this.#block(view, at, block, step, length));
      any = true;
    }
    return any;
  }

  #block(
    view: DataView,
    at: number,
    { ticks, tick }: StorageBlock,
    step: number,
    bytes: number,
  ): SampleBlock {
    const offset = view.getUint32(at);
    const format = view.getUint16(at + 18);
    if (format !== PLAIN && format !== PACKED) {
      throw this.#fail("Unsupported", "samples in a form not known", {
        offset,
        found: format,
        expected: `${PLAIN} (floats) or ${PACKED} (packed)`,
      });
    }
    if (offset + bytes > this.context.size) {
      throw this.#fail("Truncated", "samples lie past the end of the file", {
        offset,
        found: `${this.context.size} bytes`,
        expected: `at least ${offset + bytes} bytes`,
      });
    }
    return {
      kind: format === PACKED ? "mac-packed" : "mac-float",
      offset,
      bytes,
      samples: Math.ceil(ticks / step),
      tick,
    };
  }

  #calibration(scales: MacScales, range: number, units: number, channel: number): Calibration {
    const calibration = scales(range, units);
    if (calibration) return calibration;
    const text =
      `channel ${channel + 1}: range ${range} or unit ${units} is not in the document's ` +
      "lists: its samples are counts";
    if (!this.context.warnings.includes(text)) this.context.warnings.push(text);
    return { gain: 1, offset: 0, units: "", attributes: {} };
  }

  async #comments(blocks: StorageBlock[]): Promise<LabChartComment[]> {
    const { source, size, signal, warnings } = this.context;
    const comments: LabChartComment[] = [];
    let record = -1, number = -1;
    for (const block of blocks) {
      if (block.record !== number) {
        number = block.record;
        record++;
      }
      if (block.comments === null) continue;
      let list: MacComment[];
      try {
        list = await readComments(source, size, block.comments, signal);
      } catch (error) {
        if (!(error instanceof FuseError) || error.tag === "Aborted") throw error;
        warnings.push(`comments of record ${record + 1} could not be read: ${error.message}`);
        continue;
      }
      for (const { tick, ...rest } of list) {
        comments.push({ record, tick: block.tick + tick, ...rest });
      }
    }
    return comments;
  }

  async #header(channels: number): Promise<Attributes> {
    const header: Attributes = { container: "Macintosh document", channels };
    for (const [id, name] of [[1, "created_by"], [2, "saved_by"]] as const) {
      const chunk = this.#chunks.find((c) => c.type === "vers" && c.id === id);
      const bytes = chunk ? await this.#bytes(chunk) : undefined;
      if (!bytes || bytes.length < 2) continue;
      header[name] = `LabChart ${bytes[0]}.${bytes[1] >> 4}`;
    }
    return header;
  }

  #fail(
    tag: "Corrupt" | "Truncated" | "Unsupported" | "Limit",
    statement: string,
    details: Record<string, unknown>,
  ): FuseError {
    return new FuseError(tag, statement, { source: this.context.source.name, ...details });
  }
}

/** Whether a channel has blocks of floats, which integers cannot hold. */
function hasPlain(view: DataView, count: number): boolean {
  for (let i = 0; i < count; i++) {
    const at = i * INDEX_ENTRY;
    if (view.getUint32(at + 4) > 0 && view.getUint16(at + 18) === PLAIN) return true;
  }
  return false;
}

/**
 * Ticks a second of the record that begins at block `first`: no field tells it, but the machine's clock
 * at two neighbouring storage blocks does.
 */
function rateOf(blocks: StorageBlock[], first: number): number | null {
  const block = blocks[first], next = blocks[first + 1];
  if (!next || next.record !== block.record || block.clock === null || next.clock === null) {
    return null;
  }
  const micros = Number(next.clock - block.clock);
  const ticks = next.tick - block.tick;
  if (!(micros > 0 && ticks > 0)) return null;
  const rate = ticks * 1e6 / micros;
  // The clock counts whole microseconds.
  const whole = Math.round(rate);
  return whole > 0 && Math.abs(ticks * 1e6 / whole - micros) <= 1 ? whole : rate;
}
