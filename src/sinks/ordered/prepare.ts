/** The part of a dataset that has a place in tables. */
import { FuseError } from "../../errors.ts";
import type { Dataset, EventTable, NamedArray } from "../../model/dataset.ts";

/** Name under which plain columns become a table. */
const COLUMNS = "table";

/**
 * The recordings and event tables of `dataset`. Sweeps follow each other in time; the columns of a file
 * that has nothing else become a table of their own. What has no place is said in a warning.
 * @throws FuseError `Unsupported` when there is nothing for a table.
 */
export function tablesOnly(dataset: Dataset, sink: string): Dataset {
  const { images, digital } = dataset;
  const columns = dataset.recordings.length || dataset.events.length ? null : columnTable(dataset);
  const events = columns ? [columns.table] : dataset.events;
  const arrays = dataset.arrays.filter((a) => !columns?.used.has(a));
  const outside = [
    count(images.length, "image"),
    count(digital.length, "group of digital lines", "groups of digital lines"),
    count(arrays.length, "other array"),
  ].filter((text) => text !== "");
  if (!dataset.recordings.length && !events.length) {
    throw new FuseError("Unsupported", `nothing in the file is a table (${outside.join(", ")})`, {
      source: dataset.sources[0].name,
      remedy: "Use --to zarr or --to npz",
    });
  }
  return {
    ...dataset,
    recordings: dataset.recordings.map((r) => ({ ...r, sweepLength: undefined })),
    events,
    images: [],
    digital: [],
    arrays: [],
    documents: undefined,
    warnings: outside.length
      ? [...dataset.warnings, `not in ${sink}, but in zarr and npz: ${outside.join(", ")}`]
      : dataset.warnings,
    openStream: dataset.openStream?.bind(dataset),
  };
}

function count(n: number, one: string, many = `${one}s`): string {
  return n === 0 ? "" : `${n} ${n === 1 ? one : many}`;
}

/** Plain columns of one length as a table; null when there are none. */
function columnTable(dataset: Dataset): { table: EventTable; used: Set<NamedArray> } | null {
  const plain = dataset.arrays.filter(({ path, shape, layout }) =>
    !path.startsWith("source/") && shape.length === 1 &&
    (layout.kind === "stream" || layout.kind === "values")
  );
  const [first] = plain;
  if (!first) return null;
  const same = plain.filter((a) => a.dims[0] === first.dims[0] && a.shape[0] === first.shape[0]);
  const columns = same.map(({ path, dtype, layout, units, attributes }) => ({
    // Folders of arrays are no part of a column's name, but tell columns apart.
    name: path.replaceAll("/", "."),
    dtype,
    layout,
    units,
    innerShape: [],
    attributes,
  }));
  return {
    table: { name: COLUMNS, count: first.shape[0], columns },
    used: new Set(same),
  };
}
