/**
 * CSV (RFC 4180): UTF-8, commas, CR LF, a first line of names with units, quotes where needed. A
 * recording has its time in the first column.
 */
import type { ByteOutput } from "./output.ts";
import { type CellText, numberTexts } from "./numbers.ts";
import type { OrderedSink, TableBlock, TableHead } from "./table.ts";

const encoder = new TextEncoder();
const WORDS = { nan: "NaN", infinity: "inf", minusInfinity: "-inf" };
/** Characters of text that are encoded and written at a time. */
const WRITE_CHARACTERS = 1 << 20;

/** A cell of text, in quotes where it must be. */
export function csvCell(text: string): string {
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Writes a table as CSV. */
export class CsvSink implements OrderedSink {
  readonly #cells: CellText[];

  constructor(readonly head: TableHead, readonly output: ByteOutput) {
    const numbers = numberTexts(head.columns, WORDS);
    this.#cells = head.columns.map((column, c): CellText =>
      column.dtype === "string" ? (values, i) => csvCell(values[i] as string) : numbers[c]
    );
  }

  get bytesWritten(): number {
    return this.output.length;
  }

  begin(): void | Promise<void> {
    const names = this.head.columns.map(({ name, units }) =>
      csvCell(units ? `${name} (${units})` : name)
    );
    return this.output.write(encoder.encode(names.join(",") + "\r\n"));
  }

  async block({ rows, columns }: TableBlock): Promise<void> {
    const cells = this.#cells;
    let text = "";
    for (let r = 0; r < rows; r++) {
      text += cells[0](columns[0], r);
      for (let c = 1; c < cells.length; c++) text += "," + cells[c](columns[c], r);
      text += "\r\n";
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
