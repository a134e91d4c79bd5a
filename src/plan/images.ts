/** Images -> OME-Zarr groups, levels and tasks (OME-NGFF 0.4 and 0.5). */
import type { Attributes, Dataset, ImageSeries, Json } from "../model/dataset.ts";
import { sizeOf } from "../model/dtype.ts";
import type { PlanBuilder } from "./builder.ts";
import { imageChunking, reducedShapes, roundUp } from "./chunking.ts";
import type { ChunkLayout } from "../model/layout.ts";

/** Key under which a document of the dataset becomes the OME-XML of the store. */
export const OME_XML = "OME/METADATA.ome.xml";

/** Adds every image: one in the root, several as the bioformats2raw layout. */
export function planImages(builder: PlanBuilder, dataset: Dataset): void {
  const { images } = dataset;
  if (images.length === 0) return;
  const version = builder.plan.zarrFormat === 3 ? "0.5" : "0.4";
  const mixed = dataset.recordings.length > 0 || dataset.events.length > 0;
  if (images.length === 1 && !mixed) {
    planImage(builder, images[0], "", version);
    return;
  }
  const base = mixed ? "images/" : "";
  const layout: Attributes = { "bioformats2raw.layout": 3 };
  builder.group(
    base.replace(/\/$/, ""),
    version === "0.5" ? { ome: { version, ...layout } } : layout,
  );
  const series = images.map((_, i) => String(i));
  builder.group(`${base}OME`, version === "0.5" ? { ome: { version, series } } : { series });
  images.forEach((image, i) => planImage(builder, image, `${base}${i}/`, version));
}

function planImage(
  builder: PlanBuilder,
  image: ImageSeries,
  prefix: string,
  version: string,
): void {
  const { plan } = builder;
  const arrays: number[] = [];
  const shapes: number[][] = [];
  const compressor = image.role === "label" ? builder.runsCompressor : builder.compressor;
  const add = (
    shape: number[],
    layout: ChunkLayout,
    chunks: number[],
    region: number[],
  ): number => {
    const whole = region.every((n, i) => n === chunks[i]) && shape.every((n, i) => n <= region[i]);
    arrays.push(builder.array({
      path: `${prefix}${arrays.length}`,
      dtype: image.dtype,
      dims: image.axes,
      shape,
      chunks,
      shards: builder.sharded && !whole ? region : null,
      attributes: {},
      origin: { kind: "image", layout },
      compressor,
    }));
    shapes.push(shape);
    return arrays[arrays.length - 1];
  };
  image.levels.forEach((level, i) => {
    const { chunks, shards } = imageChunking(
      level.shape,
      level.layout.chunkShape,
      sizeOf(image.dtype),
      builder.targets,
    );
    const index = add(level.shape, level.layout, chunks, shards);
    const reduce = i === 0 && image.levels.length === 1 && canReduce(image);
    const levels = [
      index,
      ...(reduce ? planReduced(builder, image, prefix, index, shards, arrays, shapes) : []),
    ];
    const count = level.shape.reduce((n, s, k) => n * Math.max(1, Math.ceil(s / shards[k])), 1);
    plan.tasks.push({ kind: "image", levels, region: shards, count });
    const plane = shards.slice(-2).reduce((a, b) => a * b, sizeOf(image.dtype));
    plan.taskMemoryBytes = Math.max(plan.taskMemoryBytes, (reduce ? plane : 0) + (32 << 20));
  });
  builder.group(prefix.replace(/\/$/, ""), {
    // First, so that no attribute of a file can stand in for OME-Zarr's own.
    ...image.attributes,
    ...imageMetadata(
      image,
      arrays.map((index) => plan.arrays[index].path.slice(prefix.length)),
      shapes,
      version,
    ),
  });
}

function canReduce(image: ImageSeries): boolean {
  return !/^(complex|float16|bool|u?int64)/.test(image.dtype) && image.role !== "auxiliary";
}

