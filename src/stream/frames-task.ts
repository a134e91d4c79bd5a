/**
 * Converts a range of frames: reads a window of frames once, and from it fills the chunk rows of every
 * array that lives in them. Windows, rows and encoded chunks stay in wasm memory.
 */
import { FuseError } from "../errors.ts";
import { sizeOf } from "../model/dtype.ts";
import { type FrameLayout, runOf } from "../model/layout.ts";
import { roundUp } from "../plan/chunking.ts";
import type { Plan, PlannedArray, SignalPart, TaskSet } from "../plan/plan.ts";
import type { TaskResult } from "../pool/task-result.ts";
import type { ChunkEncoder } from "../sinks/zarr/chunk-encoder.ts";
import { ObjectSet } from "../sinks/zarr/object-set.ts";
import type { TaskTarget } from "../sinks/targets/open.ts";
import type { ByteSource } from "../source/source.ts";
import type { FrameGather, WasmBuffer } from "./kernels.ts";

type FrameSet = Extract<TaskSet, { kind: "frames" }>;

/** One array on its way: a row buffer of one chunk's length for all its channels. */
interface ArrayWork {
  array: PlannedArray;
  index: number;
  elementBytes: number;
  samplesPerFrame: number;
  /** Samples per channel in the whole array. */
  sampleCount: number;
  channelsPerChunk: number;
  chunkSamples: number;
  rows: WasmBuffer;
  parts: { part: SignalPart; layout: FrameLayout; gather: FrameGather }[];
  /** Index into `Plan.digital` when edges of these words are wanted, and the bits wanted. */
  digital: number;
  mask: number;
}

/** Bytes of one run's share of a window. */
interface Piece {
  table: number;
  source: number;
  offset: number;
  length: number;
  firstFrame: number;
}

/** The frames task sets of one plan on one thread; buffers are kept from task to task. */
export class FramesTask {
  readonly #works: ArrayWork[];
  readonly #tables: number[];
  #window: WasmBuffer;

  constructor(
    readonly plan: Plan,
    readonly set: FrameSet,
    readonly target: TaskTarget,
    readonly encoder: ChunkEncoder,
    readonly source: (index: number) => Promise<ByteSource>,
  ) {
    const { kernels } = encoder;
    this.#works = set.arrays.map((index) => this.#prepare(index));
    this.#tables = [...new Set(this.#works.flatMap((w) => w.parts.map((p) => p.layout.table)))];
    const frame = Math.max(...this.#tables.map((t) => plan.frameTables[t].frameBytes));
    this.#window = kernels.alloc(set.framesPerWindow * frame);
  }

  #prepare(index: number): ArrayWork {
    const { kernels } = this.encoder;
    const array = this.plan.arrays[index];
    const origin = array.origin as { kind: "signals"; parts: SignalPart[] };
    const flat = array.shape.length === 1;
    const channels = flat ? 1 : array.shape[array.shape.length - 2]!;
    const channelsPerChunk = flat ? 1 : array.chunks[array.chunks.length - 2];
    const chunkSamples = array.chunks[array.chunks.length - 1];
    // Sweeps lie behind each other in the file.
    const sweeps = array.shape.length === 3 ? array.shape[0]! : 1;
    const elementBytes = sizeOf(array.dtype);
    const rows = kernels.alloc(
      roundUp(Math.max(1, channels), channelsPerChunk) * chunkSamples * elementBytes,
    );
    const parts = origin.parts.map((part) => {
      const layout = part.layout as FrameLayout;
      const gather = kernels.gather({
        layout,
        frameBytes: this.plan.frameTables[layout.table].frameBytes,
        output: part.calibration ? array.dtype as "float32" | "float64" : "raw",
        gain: part.calibration?.gain,
        offset: part.calibration?.offset,
      });
      return { part, layout, gather };
    });
    const digital = this.set.digital.find((d) => this.plan.digital[d].array === array.path) ?? -1;
    const mask = digital < 0
      ? 0
      : this.plan.digital[digital].lines.reduce((m, line) => m | (1 << line.bit), 0) >>> 0;
    return {
      array,
      index,
      elementBytes,
      samplesPerFrame: parts[0].layout.samplesPerFrame,
      sampleCount: sweeps * array.shape[array.shape.length - 1]!,
      channelsPerChunk,
      chunkSamples,
      rows,
      parts,
      digital,
      mask,
    };
  }

