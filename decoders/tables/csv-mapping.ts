/** A descriptor laid over a table: which columns it means, and what they become. */
import { FuseError } from "../../src/errors.ts";
import type { TableMapping, TableSignal } from "../mapping/descriptor-types.ts";
import { missing } from "../mapping/near.ts";
import type { HeadColumn, HeadTable } from "./csv-table.ts";

/** A descriptor with its columns found. */
export interface TableRoles {
  mapping: TableMapping;
  /** Columns of the time; none where a rate or the index gives it, or nothing is said of it. */
  time: number[];
  /** Channels in their order, by column; undefined: all columns of numbers, or those of `range`. */
  signals?: Map<number, TableSignal>;
  /** First and last column among which those of numbers are channels. */
  range?: [number, number];
  events: Set<number>;
  groupBy: number[];
}

/** Name of a column that no other has, as outputs call it. */
function uniqueNames(columns: readonly HeadColumn[]): string[] {
  const counts = new Map<string, number>();
  return columns.map(({ name }) => {
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    return count === 1 ? name : `${name} (${count})`;
  });
}

/**
 * Finds the columns a descriptor names.
 * @throws FuseError `Usage` for a column that is not there or that several have the name of.
 */
export function findColumns(table: HeadTable, mapping: TableMapping, source: string): TableRoles {
  const { columns } = table;
  const unique = uniqueNames(columns);
  const find = (wanted: string | number, field: string): number => {
    if (typeof wanted === "number") {
      if (wanted < columns.length) return wanted;
      throw new FuseError("Usage", "the mapping names a column that is not there", {
        source,
        field,
        found: wanted,
        expected: `0 to ${columns.length - 1}`,
      });
    }
    const plain = (text: string) => text.trim().toLowerCase();
    const ways: ((c: HeadColumn) => boolean)[] = [
      (c) => c.header === wanted,
      (c) => unique[c.index] === wanted,
      (c) => c.name === wanted,
      (c) => plain(c.header) === plain(wanted) || plain(unique[c.index]) === plain(wanted),
    ];
    for (const way of ways) {
      const found = columns.filter(way);
      if (found.length === 1) return found[0].index;
      if (found.length > 1) {
        throw new FuseError("Usage", `several columns are called "${wanted}"`, {
          source,
          field,
          expected: `a number: ${found.map((c) => c.index).join(", ")}`,
        });
      }
    }
    const names = columns.map((c) => c.header || unique[c.index]);
    throw missing("column", wanted, names, { source, field });
  };
  const { time, signals, events = [], group_by = [] } = mapping;
  const columnsOfTime = time && "column" in time ? [time.column].flat() : [];
  return {
    mapping,
    time: columnsOfTime.map((c) => find(c, "time")),
    ...(signals && !Array.isArray(signals)
      ? { range: [signals.from, signals.to ?? columns.length - 1] as [number, number] }
      : signals
      ? { signals: new Map(signals.map((s, i) => [find(s.column, `signals[${i}]`), s])) }
      : {}),
    events: new Set(events.map((c, i) => find(c, `events[${i}]`))),
    groupBy: group_by.map((c, i) => find(c, `group_by[${i}]`)),
  };
}
