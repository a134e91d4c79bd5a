/**
 * References (kerchunk): a zarr v2 store whose chunks are ranges of the original file, for every array
 * whose chunks plain codecs can decode where they lie. What cannot be expressed is left out and said.
 */
import type { Attributes, Dataset, Json } from "../../model/dataset.ts";
import { decodedType, type NumericArray, sizeOf } from "../../model/dtype.ts";
import type { FrameLayout } from "../../model/layout.ts";
import type { ArrayOrigin, Plan, PlannedArray, SignalPart } from "../../plan/plan.ts";
import { fillTimes } from "../../stream/clock-task.ts";
import { zarrayDocument } from "../zarr/metadata.ts";
import { vlenUtf8 } from "../zarr/strings.ts";
import { chunkReferences, type Expressed, type ReferencedSources } from "./chunk-references.ts";
import { frameReferences } from "./frame-references.ts";
import { gridReferences } from "./grid-references.ts";
import { pruneImages, uniqueDims } from "./groups.ts";
import { deflated, shuffled } from "./inline.ts";
import type { SourcePlace } from "./places.ts";
import { sourcePlace } from "./places.ts";
import type { References } from "./reference.ts";

/** Time axes up to this many samples are kept inside the reference file. */
const INLINE_TIMES = 1 << 20;
/** Values of a chunk that is kept inside. */
const INLINE_CHUNK = 1 << 16;

/** Why arrays of these origins have no bytes to refer to. */
const MADE: Partial<Record<ArrayOrigin["kind"], string>> = {
  stream: "the values have to be decoded",
  edges: "the values have to be decoded",
  reduced: "smaller levels are not in the file",
};

/** Calibration of each channel, where they differ. */
interface Scales {
  gain: Float64Array;
  offset: Float64Array;
}

/** A referenced array with what has to be said of it. */
type Described = Expressed & { attributes: Attributes; scales?: Scales };

/**
 * Makes the references of a planned file (a plan of zarr format 2).
 * @param places address of each source, in the order of `dataset.sources`; where they are by default
 */
export function makeReferences(
  plan: Plan,
  dataset: Dataset,
  places: SourcePlace[] = dataset.sources.map((s) => sourcePlace(s)),
): References {
  const out: References = {
    documents: Object.entries(plan.documents),
    metadata: new Map(),
    arrays: [],
    referred: 0,
    leftOut: [...plan.leftOut],
  };
  const from: ReferencedSources = { sources: dataset.sources, places };
  const dims = uniqueDims();
  const groups = new Map(plan.groups.map((g) => [g.path, g.attributes]));
  const expressed = new Map<string, string[]>();
  for (const { path } of plan.arrays) {
    for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1)) {
      if (!groups.has(path.slice(0, at))) groups.set(path.slice(0, at), {});
    }
  }
  for (const array of plan.arrays) {
    const { origin } = array;
    if (origin.kind === "values") {
      addInline(out, array, origin.values, dims);
    } else if (origin.kind === "clock") {
      const [length] = array.shape;
      if (length !== null && length <= INLINE_TIMES) {
        const times = (first: number, part: Float64Array) => fillTimes(origin, first, part);
        addInline(out, array, times, dims);
      } else {
        out.leftOut.push({
          what: array.path,
          why:
            "a long time axis has no bytes to refer to: sampling_frequency and segments tell the times",
        });
      }
    } else {
      const described = describe(array, plan, from);
      if ("reason" in described) out.leftOut.push({ what: array.path, why: described.reason });
      else {
        addReferred(out, array, described, dims);
        out.referred++;
        expressed.set(array.path, described.dims);
      }
    }
  }
  pruneImages(groups, plan.arrays, expressed);
  groups.set("", {
    ...groups.get(""),
    references_left_out: out.leftOut.map((l): Json => ({ ...l })),
  });
  for (const [path, attributes] of groups) {
    out.metadata.set(keyIn(path, ".zgroup"), { zarr_format: 2 });
    out.metadata.set(keyIn(path, ".zattrs"), attributes);
  }
  // A group before what is in it, and all of that together: zarr-python takes an index in no other order.
  out.metadata = new Map([...out.metadata].sort(([a], [b]) => (a < b ? -1 : 1)));
  return out;
}

