/** A slice of a store as `.npy` or CSV, to standard output. */
import { FuseError } from "../errors.ts";
import { dtypeOf, type NumericArray } from "../model/dtype.ts";
import { npyHeader, npyType } from "../sinks/npy/format.ts";
import { StdoutOutput } from "../sinks/targets/stdout.ts";
import type { StoredArray } from "../store/nodes.ts";
import type { FlagValues } from "./flags.ts";

/** Writes values in C order of `shape`. @throws FuseError `Usage` for other kinds of output. */
export async function writeSlice(
  values: NumericArray,
  shape: number[],
  array: StoredArray,
  flags: FlagValues,
): Promise<void> {
  const kind = String(flags.to);
  if (kind !== "npy" && kind !== "csv") {
    throw new FuseError("Usage", "a slice of a store is written as npy or csv", { found: kind });
  }
  const output = new StdoutOutput();
  if (kind === "npy") {
    await output.write(npyHeader({ descr: npyType(dtypeOf(values)), fortranOrder: false, shape }));
    await output.write(
      new Uint8Array(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength),
    );
  } else await output.write(new TextEncoder().encode(csvText(values, shape, array)));
}

/** Time downwards and channels across for `[channel, time]`; other arrays row by row. */
function csvText(values: NumericArray, shape: number[], array: StoredArray): string {
  const columns = shape.length < 2 ? 1 : shape[shape.length - 1];
  const rows = values.length / Math.max(1, columns);
  const turned = array.dims.join() === "channel,time";
  const lines: string[] = [];
  const [height, width] = turned ? [columns, rows] : [rows, columns];
  for (let y = 0; y < height; y++) {
    const cells: string[] = [];
    for (let x = 0; x < width; x++) {
      cells.push(String(values[turned ? x * columns + y : y * columns + x]));
    }
    lines.push(cells.join(","));
  }
  return lines.join("\n") + "\n";
}
