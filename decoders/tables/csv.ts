/** Delimited text: CSV, TSV and their relatives, as signals over time, events, or plain columns. */
import { DEFAULT_LIMITS, FuseError } from "../../src/errors.ts";
import type { Dataset } from "../../src/model/dataset.ts";
import type { ByteSource } from "../../src/source/source.ts";
import {
  type FormatDescriptor,
  NOT_MINE,
  type OpenOptions,
  PROBE_BYTES,
  type ProbeInput,
  type ProbeResult,
  type Reader,
} from "../format.ts";
import { buildDataset } from "./csv-dataset.ts";
import { separatorName } from "./csv-dialect.ts";
import { longDataset } from "./csv-long.ts";
import { readHead, surveyTable } from "./csv-survey.ts";

const EXTENSIONS = [".csv", ".tsv", ".txt"];

/** How well text under a foreign extension must fit to be taken for a table. */
const FOREIGN_FIT = 0.6;

async function open(source: ByteSource, options: OpenOptions): Promise<Dataset> {
  const { signal, limits = DEFAULT_LIMITS, mapping } = options;
  const stated = mapping?.descriptor.kind === "table" ? mapping.descriptor : undefined;
  const survey = await surveyTable(source, signal, stated);
  const columns = survey.table.columns.length;
  if (columns > limits.items) {
    throw new FuseError("Limit", "more columns than allowed", {
      source: source.name,
      found: columns,
      expected: `at most ${limits.items}`,
    });
  }
  return await longDataset(source, survey, signal) ?? buildDataset(source, survey);
}

/** Starts of text formats that are written in lines and are no tables. */
const OTHERS = /^\s*[{[<]|^%PDF|^@(?:HD|SQ|RG|PG|CO)\t|^#!|^(?:import|from|function|def|class) /;

function probe({ head, name, size }: ProbeInput): ProbeResult {
  const own = EXTENSIONS.some((e) => name.endsWith(e));
  // A first line longer than the head is judged by what there is of it.
  const complete = head.length < PROBE_BYTES || head.length === size ||
    (own && !head.includes(10) && !head.includes(13));
  const read = readHead(head, complete);
  if ("why" in read || OTHERS.test(read.head.text.slice(0, 200))) return NOT_MINE;
  const { dialect, table } = read;
  // Settings: "name = value".
  if (table.rows.length && table.rows.every((r) => r.cells[1] === "=")) return NOT_MINE;
  // Text under a foreign extension is likely to be another format's.
  if (!own && (table.columns.length < 2 || dialect.fit < FOREIGN_FIT)) return NOT_MINE;
  const [least, span] = own ? [80, 80] : [30, 50];
  // A line or two prove little.
  const proof = table.rows.length + table.headerRows.length >= 3 ? 1 : 0.5;
  return {
    score: Math.round((least + span * Math.min(1, dialect.fit)) * proof),
    why: `text in ${table.columns.length} columns separated by ${
      separatorName(dialect.separator)
    }: ${dialect.why}`,
  };
}

const reader: Reader = { open };

/** Descriptor of delimited text. */
export const csv: FormatDescriptor = {
  id: "csv",
  name: "Delimited text (CSV, TSV, TXT)",
  kind: "table",
  extensions: EXTENSIONS,
  needs: "forward",
  reads: "any separator, decimal comma, UTF-8/UTF-16/Latin-1, preambles, units, time in numbers, " +
    "dates or clocks, text and marker columns, long format",
  missing: "several tables in one file",
  references: ["RFC 4180", "W3C Model for Tabular Data", "Python csv", "pandas.read_csv"],
  probe,
  load: () => Promise.resolve(reader),
};
