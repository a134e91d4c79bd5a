/** One pass over a block's index: which stores there are, where each channel's samples lie, what is counted. */
import { FuseError, type Limits } from "../../src/errors.ts";
import { type DType, sizeOf } from "../../src/model/dtype.ts";
import type { Segment } from "../../src/model/layout.ts";
import type { ByteSource } from "../../src/source/source.ts";
import {
  IN_OWN_FILE,
  KINDS,
  nameOf,
  onGrid,
  type RecordBlock,
  recordBlocks,
  SAMPLE_TYPES,
  wrongRecord,
} from "./tdt-records.ts";

/** Samples by which a record may come late or early before it begins a new segment. */
const GAP_SAMPLES = 1.5;
/** Gaps of a channel above which its stamps are taken to be unsteady, not its samples. */
const MOST_GAPS = 50_000;
/** Epocs of a store whose ends are paired with their beginnings. */
const MOST_PAIRED = 1_000_000;

/** The records of one channel of a stream. */
export interface Chain {
  /** Channel, from 1. */
  channel: number;
  /** Byte offset of each run. */
  offsets: number[];
  /** Samples of each run. */
  lengths: number[];
  /** Samples in all runs. */
  count: number;
  /** Uninterrupted runs; times count from the block's start. */
  segments: Segment[];
  /** Time at which the next record is due. */
  due: number;
}

/** A store of waveforms. */
export interface StreamStore {
  /** Four characters or fewer. */
  name: string;
  /** Element type. */
  type: DType;
  /** Hz, as the records state it. */
  rate: number;
  /** True where the samples are in `.sev` files. */
  ownFile: boolean;
  /** Records by channel. */
  chains: Map<number, Chain>;
}

/** A store of events. */
export interface EventStore {
  /** Four characters or fewer. */
  name: string;
  /** The name as a number. */
  code: number;
  /** What the events are. */
  kind: "onset" | "offset" | "scalar" | "snippet";
  /** Events counted. */
  count: number;
  /** Times of onsets and offsets, for pairing; null where there are too many. */
  times: number[] | null;
  /** Of offsets: the store of their onsets. */
  buddy: number;
  /** Of snippets: element type, samples of one, Hz, whether the samples are in `.sev` files, where the last ends. */
  waveform?: { type: DType; points: number; rate: number; ownFile: boolean; end: number };
}

/** What an index says. */
export interface TdtIndex {
  /** Unix time of the block's start, time zero. */
  start: number;
  /** Unix time of its stop; undefined when it was not stopped in order. */
  stop?: number;
  /** Waveform stores in the order met. */
  streams: StreamStore[];
  /** Event stores in the order met. */
  events: EventStore[];
  /** Records of kinds nothing is known of. */
  unknown: number;
  /** Stores of sample types that are not read, and the number of the type. */
  unread: Map<string, number>;
  /** What was doubtful. */
  warnings: string[];
}

/** Kinds by the number in a record. */
export const EVENT_KINDS = new Map<number, EventStore["kind"]>([
  [KINDS.onset, "onset"],
  [KINDS.offset, "offset"],
  [KINDS.scalar, "scalar"],
  [KINDS.snippet, "snippet"],
]);

const KNOWN_KINDS = new Set<number>(Object.values(KINDS));

/** Reads an index. @throws FuseError for records that cannot be. */
export async function readIndex(
  source: ByteSource,
  limits: Limits,
  signal?: AbortSignal,
): Promise<TdtIndex> {
  const pass = new IndexPass(source, limits);
  for await (const block of recordBlocks(source, signal)) pass.take(block);
  return pass.result();
}

class IndexPass {
  readonly #streams = new Map<number, StreamStore>();
  readonly #events = new Map<string, EventStore>();
  readonly #warnings: string[] = [];
  #start: number | undefined;
  #stop: number | undefined;
  /** Stores of sample types that are not read. */
  readonly #unread = new Map<string, number>();
  #unknown = 0;
  #chains = 0;

  constructor(readonly source: ByteSource, readonly limits: Limits) {}

