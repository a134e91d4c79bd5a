/** LSM blocks that are kept beside the images: events as a table, drawings and lookup tables as bytes. */
import type { Dataset, NamedArray } from "../../src/model/dataset.ts";
import type { LsmBlocks } from "./lsm-info.ts";

/** Blocks whose first word is their size. */
const SIZED = [
  "VectorOverlay",
  "InputLut",
  "OutputLut",
  "Roi",
  "BleachRoi",
  "MeanOfRoisOverlay",
  "TopoIsolineOverlay",
  "TopoProfileOverlay",
  "LinescanOverlay",
];
/** Blocks whose structure the specification keeps to itself. */
const UNKNOWN = [
  "KsData",
  "ChannelFactors",
  "UnmixParameters",
  "AcquisitionParameters",
  "Characteristics",
  "Palette",
];
const MOST_BYTES = 4 << 20;
/** Types of events. */
const EVENTS = [
  "marker",
  "interval changed",
  "bleach started",
  "bleach stopped",
  "trigger",
];

/** Keeps the events with their times on the clock of the time stamps. */
export async function keepEvents(dataset: Dataset, blocks: LsmBlocks): Promise<void> {
  const events = await blocks.events();
  if (!events?.length) return;
  const column = (name: string, rest: Pick<NamedArray, "dtype" | "layout" | "units">) => {
    dataset.arrays.push({
      path: `source/lsm/events/${name}`,
      dims: ["event"],
      shape: [events.length],
      ...rest,
    });
  };
  const values = (list: Float64Array | Int32Array | string[]) => ({
    layout: { kind: "values" as const, values: list },
  });
  column("time", {
    dtype: "float64",
    units: "s",
    ...values(Float64Array.from(events, (e) => e.seconds)),
  });
  column("code", { dtype: "int32", ...values(Int32Array.from(events, (e) => e.type)) });
  column("label", {
    dtype: "string",
    ...values(events.map((e) => e.text || EVENTS[e.type] || `event ${e.type}`)),
  });
}

/** Keeps blocks without a meaning here as they are, and says which could not be kept. */
export async function keepBlocks(dataset: Dataset, blocks: LsmBlocks): Promise<void> {
  for (const name of SIZED) {
    const bytes = await blocks.raw(name, MOST_BYTES);
    if (!bytes) {
      if (blocks.offset(name)) {
        dataset.leftOut.push({ what: `block ${name}`, why: "its size makes no sense" });
      }
      continue;
    }
    const path = name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toLowerCase();
    dataset.arrays.push({
      path: `source/lsm/${path}`,
      dtype: "uint8",
      dims: [`${path}_byte`],
      shape: [bytes.length],
      layout: { kind: "values", values: bytes },
      attributes: { content: `LSM block ${name} as it is in the file` },
    });
  }
  for (const name of UNKNOWN) {
    if (blocks.offset(name)) {
      dataset.leftOut.push({ what: `block ${name}`, why: "its structure is not published" });
    }
  }
  if (blocks.offset("NextRecording")) {
    dataset.leftOut.push({
      what: "a further recording appended to the file",
      why: "only the first recording of a file is read",
    });
  }
}
