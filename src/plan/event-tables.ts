/** Event tables and digital lines -> `events/<name>/`. */
import { FuseError } from "../errors.ts";
import type { Attributes, Dataset, EventTable } from "../model/dataset.ts";
import type { Layout } from "../model/layout.ts";
import type { PlanBuilder } from "./builder.ts";
import { UniqueNames } from "./names.ts";
import type { ArrayOrigin } from "./plan.ts";

/** Adds the event tables of a dataset and those its digital words will give. */
export function planEvents(builder: PlanBuilder, dataset: Dataset): void {
  const names = new UniqueNames();
  const add = (table: EventTable) => {
    const name = names.take(table.name, "events");
    builder.group(`events/${name}`, eventAttributes(table.name, table.attributes));
    for (const column of table.columns) {
      builder.rows(
        `events/${name}/${column.name}`,
        column.dtype,
        ["event", ...(column.innerDims ?? column.innerShape.map((_, i) => `dim_${i + 1}`))],
        [table.count, ...column.innerShape],
        originOf(column.layout),
        { ...column.attributes, ...(column.units ? { units: column.units } : {}) },
      );
    }
  };
  dataset.events.forEach(add);
  dataset.digital.forEach((digital) => {
    const words = builder.plan.arrays.findIndex((a) => a.path === digital.array);
    for (const line of digital.lines) {
      const name = names.take(line.name, `bit_${line.bit}`);
      builder.group(`events/${name}`, {
        ...eventAttributes(line.name, line.attributes),
        bit: line.bit,
      });
      for (const field of ["time", "label"] as const) {
        builder.rows(
          `events/${name}/${field}`,
          field === "time" ? "float64" : "string",
          ["event"],
          [null],
          { kind: "edges", words, bit: line.bit, field },
          field === "time" ? { units: "s" } : {},
        );
      }
    }
  });
}

/** `coordinates` keeps xarray's datatree from showing the signals' time axis in place of the events' own. */
function eventAttributes(name: string, own: Attributes = {}): Attributes {
  return { ...own, name, coordinates: "time" };
}

function originOf(layout: Layout): ArrayOrigin {
  if (layout.kind === "values" || layout.kind === "stream" || layout.kind === "clock") {
    return layout;
  }
  throw new FuseError("Unsupported", `event columns of kind ${layout.kind}`);
}
