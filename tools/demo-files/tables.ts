/** Small tables for the demo dataset and for tests. */
import writeXlsxFile, { type SheetData } from "write-excel-file/universal";

/** A cell of a table; null for an empty one. */
export type DemoCell = string | number | boolean | Date | null;

/** Bytes of an xlsx file with one sheet. */
export async function xlsxBytes(rows: DemoCell[][]): Promise<Uint8Array> {
  const sheet = rows.map((row) =>
    row.map((value) =>
      value instanceof Date
        ? { value, type: Date, format: "yyyy-mm-dd" }
        : value === null
        ? null
        : { value }
    )
  ) as SheetData;
  const blob = await writeXlsxFile(sheet, { sheet: "Sheet1" }).toBlob();
  return new Uint8Array(await blob.arrayBuffer());
}