/** How an array that is in the file can be expressed. */
function describe(
  array: PlannedArray,
  plan: Plan,
  from: ReferencedSources,
): Described | { reason: string } {
  const { origin, attributes, dims, dtype } = array;
  const shape = array.shape as number[];
  switch (origin.kind) {
    case "image": {
      const made = chunkReferences({ dims, shape, dtype, layout: origin.layout }, from);
      return "reason" in made ? made : { ...made, attributes };
    }
    case "grid": {
      const made = gridReferences(dims, shape, origin, from);
      if ("reason" in made) return made;
      const { scales, ...expressed } = made;
      return scaled({ ...expressed, attributes }, scales);
    }
    case "signals":
      return describeSignals(array, origin.parts, plan, from);
    default:
      return { reason: MADE[origin.kind] ?? "the values have to be decoded" };
  }
}

function describeSignals(
  array: PlannedArray,
  parts: SignalPart[],
  plan: Plan,
  from: ReferencedSources,
): Described | { reason: string } {
  if (array.shape.includes(null) || parts.some((p) => p.layout.kind !== "frames")) {
    return { reason: "the values have to be decoded" };
  }
  const shape = array.shape as number[];
  if (shape.includes(0)) return { reason: "it is empty" };
  const framed = parts.map((p) => {
    const layout = p.layout as FrameLayout;
    const { firstChannel, channelCount, tail } = p;
    const table = plan.frameTables[layout.table];
    return { firstChannel, channelCount, layout, table, ...(tail ? { tail } : {}) };
  });
  const made = frameReferences({ dims: array.dims, shape, parts: framed }, from);
  if ("reason" in made) return made;
  const flip = framed[0].layout.flipSign === true;
  if (framed.some(({ layout }) => (layout.flipSign === true) !== flip)) {
    return { reason: "its channels are stored in several types" };
  }
  // Offset-binary words are referred to as they are; the scale takes their middle off.
  const middle = flip && decodedType(framed[0].layout.stored, true) !== framed[0].layout.stored
    ? 2 ** (sizeOf(framed[0].layout.stored) * 8 - 1)
    : 0;
  const attributes = { ...array.attributes };
  if (!parts.some((p) => p.calibration)) {
    if (middle) {
      const { scale_factor = 1, add_offset = 0 } = attributes as Record<string, number>;
      attributes.scale_factor = scale_factor;
      attributes.add_offset = add_offset - middle * scale_factor;
    }
    return { ...made, attributes };
  }
  const channels = parts.reduce((n, p) => n + p.channelCount, 0);
  const scales: Scales = {
    gain: new Float64Array(channels).fill(1),
    offset: new Float64Array(channels),
  };
  for (const { firstChannel, calibration } of parts) {
    calibration?.gain.forEach((gain, i) => {
      scales.gain[firstChannel + i] = gain;
      scales.offset[firstChannel + i] = calibration.offset[i] - middle * gain;
    });
  }
  return scaled({ ...made, attributes }, scales);
}

/** Each channel has its own scale: raw numbers are referred to, and the scales lie beside them. */
function scaled(described: Described, scales: Scales | undefined): Described {
  if (!scales) return described;
  const { units: _units, ...attributes } = described.attributes;
  return {
    ...described,
    scales,
    attributes: { ...attributes, long_name: "numbers of the converter" },
  };
}

