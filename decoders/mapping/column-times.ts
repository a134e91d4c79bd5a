/** Matrices one column of which, by its name, is the time of the others: `data` with labels time, EMG, ECG. */
import type { Attributes } from "../../src/model/dataset.ts";
import type { NumericArray } from "../../src/model/dtype.ts";
import { splitHeader } from "../tables/csv-units.ts";
import { findNames, type Neighbours } from "./evidence.ts";
import { isTimeName, readTimeVector, type TimeVector } from "./time-vectors.ts";
import type { Variable } from "./variables.ts";

/** Columns of such a matrix. */
const MOST_COLUMNS = 256;
/** Elements of one: all of it may have to be read for a column. */
const MOST_ELEMENTS = 8 << 20;

/** The times in columns of matrices. */
export async function findColumnTimes(
  variables: readonly Variable[],
  groups: Map<string, Attributes>,
  neighbours: Neighbours,
): Promise<TimeVector[]> {
  const vectors: TimeVector[] = [];
  for (const variable of variables) {
    const { shape, streamable, column } = variable;
    if (!streamable || !column || shape.length !== 2 || shape[0] * shape[1] > MOST_ELEMENTS) {
      continue;
    }
    for (const axis of [1, 0]) {
      const count = shape[axis];
      if (count < 2 || count > MOST_COLUMNS || shape[1 - axis] <= count) continue;
      const names = await findNames(variable, count, neighbours, groups);
      const index = names?.value.findIndex((n) => isTimeName(splitHeader(n).name)) ?? -1;
      if (index < 0) continue;
      const { units } = splitHeader(names!.value[index]);
      const vector = await columnVector(variable, axis, index, units);
      if (vector) vectors.push(vector);
      break;
    }
  }
  return vectors;
}

/** A column as a vector of times; undefined when its values are no times. */
export async function columnVector(
  variable: Variable,
  axis: number,
  index: number,
  unit: string,
): Promise<TimeVector | undefined> {
  const values = await variable.column!(axis, index);
  const slice = (from: number, count: number): Promise<NumericArray> =>
    Promise.resolve(values.slice(from, from + count));
  const vector = await readTimeVector({
    ...variable,
    attributes: {},
    shape: [values.length],
    slice,
  }, { unit });
  return vector && { ...vector, column: { axis, index, values } };
}
