/** Tables as lines of text: what CSV and newline-delimited JSON have in common. */
import type { ByteOutput } from "./output.ts";
import { type CellText, numberTexts, type NumberWords } from "./numbers.ts";
import type { OrderedSink, TableBlock, TableHead } from "./table.ts";

/** Characters of the first piece that is written: who waits for the first line has it at once. */
const FIRST_CHARACTERS = 1 << 13;
/** Characters that are encoded and written at a time later on. */
const MOST_CHARACTERS = 1 << 20;
/** Bytes of UTF-8 a UTF-16 unit can take. */
const MOST_BYTES = 3;

const encoder = new TextEncoder();

/** How a row becomes a line. */
export interface LineStyle {
  words: NumberWords;
  /** A cell of text. */
  text(value: string): string;
  /** What stands before the value of column `index`, called `name`. */
  before(name: string, index: number): string;
  /** What ends a line. */
  end: string;
}

/** Writes a table as lines, a row each. */
export abstract class TextSink implements OrderedSink {
  readonly #cells: CellText[];
  readonly #before: string[];
  readonly #end: string;
  #atOnce = FIRST_CHARACTERS;
  #buffer = new Uint8Array(0);

  constructor(readonly head: TableHead, readonly output: ByteOutput, style: LineStyle) {
    const numbers = numberTexts(head.columns, style.words);
    this.#cells = head.columns.map((column, c): CellText =>
      column.dtype === "string" ? (values, i) => style.text(values[i] as string) : numbers[c]
    );
    this.#before = head.columns.map(({ name }, c) => style.before(name, c));
    this.#end = style.end;
  }

  get bytesWritten(): number {
    return this.output.length;
  }

  abstract begin(): void | Promise<void>;

  /** Writes text; its buffer serves the next as soon as the promise, if there is one, is fulfilled. */
  protected write(text: string): void | Promise<void> {
    const most = MOST_BYTES * text.length;
    if (this.#buffer.length < most) this.#buffer = new Uint8Array(most);
    const { written } = encoder.encodeInto(text, this.#buffer);
    return this.output.write(this.#buffer.subarray(0, written));
  }

  async block({ rows, columns }: TableBlock): Promise<void> {
    const cells = this.#cells, before = this.#before, end = this.#end;
    let text = "";
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < cells.length; c++) text += before[c] + cells[c](columns[c], r);
      text += end;
      if (text.length > this.#atOnce) {
        await this.write(text);
        text = "";
        this.#atOnce = Math.min(2 * this.#atOnce, MOST_CHARACTERS);
      }
    }
    if (text) await this.write(text);
  }

  finish(): void | Promise<void> {
    return this.output.finish();
  }

  abort(): void | Promise<void> {
    return this.output.abort();
  }
}