function addReferred(
  out: References,
  array: PlannedArray,
  made: Described,
  dims: ReturnType<typeof uniqueDims>,
): void {
  const { path } = array;
  const name = path.slice(path.lastIndexOf("/") + 1);
  const { scales, attributes } = made;
  const document = zarrayDocument(
    { ...array, dtype: made.dtype, chunks: made.chunks, compressor: { id: "none" } },
    made.shape,
  );
  addMetadata(out, path, {
    ...document,
    dtype: made.bigEndian ? String(document.dtype).replace("<", ">") : document.dtype,
    compressor: made.compressor,
    filters: made.filters,
    fill_value: made.fill as Json,
  }, {
    _ARRAY_DIMENSIONS: dims.of(path, made.dims, made.shape),
    ...attributes,
    ...(scales ? { comment: `multiply by ${name}_gain, then add ${name}_offset` } : {}),
  });
  const { grid, at, fillChunk } = made;
  out.arrays.push({ path, grid, at, ...(fillChunk ? { fillChunk } : {}) });
  if (!scales) return;
  const { units } = array.attributes;
  for (const key of ["gain", "offset"] as const) {
    const beside: PlannedArray = {
      ...array,
      path: `${path}_${key}`,
      dtype: "float64",
      dims: ["channel"],
      shape: [scales[key].length],
      attributes: units === undefined ? {} : { units },
    };
    addInline(out, beside, scales[key], dims);
  }
}

/** Values that are kept inside the reference file, deflated. */
function addInline(
  out: References,
  array: PlannedArray,
  values: NumericArray | string[] | ((first: number, part: Float64Array) => void),
  dims: ReturnType<typeof uniqueDims>,
): void {
  const shape = array.shape as number[];
  const row = shape.slice(1).reduce((n, s) => n * s, 1);
  const chunks = shape.map((n) => Math.max(1, n));
  if (chunks.length) chunks[0] = Math.min(chunks[0], Math.max(1, Math.floor(INLINE_CHUNK / row)));
  const document = zarrayDocument({ ...array, chunks, compressor: { id: "none" } }, shape);
  const names = dims.of(array.path, array.dims, shape);
  const attributes = { _ARRAY_DIMENSIONS: names, ...array.attributes };
  const perChunk = chunks.reduce((n, s) => n * s, 1);
  const grid = shape.map((n, i) => Math.ceil(n / chunks[i]));
  if (Array.isArray(values)) {
    addMetadata(out, array.path, document, attributes);
    const at = (k: number) => {
      const part = values.slice(k * perChunk, (k + 1) * perChunk);
      while (part.length < perChunk) part.push("");
      return { bytes: vlenUtf8(part) };
    };
    out.arrays.push({ path: array.path, grid, at });
    return;
  }
  const width = sizeOf(array.dtype);
  const all = perChunk * grid.reduce((n, s) => n * s, 1);
  const small = all * width <= SMALL_VALUES;
  addMetadata(out, array.path, {
    ...document,
    compressor: small ? null : { id: "zlib", level: 6 },
    filters: small || width === 1 ? null : [{ id: "shuffle", elementsize: width }],
  }, attributes);
  const at = async (k: number) => {
    const part = new Uint8Array(perChunk * width);
    if (typeof values === "function") {
      const count = Math.min(perChunk, shape[0] - k * perChunk);
      values(k * perChunk, new Float64Array(part.buffer, 0, count));
    } else {
      const { buffer, byteOffset, byteLength } = values;
      const bytes = new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
      part.set(bytes.subarray(k * part.length, (k + 1) * part.length));
    }
    return { bytes: small ? part : await deflated(width > 1 ? shuffled(part, width) : part) };
  };
  out.arrays.push({ path: array.path, grid, at });
}

/** Bytes of values that are not worth a compressor. */
const SMALL_VALUES = 512;

function addMetadata(
  out: References,
  path: string,
  document: Record<string, Json>,
  attributes: Attributes,
): void {
  // Readers of the parquet form know no other separator.
  out.metadata.set(keyIn(path, ".zarray"), { ...document, dimension_separator: "." });
  out.metadata.set(keyIn(path, ".zattrs"), attributes);
}

function keyIn(path: string, name: string): string {
  return path ? `${path}/${name}` : name;
}
