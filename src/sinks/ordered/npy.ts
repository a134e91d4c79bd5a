/**
 * The signals of a recording as one `.npy` array `[channel, time]`. Samples come in time order, so the
 * array is in Fortran order, which NumPy reads as any other: one pass, nothing held.
 */
import { FuseError } from "../../errors.ts";
import { npyHeader, npyHeaderRoom, npyType } from "../npy/format.ts";
import type { ByteOutput } from "./output.ts";
import { RawSink, sampleColumns } from "./raw.ts";
import type { OrderedSink, TableBlock, TableHead } from "./table.ts";

/** Writes one `.npy` array. */
export class NpySink implements OrderedSink {
  readonly #samples: RawSink;
  readonly #descr: string;
  readonly #room: number;

  /** @throws FuseError `Usage` when the length is unknown and the output cannot be gone back in. */
  constructor(readonly head: TableHead, readonly output: ByteOutput) {
    const [first] = sampleColumns(head);
    const { dtype } = head.columns[first];
    if (head.rows === null && !output.seekable) {
      throw new FuseError(
        "Usage",
        "the header of .npy needs the number of samples, and only the end of the input tells it",
        {
          array: head.name,
          remedy: "Write to a file, or use --to raw, csv, ndjson or arrow",
        },
      );
    }
    this.#samples = new RawSink(head, output, dtype);
    this.#descr = npyType(dtype);
    this.#room = npyHeaderRoom(this.#descr, 2);
  }

  get bytesWritten(): number {
    return this.output.length;
  }

  #header(rows: number): Uint8Array {
    const shape = [sampleColumns(this.head).length, rows];
    return npyHeader({ descr: this.#descr, fortranOrder: true, shape }, this.#room);
  }

  begin(): void | Promise<void> {
    return this.output.write(this.#header(this.head.rows ?? 0));
  }

  block(block: TableBlock): void | Promise<void> {
    return this.#samples.block(block);
  }

  finish(rows: number): void | Promise<void> {
    if (this.head.rows === null) this.output.patch(this.#header(rows));
    return this.output.finish();
  }

  abort(): void | Promise<void> {
    return this.output.abort();
  }
}
