/** Numbers as text: the shortest decimals from which the same number is read back. */
import type { NumericArray } from "../../model/dtype.ts";
import type { ColumnValues, TableColumn } from "./table.ts";

/** How numbers that are none are written. */
export interface NumberWords {
  nan: string;
  infinity: string;
  minusInfinity: string;
}

/** Text of row `i` of a column's values. */
export type CellText = (values: ColumnValues, i: number) => string;

/** Integer types of which every value has its place in a table of texts. */
const TABLED = new Set(["int8", "uint8", "int16", "uint16"]);

/** Shortest decimals that round to the same single float. */
export function shortestFloat32(value: number): string {
  if (value === 0) return 1 / value < 0 ? "-0" : "0";
  for (let digits = 7; digits < 9; digits++) {
    const near = Number(value.toPrecision(digits));
    if (Math.fround(near) === value) return String(near);
  }
  return String(Number(value.toPrecision(9)));
}

/** Texts of the values of `column`; tables for integers of 16 bits are made as values come. */
export function numberText(column: TableColumn, words: NumberWords): CellText {
  const finite = (value: number, text: (v: number) => string): string =>
    Number.isFinite(value)
      ? text(value)
      : Number.isNaN(value)
      ? words.nan
      : value > 0
      ? words.infinity
      : words.minusInfinity;
  const { dtype, scale } = column;
  const plain = (value: number) => value === 0 && 1 / value < 0 ? "-0" : String(value);
  if (scale) {
    const { gain, offset } = scale;
    const product = (raw: number) => finite(raw * gain + offset, plain);
    if (!TABLED.has(dtype)) return (values, i) => product(Number(values[i]));
    const texts: (string | undefined)[] = new Array(2 ** 16);
    return (values, i) => {
      const raw = (values as NumericArray)[i] as number;
      return texts[raw & 0xffff] ??= product(raw);
    };
  }
  if (dtype === "float32") return (values, i) => finite(values[i] as number, shortestFloat32);
  if (dtype === "float64") return (values, i) => finite(values[i] as number, plain);
  return (values, i) => String(values[i]);
}

/** The same text function for columns that are scaled alike: they share their tables. */
export function numberTexts(columns: TableColumn[], words: NumberWords): CellText[] {
  const known = new Map<string, CellText>();
  return columns.map((column) => {
    const { dtype, scale } = column;
    const key = `${dtype} ${scale?.gain} ${scale?.offset}`;
    let text = known.get(key);
    if (!text) {
      // Tables are worth their memory while there are few of them.
      text = numberText(
        known.size < MOST_TABLES ? column : { ...column, dtype: untabled(dtype) },
        words,
      );
      known.set(key, text);
    }
    return text;
  });
}

/** Tables of texts at a time: a few megabytes each when full. */
const MOST_TABLES = 8;

function untabled(dtype: TableColumn["dtype"]): TableColumn["dtype"] {
  return TABLED.has(dtype) ? "int32" : dtype;
}
