/**
 * CSV (RFC 4180): UTF-8, commas, CR LF, a first line of names with units, quotes where needed. A
 * recording has its time in the first column.
 */
import type { ByteOutput } from "./output.ts";
import type { TableHead } from "./table.ts";
import { TextSink } from "./text-sink.ts";

const END = "\r\n";

/** A cell of text, in quotes where it must be. */
export function csvCell(text: string): string {
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Writes a table as CSV. */
export class CsvSink extends TextSink {
  constructor(head: TableHead, output: ByteOutput) {
    super(head, output, {
      words: { nan: "NaN", infinity: "inf", minusInfinity: "-inf" },
      text: csvCell,
      before: (_, index) => (index ? "," : ""),
      end: END,
    });
  }

  begin(): void | Promise<void> {
    const names = this.head.columns.map(({ name, units }) =>
      csvCell(units ? `${name} (${units})` : name)
    );
    return this.write(names.join(",") + END);
  }
}
