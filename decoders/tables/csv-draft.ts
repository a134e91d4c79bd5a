/** A descriptor that says what was found out of a table. */
import type { MappingDescriptor, TableMapping } from "../mapping/descriptor-types.ts";
import { signalColumns } from "./csv-dataset.ts";
import type { RoleColumn } from "./csv-roles.ts";
import type { Survey } from "./csv-survey.ts";
import type { TimeChoice } from "./csv-time.ts";

/** Columns are named one by one up to so many. */
const MOST_COLUMNS = 4096;

/** The descriptor of a survey; `groupBy`: the columns a long table was sorted by. */
export function draftTable(
  name: string,
  survey: Survey,
  groupBy: readonly RoleColumn[] = [],
): MappingDescriptor {
  const { dialect, table, roles } = survey;
  const { columns, time, shape, statedRate } = roles;
  // A header names a column where no other column answers to it.
  const names = new Map<string, number>();
  for (const text of columns.flatMap((c) => [...new Set([c.header, c.name])])) {
    names.set(text, (names.get(text) ?? 0) + 1);
  }
  const nameOf = ({ header, index }: RoleColumn) =>
    header !== "" && names.get(header) === 1 ? header : index;
  const signals = signalColumns(roles).filter((c) => !groupBy.includes(c));
  return {
    name,
    kind: "table",
    separator: dialect.separator,
    decimal: dialect.decimal,
    skip_rows: table.skippedRows,
    header_rows: table.headerRows.length,
    shape,
    ...(time
      ? { time: timeOf(time, columns, nameOf) }
      : shape !== "series"
      ? {}
      : statedRate
      ? { time: { rate_hz: statedRate.hz, start_s: statedRate.startSeconds } }
      : { time: { index: true } }),
    ...(signals.length > MOST_COLUMNS ? {} : {
      signals: signals.map((column) => ({
        column: nameOf(column),
        name: column.uniqueName,
        unit: column.units,
        ...(column.gain === undefined ? {} : { gain: column.gain }),
        ...(column.offset === undefined ? {} : { offset: column.offset }),
      })),
    }),
    events: columns.filter((c) => c.marker).map(nameOf),
    ...(groupBy.length ? { group_by: groupBy.map(nameOf) } : {}),
  };
}

function timeOf(
  { parts, factor, units }: TimeChoice,
  columns: readonly RoleColumn[],
  nameOf: (column: RoleColumn) => string | number,
): TableMapping["time"] {
  const named = parts.map((p) => nameOf(columns[p.index]));
  const [{ kind }] = parts;
  const unit = kind.kind === "epoch"
    ? { 9: "s", 6: "ms", 3: "us", 0: "ns" }[kind.exponent as 0 | 3 | 6 | 9]
    : kind.kind === "time"
    ? unitOf(factor)
    : undefined;
  return {
    column: named.length === 1 ? named[0] : named,
    ...(unit ? { unit: unit as "s" } : {}),
    ...(kind.kind === "moment" && units !== "" ? { dates: kind.order } : {}),
  };
}

/** The unit of a factor to seconds. */
function unitOf({ multiply, divide }: TimeChoice["factor"]): string {
  const units: [string, number, number][] = [
    ["s", 1, 1],
    ["ms", 1, 1e3],
    ["us", 1, 1e6],
    ["ns", 1, 1e9],
    ["min", 60, 1],
    ["h", 3600, 1],
    ["d", 86_400, 1],
  ];
  return units.find(([, m, d]) => m === multiply && d === divide)?.[0] ?? "s";
}
