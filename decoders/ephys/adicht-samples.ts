/** The forward pass over a LabChart document's sample blocks. */
import { FuseError } from "../../src/errors.ts";
import type { StreamBlock } from "../../src/model/dataset.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";
import { newWasm, type WasmModule } from "../wasm/instance.ts";
import { type Extent, ExtentReader } from "./extents.ts";
import type { BlockKind, SampleBlock, SampleType } from "./adicht-model.ts";

/** The blocks of one channel of one recording, in order of time. */
export interface SampleField {
  field: string;
  /** How messages name the channel. */
  label: string;
  type: SampleType;
  blocks: SampleBlock[];
}

/** Where the blocks are: `extents` of the source make up the stream their offsets count in. */
export interface SampleContext {
  source: ByteSource;
  extents: Extent[];
}

const HEAD_BYTES = 16;
/** Kinds as the decoder numbers them. */
const KIND: Record<BlockKind, number> = {
  "int16": 0,
  "float32": 1,
  "mac-packed": 2,
  "mac-float": -1,
};
/** The byte packed samples of a Macintosh document begin with. */
const MAC_MARK = 1;
/** Counts of full scale. */
const FULL_SCALE = 32_768;

/** All samples, block by block; the blocks of the fields alternate as they lie in the file. */
export async function* readSamples(
  context: SampleContext,
  fields: SampleField[],
  signal?: AbortSignal,
): AsyncGenerator<StreamBlock> {
  const decoder = new BlockDecoder(context, await newWasm("ephys"), signal);
  for (const [field, block] of inFileOrder(fields)) {
    const { samples } = fields[field].blocks[block];
    if (samples === 0) continue;
    const values = await decoder.decode(fields[field], fields[field].blocks[block]);
    yield { field: fields[field].field, values, count: samples };
  }
}

/** Field and block, by place in the file unless a channel's blocks lie out of order. */
function inFileOrder(fields: SampleField[]): [number, number][] {
  const order = fields.flatMap(({ blocks }, field) =>
    blocks.map((_, block): [number, number] => [field, block])
  );
  const ascending = fields.every(({ blocks }) =>
    blocks.every((block, i) => i === 0 || block.offset >= blocks[i - 1].offset)
  );
  if (ascending) {
    const offset = ([field, block]: [number, number]) => fields[field].blocks[block].offset;
    order.sort((a, b) => offset(a) - offset(b));
  }
  return order;
}

class BlockDecoder {
  readonly #reader: ExtentReader;

  constructor(context: SampleContext, readonly wasm: WasmModule, signal?: AbortSignal) {
    this.#reader = new ExtentReader(context.source, context.extents, signal);
  }

  async decode(
    field: SampleField,
    block: SampleBlock,
  ): Promise<Int16Array | Int32Array | Float32Array> {
    const bytes = await this.#reader.read(block.offset, await this.#length(field, block));
    if (block.kind === "mac-float") return this.#floats(bytes, field, block);
    const out = block.samples * (block.kind === "int16" ? 2 : 4);
    const body = block.kind === "mac-packed" ? this.#unmarked(bytes, field, block) : bytes;
    const decoded = this.#run(body, block, out, field);
    if (block.kind === "int16") return new Int16Array(decoded.buffer);
    if (block.kind === "float32") return new Float32Array(decoded.buffer);
    const counts = new Int32Array(decoded.buffer);
    return field.type === "float32" ? Float32Array.from(counts) : counts;
  }

  /** Bytes of a block: known, or in its head, where they must be bearable for its samples. */
  async #length(field: SampleField, block: SampleBlock): Promise<number> {
    if (block.bytes !== null) return block.bytes;
    const head = await this.#reader.read(block.offset, HEAD_BYTES);
    const length = viewOf(head).getInt32(0, true) + 4;
    // Nothing grows by packing: 17 planes of 16 bits, a code for each 128 bytes, and the heads.
    const most = Math.ceil((block.samples + 32) * 4 * 1.1) + 64;
    if (length >= HEAD_BYTES && length <= most) return length;
    throw this.#fail(field, block, "impossible length of a block of samples", {
      found: `${length} bytes for ${block.samples} samples`,
      expected: `${HEAD_BYTES} to ${most} bytes`,
    });
  }

  #unmarked(bytes: Uint8Array, field: SampleField, block: SampleBlock): Uint8Array {
    if (bytes[0] === MAC_MARK) return bytes.subarray(1);
    throw this.#fail(field, block, "packed samples begin with another mark", {
      found: bytes[0],
      expected: MAC_MARK,
    });
  }

  #run(
    bytes: Uint8Array,
    block: SampleBlock,
    outBytes: number,
    field: SampleField,
  ): Uint8Array<ArrayBuffer> {
    const { wasm } = this;
    const out = wasm.alloc(outBytes);
    try {
      wasm.with(bytes, (input) =>
        wasm.call(
          "labchart_block",
          [input, bytes.length, KIND[block.kind], block.samples, out, outBytes],
          this.#place(field, block),
        ));
      return wasm.view(out, outBytes).slice();
    } finally {
      wasm.free(out, outBytes);
    }
  }

  /** Fractions of full scale as counts, which is what packed blocks hold. */
  #floats(bytes: Uint8Array, field: SampleField, block: SampleBlock): Float32Array {
    if (bytes.length < 4 * block.samples) {
      throw this.#fail(field, block, "a block of samples is too short", {
        found: `${bytes.length} bytes`,
        expected: `${4 * block.samples} bytes`,
      });
    }
    const view = viewOf(bytes);
    return Float32Array.from(
      { length: block.samples },
      (_, i) => view.getFloat32(4 * i) * FULL_SCALE,
    );
  }

  #place(field: SampleField, block: SampleBlock) {
    return {
      source: this.#reader.source.name,
      offset: this.#reader.placeOf(block.offset),
      array: field.label,
    };
  }

  #fail(
    field: SampleField,
    block: SampleBlock,
    statement: string,
    details: { found?: unknown; expected?: unknown },
  ): FuseError {
    return new FuseError("Corrupt", statement, { ...this.#place(field, block), ...details });
  }
}
