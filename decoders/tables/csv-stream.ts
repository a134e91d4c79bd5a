/** A forward pass over a table as blocks of fields. */
import type { StreamBlock } from "../../src/model/dataset.ts";
import type { ByteSource } from "../../src/source/source.ts";
import {
  parseTable,
  type TableConfig,
  type TableParser,
  type TableRange,
  type TableReport,
} from "./csv-parser.ts";

/** Something a pass hands out, under one field or several. */
export type Outlet =
  /** All number columns as `[channel, row]`, or those named, in their order. */
  | { kind: "signals"; field: string; columns?: number[] }
  | { kind: "number"; field: string; column: number }
  | { kind: "text"; field: string; column: number }
  | { kind: "time"; field: string }
  /** Rows where a text other than `blank` stands: `field/time` and `field/label`. */
  | { kind: "text-events"; field: string; column: number; blank?: string }
  /** Rows where a number stands: `field/time` and `field/code`. */
  | { kind: "number-events"; field: string; column: number }
  /** Cells that did not fit, at the end: `field/row`, `field/column`, `field/text`. */
  | { kind: "strays"; field: string; names: string[] };

/** How time is had where no column gives it. */
export interface GeneratedTime {
  startSeconds: number;
  /** Null: the row number stands for time. */
  rateHz: number | null;
}

/** A pass, as data. */
export interface StreamPlan {
  range: TableRange;
  config: TableConfig;
  outlets: Outlet[];
  generated?: GeneratedTime;
  /** Words for what only the whole pass can tell. */
  judge?: (report: TableReport) => string[];
}

/** Opens the pass; cancelling it gives the parser's memory back. */
export function openTableStream(
  source: ByteSource,
  plan: StreamPlan,
  signal?: AbortSignal,
): ReadableStream<StreamBlock> {
  const passes = blocks(source, plan, signal);
  return new ReadableStream<StreamBlock>({
    async pull(controller) {
      const next = await passes.next();
      if (next.done) controller.close();
      else for (const block of next.value) controller.enqueue(block);
    },
    async cancel() {
      await passes.return(undefined);
    },
  }, { highWaterMark: 1 });
}

async function* blocks(
  source: ByteSource,
  plan: StreamPlan,
  signal?: AbortSignal,
): AsyncGenerator<StreamBlock[]> {
  let row = 0;
  let last: StreamBlock[] = [];
  const finish = (parser: TableParser) => last = endBlocks(parser, plan);
  for await (const parser of parseTable(source, plan.range, plan.config, finish, signal)) {
    const rows = parser.rows;
    yield plan.outlets.flatMap((outlet) => blocksOf(parser, outlet, plan, row));
    row += rows;
  }
  if (last.length) yield last;
}

function blocksOf(
  parser: TableParser,
  outlet: Outlet,
  plan: StreamPlan,
  firstRow: number,
): StreamBlock[] {
  const count = parser.rows;
  const { field } = outlet;
  switch (outlet.kind) {
    case "signals":
      return [{ field, values: signalsOf(parser, outlet.columns), count }];
    case "number":
      return [{ field, values: parser.numberColumn(outlet.column), count }];
    case "text":
      return [{ field, values: parser.texts(outlet.column), count }];
    case "time":
      return [{ field, values: timesOf(parser, plan, firstRow), count }];
    case "text-events": {
      const times = timesOf(parser, plan, firstRow);
      const labels: string[] = [], at: number[] = [];
      parser.texts(outlet.column).forEach((text, i) => {
        if (text === "" || text === outlet.blank) return;
        labels.push(text);
        at.push(times[i]);
      });
      return eventBlocks(field, at, { label: labels });
    }
    case "number-events": {
      const times = timesOf(parser, plan, firstRow);
      const codes: number[] = [], at: number[] = [];
      parser.numberColumn(outlet.column).forEach((code, i) => {
        if (Number.isNaN(code)) return;
        codes.push(code);
        at.push(times[i]);
      });
      return eventBlocks(field, at, { code: Float64Array.from(codes) });
    }
    case "strays":
      return [];
  }
}

function signalsOf(parser: TableParser, columns: number[] | undefined): Float64Array {
  if (!columns) return parser.numbers();
  const values = new Float64Array(columns.length * parser.rows);
  columns.forEach((column, i) => values.set(parser.numberColumn(column), i * parser.rows));
  return values;
}

function eventBlocks(
  field: string,
  times: number[],
  columns: Record<string, string[] | Float64Array>,
): StreamBlock[] {
  if (times.length === 0) return [];
  const count = times.length;
  return [
    { field: `${field}/time`, values: Float64Array.from(times), count },
    ...Object.entries(columns).map(([name, values]) => ({
      field: `${field}/${name}`,
      values,
      count,
    })),
  ];
}

/** Times of the block's rows, seconds; made up where the plan says so. */
export function timesOf(
  parser: TableParser,
  { generated }: Pick<StreamPlan, "generated">,
  firstRow: number,
): Float64Array {
  if (!generated) return parser.time();
  const { startSeconds, rateHz } = generated;
  return Float64Array.from(
    { length: parser.rows },
    (_, i) => rateHz === null ? firstRow + i : startSeconds + (firstRow + i) / rateHz,
  );
}

function endBlocks(parser: TableParser, plan: StreamPlan): StreamBlock[] {
  const out: StreamBlock[] = [];
  const outlet = plan.outlets.find((o) => o.kind === "strays");
  if (outlet) {
    const strays = parser.strays();
    const count = strays.length;
    const { field, names } = outlet;
    if (count) {
      out.push(
        { field: `${field}/row`, values: Float64Array.from(strays, (s) => s.row), count },
        {
          field: `${field}/column`,
          values: strays.map((s) => strayColumn(s.column, names)),
          count,
        },
        { field: `${field}/text`, values: strays.map((s) => s.text), count },
      );
    }
  }
  const warnings = plan.judge?.(parser.report()) ?? [];
  if (warnings.length) out.push({ field: "warnings", values: warnings, count: warnings.length });
  return out;
}

/** Name of the column a stray cell stands in. */
export function strayColumn(column: number | undefined, names: string[]): string {
  if (column === undefined) return "(comment line)";
  return names[column] ?? `(cell ${column + 1})`;
}