function planReduced(
  builder: PlanBuilder,
  image: ImageSeries,
  prefix: string,
  first: number,
  region: number[],
  arrays: number[],
  shapes: number[][],
): number[] {
  const { plan } = builder;
  const base = plan.arrays[first];
  const rank = base.shape.length;
  const made: number[] = [];
  reducedShapes(base.shape as number[], base.chunks).forEach((shape, i) => {
    const chunks = base.chunks.map((n, k) => Math.min(n, shape[k]));
    const part = reducedRegion(region, i + 1);
    // Where a task's share of this level is less than a chunk, shares of several tasks meet: written whole at the end.
    const own = shape.every((n, k) => k < rank - 2 || n <= part[k] || part[k] % chunks[k] === 0);
    const shards = part.map((n, k) => shape[k] <= n ? roundUp(shape[k], chunks[k]) : n);
    const whole = shards.every((n, k) => n === chunks[k]);
    made.push(builder.array({
      path: `${prefix}${arrays.length}`,
      dtype: image.dtype,
      dims: image.axes,
      shape,
      chunks,
      shards: builder.sharded && own && !whole ? shards : null,
      attributes: {},
      origin: {
        kind: "reduced",
        from: made.length ? made[made.length - 1] : first,
        method: image.role === "label" ? "nearest" : "mean",
      },
      compressor: base.compressor,
    }));
    arrays.push(made[made.length - 1]);
    shapes.push(shape);
  });
  return made;
}

/** A task's share of the level `steps` halvings below its region. */
export function reducedRegion(region: number[], steps: number): number[] {
  return region.map((n, k) => (k >= region.length - 2 ? Math.ceil(n / 2 ** steps) : n));
}

const RGB = ["FF0000", "00FF00", "0000FF"];
const RANGES: Record<string, [number, number]> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65535],
  int16: [-32768, 32767],
  uint32: [0, 4294967295],
  int32: [-2147483648, 2147483647],
};

/** `multiscales` and `omero` of one image, in the place its version wants them. */
function imageMetadata(
  image: ImageSeries,
  paths: string[],
  shapes: number[][],
  version: string,
): Attributes {
  const size = image.pixelSizeMicrometres ?? {};
  const axes = image.axes.map((name): Json => {
    if (name === "t") {
      return { name, type: "time", ...(image.timeStepSeconds ? { unit: "second" } : {}) };
    }
    if (name === "c") return { name, type: "channel" };
    return { name, type: "space", ...(size[name] ? { unit: "micrometer" } : {}) };
  });
  const base = image.axes.map((name) =>
    name === "t" ? image.timeStepSeconds ?? 1 : name === "c" ? 1 : size[name] ?? 1
  );
  const datasets = paths.map((path, level): Json => ({
    path,
    coordinateTransformations: [{
      type: "scale",
      scale: base.map((step, k) => step * scaleOf(shapes[0][k], shapes[level][k], image.axes[k])),
    }],
  }));
  const reduced = image.levels.length === 1 && paths.length > 1;
  const multiscales: Json = [{
    ...(version === "0.4" ? { version } : {}),
    name: image.name,
    axes,
    datasets,
    ...(reduced ? { type: image.role === "label" ? "nearest" : "mean 2x2" } : {}),
  }];
  const omero = omeroMetadata(image);
  const content: Attributes = { multiscales, ...(omero ? { omero } : {}) };
  return version === "0.5" ? { ome: { version, ...content } } : content;
}

/** Exact halvings stay powers of two however the sizes were rounded. */
function scaleOf(full: number, level: number, axis: string): number {
  if (axis === "t" || axis === "c" || full === level) return 1;
  const ratio = full / level;
  const power = 2 ** Math.round(Math.log2(ratio));
  return Math.ceil(full / power) === level || Math.floor(full / power) === level ? power : ratio;
}

function omeroMetadata(image: ImageSeries): Json | undefined {
  const at = image.axes.indexOf("c");
  const count = at < 0 ? 1 : image.levels[0].shape[at];
  const range = RANGES[image.dtype];
  if (!range || count > 64) return undefined;
  const rgb = image.channels?.[0]?.color === undefined && count === 3 && image.dtype === "uint8";
  return {
    channels: Array.from({ length: count }, (_, i): Json => {
      const channel = image.channels?.[i] ?? {};
      const [min, max] = range;
      const window = channel.window ?? { min, max };
      return {
        label: channel.name ?? (rgb ? ["red", "green", "blue"][i] : `channel ${i}`),
        color: channel.color ?? (count === 1 ? "FFFFFF" : RGB[i % 3]),
        active: true,
        window: { min, max, start: window.min, end: window.max },
      };
    }),
    rdefs: { model: rgb || count > 1 ? "color" : "greyscale" },
  };
}
