/**
 * Newline-delimited JSON: one object a row, keyed by the names of the columns, and nothing but rows, so
 * that any consumer can read line by line. JSON has no NaN and no infinities: they are null. Integers
 * beyond 2^53 are written in full, as JSON allows.
 */
import type { ByteOutput } from "./output.ts";
import { type CellText, numberTexts } from "./numbers.ts";
import type { OrderedSink, TableBlock, TableHead } from "./table.ts";

const encoder = new TextEncoder();
const WORDS = { nan: "null", infinity: "null", minusInfinity: "null" };
const WRITE_CHARACTERS = 1 << 20;

/** Writes a table as newline-delimited JSON. */
export class NdjsonSink implements OrderedSink {
  readonly #cells: CellText[];
  /** What stands before each value. */
  readonly #keys: string[];

  constructor(readonly head: TableHead, readonly output: ByteOutput) {
    const numbers = numberTexts(head.columns, WORDS);
    this.#cells = head.columns.map((column, c): CellText =>
      column.dtype === "string" ? (values, i) => JSON.stringify(values[i]) : numbers[c]
    );
    this.#keys = head.columns.map(({ name }, c) => `${c ? "," : "{"}${JSON.stringify(name)}:`);
  }

  get bytesWritten(): number {
    return this.output.length;
  }

  begin(): void {}

  async block({ rows, columns }: TableBlock): Promise<void> {
    const cells = this.#cells, keys = this.#keys;
    let text = "";
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < cells.length; c++) text += keys[c] + cells[c](columns[c], r);
      text += "}\n";
      if (text.length > WRITE_CHARACTERS) {
        await this.output.write(encoder.encode(text));
        text = "";
      }
    }
    if (text) await this.output.write(encoder.encode(text));
  }

  finish(): void | Promise<void> {
    return this.output.finish();
  }

  abort(): void | Promise<void> {
    return this.output.abort();
  }
}
