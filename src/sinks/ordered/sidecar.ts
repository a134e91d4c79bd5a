/** A JSON file beside an output that has no place for what is known of its values. */
import type { Attributes } from "../../model/dataset.ts";
import { describeTable, jsonText } from "./describe.ts";
import type { ByteOutput } from "./output.ts";
import type { OrderedSink, TableBlock, TableHead } from "./table.ts";

/** A sink that also writes a description of its table, as JSON, into `output`. */
export class DescribedSink implements OrderedSink {
  constructor(
    readonly head: TableHead,
    readonly inner: OrderedSink,
    readonly output: ByteOutput,
    /** What the format adds to the description. */
    readonly more: (rows: number) => Attributes,
  ) {}

  get bytesWritten(): number {
    return this.inner.bytesWritten + this.output.length;
  }

  begin(): void | Promise<void> {
    return this.inner.begin();
  }

  block(block: TableBlock): void | Promise<void> {
    return this.inner.block(block);
  }

  async finish(rows: number): Promise<void> {
    const text = jsonText(describeTable(this.head, rows, this.more(rows)), 1);
    await this.output.write(new TextEncoder().encode(text + "\n"));
    // The description first: the data are what says that the output is complete.
    await this.output.finish();
    await this.inner.finish(rows);
  }

  async abort(): Promise<void> {
    await this.inner.abort();
    await this.output.abort();
  }
}
