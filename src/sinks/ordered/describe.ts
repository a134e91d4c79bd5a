/** What a table says of itself beside its rows: in the metadata of Arrow and Parquet, or a file of its own. */
import type { Attributes, Json } from "../../model/dataset.ts";
import { type TableHead, writtenType } from "./table.ts";

/** Key of the description in the metadata of Arrow and Parquet files. */
export const METADATA_KEY = "sparc_fuse";

/** The description of a table; `more` is what the format adds. */
export function describeTable(head: TableHead, rows: number | null, more: Attributes = {}): Json {
  return {
    table: head.name,
    ...more,
    rows: rows ?? "unknown",
    columns: head.columns.map((column): Json => ({
      name: column.name,
      units: column.units,
      dtype: writtenType(column),
      ...column.attributes,
    })),
    attributes: head.attributes,
    file: head.root,
  };
}

/** JSON has no NaN or infinities: they are written as words. */
export function jsonText(value: Json, indent?: number): string {
  return JSON.stringify(
    value,
    (_key, v) => typeof v === "number" && !Number.isFinite(v) ? String(v) : v,
    indent,
  );
}
