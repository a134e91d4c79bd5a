/**
 * Samples and nothing else: interleaved, little-endian, without a header. What they are is told by a
 * JSON file beside them.
 */
import { allocate, type DType, type NumericArray, sizeOf } from "../../model/dtype.ts";
import type { ByteOutput } from "./output.ts";
import { interleave } from "./interleave.ts";
import type { OrderedSink, TableBlock, TableHead } from "./table.ts";

/** Writes the channels of a table as interleaved samples of type `dtype`. */
export class RawSink implements OrderedSink {
  #buffer: NumericArray | undefined;
  /** Which columns are samples. */
  readonly #channels: number[];

  constructor(head: TableHead, readonly output: ByteOutput, readonly dtype: DType) {
    this.#channels = sampleColumns(head);
  }

  get bytesWritten(): number {
    return this.output.length;
  }

  begin(): void {}

  block({ rows, columns }: TableBlock): void | Promise<void> {
    const own = this.#channels.map((c) => columns[c] as NumericArray);
    const length = rows * own.length;
    if (!this.#buffer || this.#buffer.length < length) this.#buffer = allocate(this.dtype, length);
    const out = this.#buffer.subarray(0, length);
    interleave(own, rows, out);
    return this.output.write(
      new Uint8Array(out.buffer, out.byteOffset, length * sizeOf(this.dtype)),
    );
  }

  finish(): void | Promise<void> {
    return this.output.finish();
  }

  abort(): void | Promise<void> {
    return this.output.abort();
  }
}

/** Indexes of the columns that hold samples. */
export function sampleColumns(head: TableHead): number[] {
  return head.columns.flatMap((c, i) => (c.role === "channel" ? [i] : []));
}
