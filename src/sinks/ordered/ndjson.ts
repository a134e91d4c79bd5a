/**
 * Newline-delimited JSON: one object a row, keyed by the names of the columns, and nothing but rows, so
 * that any consumer can read line by line. JSON has no NaN and no infinities: they are null. Integers
 * beyond 2^53 are written in full, as JSON allows.
 */
import type { ByteOutput } from "./output.ts";
import type { TableHead } from "./table.ts";
import { TextSink } from "./text-sink.ts";

/** Writes a table as newline-delimited JSON. */
export class NdjsonSink extends TextSink {
  constructor(head: TableHead, output: ByteOutput) {
    super(head, output, {
      words: { nan: "null", infinity: "null", minusInfinity: "null" },
      text: (value) => JSON.stringify(value),
      before: (name, index) => `${index ? "," : "{"}${JSON.stringify(name)}:`,
      end: "}\n",
    });
  }

  begin(): void {}
}