  /** Runs task `k` of the set. */
  async run(k: number, result: TaskResult): Promise<void> {
    const { set } = this;
    const first = k * set.framesPerTask;
    const end = Math.min(set.frameCount, first + set.framesPerTask);
    const objects = this.#works.map((w) =>
      new ObjectSet(this.plan, w.array, this.target, this.encoder)
    );
    const words = new Map<number, number>();
    try {
      let ahead = this.#prefetch(first, end);
      for (let frame = first; frame < end; frame += set.framesPerWindow) {
        const stop = Math.min(end, frame + set.framesPerWindow);
        const fetched = ahead;
        ahead = this.#prefetch(stop, end);
        await this.#fill(frame, stop, await fetched, result);
        this.#works.forEach((work, i) =>
          this.#flush(work, objects[i], frame, stop, end, result, words)
        );
        await this.target.drain?.();
      }
      for (const set of objects) {
        set.close();
        result.bytesWritten += set.bytesWritten;
        result.written.push(...set.written);
      }
    } catch (error) {
      objects.forEach((o) => o.abort());
      throw error;
    }
  }

  /** The pieces of frames `[frame, stop)`, in order. */
  *#pieces(frame: number, stop: number): Generator<Piece> {
    for (const t of this.#tables) {
      const table = this.plan.frameTables[t];
      for (let run = runOf(table, frame); run < table.firstFrame.length; run++) {
        const from = Math.max(frame, table.firstFrame[run]);
        const to = Math.min(stop, table.firstFrame[run] + table.frameCount[run]);
        if (table.firstFrame[run] >= stop) break;
        if (to <= from) continue;
        yield {
          table: t,
          source: table.source[run],
          offset: table.offset[run] + (from - table.firstFrame[run]) * table.frameBytes,
          length: (to - from) * table.frameBytes,
          firstFrame: from,
        };
      }
    }
  }

  /** Remote pieces of the window that begins at `frame`, on their way while the one before is converted. */
  #prefetch(frame: number, end: number): Promise<Uint8Array[]> | undefined {
    if (frame >= end) return undefined;
    const stop = Math.min(end, frame + this.set.framesPerWindow);
    const reads = (async () => {
      const pieces = [...this.#pieces(frame, stop)];
      const sources = await Promise.all(pieces.map((p) => this.source(p.source)));
      if (sources.some((s) => s.distance === "local")) return [];
      return await Promise.all(
        pieces.map((p, i) =>
          sources[i].read(p.offset, this.#available(p, sources[i]), { purpose: "bulk" })
        ),
      );
    })();
    reads.catch(() => {});
    return reads;
  }

  /** Bytes of a piece that exist: only the very last frame of a file may be cut short. */
  #available(piece: Piece, source: ByteSource): number {
    const { frameBytes } = this.plan.frameTables[piece.table];
    const there = source.size === undefined ? piece.length : source.size - piece.offset;
    return there < piece.length && there > piece.length - frameBytes ? there : piece.length;
  }

  async #fill(
    frame: number,
    stop: number,
    fetched: Uint8Array[] | undefined,
    result: TaskResult,
  ): Promise<void> {
    let at = 0;
    for (const piece of this.#pieces(frame, stop)) {
      const source = await this.source(piece.source);
      const length = this.#available(piece, source);
      const window = this.encoder.kernels.wasm.view(this.#window.ptr, length);
      if (fetched?.length) window.set(fetched[at++]);
      else await source.readInto(piece.offset, window, { purpose: "bulk" });
      result.bytesRead += length;
      const frames = piece.length / this.plan.frameTables[piece.table].frameBytes;
      for (const work of this.#works) this.#gather(work, piece, frames, length, source.name);
    }
  }

  #gather(work: ArrayWork, piece: Piece, frames: number, length: number, name: string): void {
    const { samplesPerFrame: spf, chunkSamples, elementBytes } = work;
    const sample = piece.firstFrame * spf;
    for (const { part, layout, gather } of work.parts) {
      if (layout.table !== piece.table) continue;
      const end = Math.min(part.tail?.firstSample ?? work.sampleCount, sample + frames * spf);
      if (end <= sample) continue;
      const column = sample % chunkSamples;
      const row = part.firstChannel * chunkSamples * elementBytes;
      gather.run({
        src: this.#window.ptr,
        srcLength: length,
        firstSample: 0,
        sampleCount: end - sample,
        dst: work.rows.ptr + row,
        dstLength: work.rows.length - row,
        dstStride: chunkSamples,
        dstFirst: column,
      }, { source: name, offset: piece.offset, array: work.array.path });
    }
  }

  /** Encodes the chunk rows that the window `[frame, stop)` completed. */
  #flush(
    work: ArrayWork,
    objects: ObjectSet,
    frame: number,
    stop: number,
    end: number,
    result: TaskResult,
    words: Map<number, number>,
  ): void {
    const { chunkSamples, samplesPerFrame, sampleCount, array } = work;
    const reached = stop * samplesPerFrame;
    if (reached % chunkSamples !== 0 && stop !== end) return;
    const first = Math.floor(frame * samplesPerFrame / chunkSamples) * chunkSamples;
    const filled = Math.min(reached, sampleCount) - first;
    if (filled <= 0) return;
    this.#appendTails(work, first, filled);
    if (filled < chunkSamples) this.#clearAfter(work, filled);
    if (work.digital >= 0) this.#edges(work, first, filled, result, words);
    const chunkBytes = work.channelsPerChunk * chunkSamples * work.elementBytes;
    const groups = work.rows.length / chunkBytes;
    for (let g = 0; g < groups; g++) {
      const encoded = this.encoder.encodeAt(
        work.rows.ptr + g * chunkBytes,
        chunkBytes,
        work.elementBytes,
        array.compressor,
      );
      const time = first / chunkSamples;
      objects.put(chunkCell(array.shape.length, g, time), encoded);
    }
  }

  #view(work: ArrayWork): Float32Array | Float64Array | Int16Array | Int32Array {
    const { buffer } = this.encoder.kernels.wasm.memory;
    const count = work.rows.length / work.elementBytes;
    switch (work.array.dtype) {
      case "float32":
        return new Float32Array(buffer, work.rows.ptr, count);
      case "float64":
        return new Float64Array(buffer, work.rows.ptr, count);
      case "int16":
        return new Int16Array(buffer, work.rows.ptr, count);
      case "int32":
        return new Int32Array(buffer, work.rows.ptr, count);
      default:
        throw new FuseError("Unsupported", `a tail of ${work.array.dtype} samples`, {
          array: work.array.path,
        });
    }
  }

  /** Samples that were read when the file was opened, because its frame pattern breaks off before them. */
  #appendTails(work: ArrayWork, first: number, filled: number): void {
    for (const { part } of work.parts) {
      if (!part.tail || part.tail.firstSample >= first + filled) continue;
      const { values, firstSample } = part.tail;
      const length = values.length / part.channelCount;
      const view = this.#view(work);
      for (let c = 0; c < part.channelCount; c++) {
        const gain = part.calibration?.gain[c] ?? 1, offset = part.calibration?.offset[c] ?? 0;
        const row = (part.firstChannel + c) * work.chunkSamples;
        for (let i = Math.max(0, first - firstSample); i < length; i++) {
          const column = firstSample + i - first;
          if (column >= filled) break;
          view[row + column] = values[c * length + i] * gain + offset;
        }
      }
    }
  }

  /** Zeros what an earlier chunk left behind the end of the recording. */
  #clearAfter(work: ArrayWork, filled: number): void {
    const bytes = work.rows.bytes;
    const stride = work.chunkSamples * work.elementBytes;
    for (let at = 0; at < bytes.length; at += stride) {
      bytes.fill(0, at + filled * work.elementBytes, at + stride);
    }
  }

  #edges(
    work: ArrayWork,
    first: number,
    filled: number,
    result: TaskResult,
    words: Map<number, number>,
  ): void {
    const { kernels } = this.encoder;
    const { digital, elementBytes, rows } = work;
    const word = (i: number): number => {
      const view = new DataView(kernels.wasm.memory.buffer);
      const at = rows.ptr + i * elementBytes;
      if (elementBytes === 1) return view.getUint8(at);
      return elementBytes === 2 ? view.getUint16(at, true) : view.getUint32(at, true);
    };
    let bounds = result.bounds.find((b) => b.digital === digital);
    if (!bounds) {
      bounds = { digital, firstSample: first, first: word(0), last: 0 };
      result.bounds.push(bounds);
    }
    const previous = words.get(digital) ?? word(0);
    kernels.findEdges(rows.ptr, filled, elementBytes as 1 | 2 | 4, previous, work.mask, (found) => {
      for (const { bit } of this.plan.digital[digital].lines) {
        const hits: number[] = [];
        found.bit.forEach((b, i) => b === bit && hits.push(i));
        if (hits.length === 0) continue;
        result.edges.push({
          digital,
          bit,
          samples: Float64Array.from(hits, (i) => first + found.index[i]),
          levels: Uint8Array.from(hits, (i) => found.level[i]),
        });
      }
    });
    bounds.last = word(filled - 1);
    words.set(digital, bounds.last);
  }

  free(): void {
    this.#window.free();
    for (const work of this.#works) {
      work.rows.free();
      work.parts.forEach((p) => p.gather.free());
    }
  }
}

/** Cell of a chunk: time alone, channels and time, or one sweep of some channels. */
function chunkCell(rank: number, group: number, time: number): number[] {
  if (rank === 1) return [time];
  return rank === 2 ? [group, time] : [time, group, 0];
}
