/** The event tables a descriptor names. */
import { eventsFromValues, type EventTable } from "../../src/model/dataset.ts";
import { timeFactor } from "../tables/csv-units.ts";
import type { ArrayEvents } from "./descriptor-types.ts";
import { isSignal, type Lookup } from "./lookup.ts";
import { missing } from "./near.ts";
import { filled, matchesOf } from "./patterns.ts";
import { sizeOf } from "./variables.ts";

/** Times of events. */
const MOST_EVENTS = 4 << 20;

/** The tables of an event spec, one for each set of values its `{names}` take. */
export async function eventsOf(
  lookup: Lookup,
  spec: ArrayEvents,
  field: string,
): Promise<EventTable[]> {
  const matches = matchesOf(spec.time.variable, lookup.tree.variables);
  if (matches.length === 0) {
    if (spec.optional) return [];
    throw missing("array", spec.time.variable, lookup.paths, {
      source: lookup.source,
      field: `${field}.time.variable`,
    });
  }
  const tables: EventTable[] = [];
  for (const { variable, captures } of matches) {
    const count = sizeOf(variable.shape);
    if (count > MOST_EVENTS || !isSignal(variable)) {
      throw lookup.wrong("the array holds no times of events", field, variable.path);
    }
    const { multiply, divide } = timeFactor(spec.time.unit ?? "s")!;
    const values = await variable.values() as ArrayLike<number | bigint>;
    const time = Float64Array.from(
      { length: count },
      (_, i) => Number(values[i]) * multiply / divide,
    );
    const labels = await lookup.texts(spec.labels, captures, count, `${field}.labels`);
    tables.push(
      eventsFromValues(filled(spec.name, captures), time, labels ? { label: labels } : {}, {
        source_array: variable.path,
      }),
    );
  }
  return tables;
}
