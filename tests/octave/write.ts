/**
 * Writes the MAT-files that check.m opens: a recording in physical values and one in the converter's
 * numbers, events, empty tables, texts, and arrays of every class, in version 5 and 7.3. What each
 * holds is written down a second time in check.m.
 *
 *   deno run -A tests/octave/write.ts FOLDER
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Dataset } from "../../src/model/dataset.ts";
import { allocate, type DType, type NumericArray } from "../../src/model/dtype.ts";
import { frameTable } from "../../src/model/layout.ts";
import { MemorySource } from "../../src/source/memory.ts";
import { interleaved } from "../support/build-dataset.ts";
import { writeOne } from "../support/write-sink.ts";

/** Samples of a channel: enough for several tasks of {@link writeOne}. */
const SAMPLES = 3000;

/** Texts of all widths UTF-8 has, and none. */
const TEXTS = ["plain", "µV für Ratte", "日本", "🧠 brain", ""];

/** Classes, each with its smallest and largest values. */
const NUMBERS: [DType, (number | bigint)[]][] = [
  ["int8", [-128, 127, 0, 1, 2, 3]],
  ["uint8", [255, 0, 1, 2, 3, 4]],
  ["int16", [-32768, 32767, 0, 1, 2, 3]],
  ["uint16", [65535, 0, 1, 2, 3, 4]],
  ["int32", [-2147483648, 2147483647, 0, 1, 2, 3]],
  ["uint32", [4294967295, 0, 1, 2, 3, 4]],
  ["int64", [-(2n ** 63n), 2n ** 63n - 1n, 0n, 1n, 2n, 3n]],
  ["uint64", [2n ** 64n - 1n, 2n ** 64n - 2n, 0n, 1n, 2n, 3n]],
  ["float32", [0.5, -Infinity, NaN, 1, 2, 3]],
  ["float64", [0.1, Infinity, NaN, 1, 2, 3]],
  ["bool", [1, 0, 1, 0, 0, 1]],
];

function numbers(dtype: DType, values: (number | bigint)[]): NumericArray {
  const out = allocate(dtype, values.length);
  values.forEach((value, i) => out[i] = value as never);
  return out;
}

/** Channel `c` of sample `t` holds `1000 c + t` in steps of a quarter, one above zero. */
function dataset(): Dataset {
  const made = interleaved({
    stored: "int16",
    channels: 3,
    samples: SAMPLES,
    gains: [0.25, 0.25, 0.25],
    offsets: [1, 1, 1],
  });
  const samples = Int16Array.from(
    { length: 3 * SAMPLES },
    (_, i) => 1000 * (i % 3) + Math.floor(i / 3),
  );
  made.sources[0] = new MemorySource("test.bin", new Uint8Array(samples.buffer));
  made.frameTables[0] = frameTable(6, [{ source: 0, offset: 0, frameCount: SAMPLES }]);
  made.recordings[0].channels.forEach((channel, c) => channel.name = ["left", "µ right", "x"][c]);
  Object.assign(made.metadata, { species: "Rattus norvegicus", notes: TEXTS[1] });

  const time = (values: number[]) => ({
    name: "time",
    dtype: "float64" as const,
    units: "s",
    innerShape: [],
    layout: { kind: "values" as const, values: Float64Array.from(values) },
  });
  const column = (
    name: string,
    dtype: DType,
    values: NumericArray | string[],
    inner: number[] = [],
  ) => ({
    name,
    dtype,
    innerShape: inner,
    layout: { kind: "values" as const, values },
  });
  made.events.push(
    {
      name: "marks",
      count: 2,
      columns: [
        time([0.5, 1.25]),
        column("label", "string", ["on", "µ off"]),
        column("waveform", "int16", Int16Array.of(1, 2, 3, 4, 5, 6), [3]),
      ],
    },
    {
      name: "none",
      count: 0,
      columns: [
        time([]),
        column("label", "string", []),
        column("waveform", "int16", new Int16Array(0), [3]),
      ],
    },
  );
  for (const [dtype, values] of NUMBERS) {
    made.arrays.push({
      path: `all/${dtype}`,
      dtype,
      dims: ["row", "column"],
      shape: [2, 3],
      layout: { kind: "values", values: numbers(dtype, values) },
    });
  }
  made.arrays.push({
    path: "all/text",
    dtype: "string",
    dims: ["row"],
    shape: [TEXTS.length],
    layout: { kind: "values", values: TEXTS },
  }, {
    path: "all/cube",
    dtype: "uint16",
    dims: ["a", "b", "c"],
    shape: [2, 3, 4],
    layout: { kind: "values", values: Uint16Array.from({ length: 24 }, (_, i) => i) },
  });
  return made;
}

if (import.meta.main) {
  for (const matVersion of ["5", "7.3"]) {
    for (const keep of ["physical", "raw"]) {
      const flags = { matVersion, ...(keep === "raw" ? { keep } : {}) };
      const bytes = await writeOne("mat", dataset(), flags);
      writeFileSync(join(Deno.args[0], `v${matVersion}-${keep}.mat`), bytes);
    }
  }
}