  take(block: RecordBlock): void {
    for (let i = 0; i < block.count; i++) {
      const kind = block.kind(i), time = block.time(i);
      const offset = block.offset + i * 40;
      if (!KNOWN_KINDS.has(kind)) {
        this.#unknown++;
        continue;
      }
      if (!Number.isFinite(time)) {
        throw wrongRecord(this.source, offset + 16, "timestamp", time, "seconds since 1970");
      }
      if (kind === KINDS.mark) {
        const code = block.code(i);
        if (code === 1) this.#start ??= time;
        else if (code === 2) this.#stop = time;
        continue;
      }
      if (this.#start === undefined) {
        this.#start = time;
        this.#warnings.push(
          "the index has no mark of the block's start: its first record is time 0",
        );
      }
      if (kind === KINDS.stream) this.#stream(block, i, offset);
      else this.#event(block, i, offset, EVENT_KINDS.get(kind)!);
    }
  }

  /** Element type of a store; undefined, and noted, for one that is not read. */
  #typeOf(block: RecordBlock, i: number): DType | undefined {
    const type = SAMPLE_TYPES[block.format(i)];
    if (!type) this.#unread.set(nameOf(block.code(i)), block.format(i));
    return type;
  }

  #bytesOf(block: RecordBlock, i: number, offset: number): number {
    const bytes = (block.words(i) - 10) * 4;
    if (bytes < 0) {
      throw wrongRecord(this.source, offset, "size", block.words(i), "10 words or more");
    }
    return bytes;
  }

  #rateOf(block: RecordBlock, i: number, offset: number): number {
    const rate = block.rate(i);
    if (rate > 0 && Number.isFinite(rate)) return rate;
    throw wrongRecord(this.source, offset + 36, "frequency", rate, "a rate above 0");
  }

  #stream(block: RecordBlock, i: number, offset: number): void {
    const code = block.code(i), channel = block.channel(i);
    let store = this.#streams.get(code);
    if (!store) {
      const type = this.#typeOf(block, i);
      if (!type) return;
      store = {
        name: nameOf(code),
        type,
        rate: this.#rateOf(block, i, offset),
        ownFile: (block.type(i) & IN_OWN_FILE) !== 0,
        chains: new Map(),
      };
      this.#streams.set(code, store);
    }
    if (SAMPLE_TYPES[block.format(i)] !== store.type) {
      throw wrongRecord(this.source, offset + 32, "format", block.format(i), store.type);
    }
    let chain = store.chains.get(channel);
    if (!chain) {
      if (++this.#chains > this.limits.items) this.#tooMany("channels");
      chain = { channel, offsets: [], lengths: [], count: 0, segments: [], due: NaN };
      store.chains.set(channel, chain);
    }
    const width = sizeOf(store.type);
    const points = Math.floor(this.#bytesOf(block, i, offset) / width);
    if (points > 0) this.#extend(chain, store, block.place(i), points, block.time(i));
  }

  #extend(chain: Chain, store: StreamStore, place: number, points: number, time: number): void {
    const { offsets, lengths, segments } = chain;
    const last = offsets.length - 1;
    if (last >= 0 && offsets[last] + lengths[last] * sizeOf(store.type) === place) {
      lengths[last] += points;
    } else {
      offsets.push(place);
      lengths.push(points);
    }
    const late = Math.abs(time - chain.due) * store.rate;
    if (segments.length > 0 && (late <= GAP_SAMPLES || segments.length > MOST_GAPS)) {
      segments[segments.length - 1].length += points;
    } else {
      const startSeconds = onGrid(time, this.#start!);
      segments.push({ startIndex: chain.count, length: points, startSeconds });
    }
    chain.count += points;
    chain.due = time + points / store.rate;
  }

  #event(block: RecordBlock, i: number, offset: number, kind: EventStore["kind"]): void {
    const code = block.code(i), key = `${kind} ${code}`;
    let store = this.#events.get(key);
    if (!store) {
      if (this.#events.size >= this.limits.items) this.#tooMany("stores");
      store = { name: nameOf(code), code, kind, count: 0, times: [], buddy: block.buddy(i) };
      if (kind === "snippet") {
        const type = this.#typeOf(block, i);
        if (!type) return;
        store.waveform = {
          type,
          points: Math.floor(this.#bytesOf(block, i, offset) / sizeOf(type)),
          rate: this.#rateOf(block, i, offset),
          ownFile: (block.type(i) & IN_OWN_FILE) !== 0,
          end: 0,
        };
      }
      this.#events.set(key, store);
    }
    store.count++;
    if (store.waveform) {
      const { type, points, end } = store.waveform;
      const bytes = this.#bytesOf(block, i, offset), found = Math.floor(bytes / sizeOf(type));
      store.waveform.end = Math.max(end, block.place(i) + bytes);
      if (found !== points || SAMPLE_TYPES[block.format(i)] !== type) {
        throw wrongRecord(
          this.source,
          offset,
          "size",
          `a snippet of ${found} samples`,
          `${points} ${type} samples, as those before it in "${store.name}"`,
        );
      }
      return;
    }
    if (store.count > MOST_PAIRED) store.times = null;
    if (kind !== "scalar") store.times?.push(onGrid(block.time(i), this.#start!));
  }

  #tooMany(what: string): never {
    throw new FuseError("Limit", `more ${what} than allowed`, {
      source: this.source.name,
      format: "tdt",
      expected: `at most ${this.limits.items}`,
    });
  }

  result(): TdtIndex {
    const streams = [...this.#streams.values()].filter((s) =>
      [...s.chains.values()].some((chain) => chain.count > 0)
    );
    for (const { name, chains } of streams) {
      for (const chain of chains.values()) {
        if (chain.segments.length <= MOST_GAPS) continue;
        chain.segments = [{ ...chain.segments[0], length: chain.count }];
        this.#warnings.push(
          `"${name}", channel ${chain.channel}: the stamps of its records are too unsteady to tell pauses by: ` +
            "only the first is used",
        );
      }
    }
    if (this.#stop === undefined) {
      this.#warnings.push(
        "the index has no mark of the block's stop: the recording ended unexpectedly",
      );
    }
    return {
      start: this.#start ?? 0,
      ...(this.#stop === undefined ? {} : { stop: this.#stop }),
      streams,
      events: [...this.#events.values()],
      unknown: this.#unknown,
      unread: this.#unread,
      warnings: this.#warnings,
    };
  }
}
