/** EEGLAB datasets (.set): a struct EEG, or its fields as variables; samples inside or in a .fdt file beside it. */
import { FuseError } from "../../src/errors.ts";
import { type Channel, type ChannelPart, eventsFromValues } from "../../src/model/dataset.ts";
import type { DType, NumericArray } from "../../src/model/dtype.ts";
import { frameTable, type Segment } from "../../src/model/layout.ts";
import {
  elementsOf,
  type MatNode,
  numberOf,
  numbersOf,
  type StructNode,
  textOf,
} from "./mat-model.ts";
import {
  addSource,
  channel,
  isReal,
  markUsed,
  type MatBuild,
  type MatCandidate,
  matrixOf,
  matrixParts,
  vectorValues,
} from "./mat-recordings.ts";

type Fields = (name: string) => MatNode | undefined;

/** Recognises a dataset among the fields of a scope. */
export function eeglabCandidate(scope: ReadonlyMap<string, MatNode>): MatCandidate | undefined {
  const field: Fields = (name) => scope.get(name);
  const rate = numberOf(field("srate")), channels = numberOf(field("nbchan"));
  const data = field("data");
  if (!rate || !(rate > 0) || !channels || !data || !field("pnts")) return undefined;
  const inside = isReal(data) && data.shape[0] === channels;
  if (!inside && data.kind !== "char") return undefined;
  return {
    id: "eeglab",
    layout: "EEGLAB dataset",
    score: 96,
    why: [
      inside
        ? "fields data, srate, nbchan and pnts fit together"
        : `fields srate, nbchan and pnts, and data in the file ${textOf(data)}`,
    ],
    build: (build) => buildEeglab(build, field, channels, rate),
  };
}

async function buildEeglab(
  build: MatBuild,
  field: Fields,
  count: number,
  rate: number,
): Promise<void> {
  const { dataset } = build;
  const data = field("data")!;
  const points = numberOf(field("pnts"))!, trials = numberOf(field("trials")) || 1;
  let parts: ChannelPart[], rawType: DType, sampleCount: number;
  if (isReal(data)) {
    const matrix = matrixOf(data, 1);
    sampleCount = matrix.samples;
    ({ parts, rawType } = matrixParts(build, "EEG", [matrix]));
    markUsed(build, [data], data.shape.length > 2);
  } else {
    const outside = await outsideData(build, textOf(data) ?? "", count, points * trials);
    if (!outside) return;
    ({ parts, rawType, sampleCount } = outside);
  }
  // EEGLAB keeps its epochs one after the other; each has the times from xmin to xmax.
  const first = numberOf(field("xmin")) ?? 0;
  const epochs = trials > 1 && sampleCount === points * trials;
  const segments: Segment[] = epochs
    ? Array.from({ length: trials }, (_, i) => ({
      startIndex: i * points,
      length: points,
      startSeconds: i * points / rate,
    }))
    : [{ startIndex: 0, length: sampleCount, startSeconds: first }];
  if (epochs) {
    dataset.metadata.sweepMode = "epochs";
    dataset.warnings.push(
      "epochs are put end to end: the file does not say when in the recording each was",
    );
  }
  const reference = textOf(field("ref"));
  dataset.recordings.push({
    name: "EEG",
    channels: channelsOf(field("chanlocs"), count),
    samplingFrequency: rate,
    sampleCount,
    segments,
    rawType,
    parts,
    attributes: {
      ...(reference ? { reference } : {}),
      ...(epochs ? { epoch_samples: points, epoch_start: first } : {}),
    },
  });
  await keepTimes(build, field, rate, first, epochs);
  addEvents(build, field("event"), rate, epochs ? 0 : first);
  const subject = textOf(field("subject"));
  const setName = textOf(field("setname"));
  dataset.metadata.modality = "electroencephalography";
  dataset.metadata.header = {
    ...dataset.metadata.header,
    ...(setName ? { setname: setName } : {}),
    ...(subject ? { subject } : {}),
  };
}

/** `times` are milliseconds; where they are the clock's own numbers they need not be kept. */
async function keepTimes(
  build: MatBuild,
  field: Fields,
  rate: number,
  first: number,
  epochs: boolean,
): Promise<void> {
  const times = field("times");
  if (!isReal(times) || epochs) return;
  const values = await vectorValues(build, times);
  if (!values) return;
  const off = values.findIndex((t, i) => Math.abs(t / 1000 - first - i / rate) > 0.5 / rate);
  if (off >= 0) {
    build.dataset.warnings.push(
      `times does not fit srate from value ${off + 1} on: the clock follows srate`,
    );
  }
}

/** Samples in a file of 32-bit floats, little-endian, sample by sample (EEGLAB floatread/floatwrite). */
async function outsideData(
  build: MatBuild,
  name: string,
  channels: number,
  samples: number,
): Promise<{ parts: ChannelPart[]; rawType: DType; sampleCount: number } | undefined> {
  const { dataset } = build;
  const [main] = dataset.sources;
  const plain = name.replace(/^.*[\\/]/, "");
  const own = main.name.replace(/\.[^.]*$/, "");
  const suffix = plain.replace(/^.*\./, ".");
  let source = /^\.{0,2}$/.test(plain) ? null : await main.sibling(plain);
  // Who renames a .set may forget what is written in it.
  source ??= await main.sibling(`${own}${suffix}`);
  if (!source) {
    dataset.leftOut.push({ what: "EEG.data", why: `the file ${plain} is not beside ${main.name}` });
    return undefined;
  }
  if (/\.dat$/i.test(plain)) {
    throw new FuseError("Unsupported", "EEGLAB data in the old channel-by-channel .dat file", {
      source: main.name,
      found: plain,
    });
  }
  const frameBytes = channels * 4;
  const held = source.size === undefined ? samples : Math.floor(source.size / frameBytes);
  if (held < samples) {
    throw new FuseError("Truncated", "the data file is shorter than its header says", {
      source: source.name,
      found: `${held} samples`,
      expected: samples,
    });
  }
  const index = addSource(build, source);
  const table = dataset.frameTables.push(
    frameTable(frameBytes, [{ source: index, offset: 0, frameCount: samples }]),
  ) - 1;
  return {
    rawType: "float32",
    sampleCount: samples,
    parts: [{
      firstChannel: 0,
      channelCount: channels,
      layout: {
        kind: "frames",
        table,
        stored: "float32",
        littleEndian: true,
        samplesPerFrame: 1,
        channelOffsets: Array.from({ length: channels }, (_, i) => i * 4),
        sampleStride: 4,
      },
    }],
  };
}

/** Names and places of the electrodes. EEGLAB's data are microvolts by convention, which no field states. */
function channelsOf(node: MatNode | undefined, count: number): Channel[] {
  const struct = node?.kind === "struct" && elementsOf(node.shape) === count ? node : undefined;
  const values = (name: string) => struct?.fields.get(name);
  return Array.from({ length: count }, (_, i) => {
    const own = channel(
      textOf(values("labels")?.[i]) || `channel ${i + 1}`,
      textOf(values("unit")?.[i]) || "",
    );
    const [x, y, z] = ["X", "Y", "Z"].map((axis) => numberOf(values(axis)?.[i]));
    const placed = x !== undefined && y !== undefined && z !== undefined;
    return placed ? { ...own, attributes: { position: [x, y, z] } } : own;
  });
}

/** Events: `latency` is a place in the samples, from 1, and may lie between two. */
function addEvents(
  build: MatBuild,
  node: MatNode | undefined,
  rate: number,
  first: number,
): void {
  const struct = node?.kind === "struct" ? node as StructNode : undefined;
  const latencies = struct?.fields.get("latency");
  if (!struct || !latencies?.length) return;
  const column = (name: string) => struct.fields.get(name) ?? [];
  const rows = latencies.flatMap((l, i) => {
    const latency = numberOf(l);
    return latency === undefined || !Number.isFinite(latency) ? [] : [{ i, latency }];
  });
  if (rows.length < latencies.length) {
    build.dataset.warnings.push(
      `${latencies.length - rows.length} events have no latency: they are in source only`,
    );
  }
  const label = rows.map(({ i }) => {
    const type = column("type")[i];
    return textOf(type) ?? numbersOf(type)?.join(" ") ?? "";
  });
  const columns: Record<string, NumericArray | string[]> = { label };
  if (struct.fields.has("duration")) {
    columns.duration = Float64Array.from(rows, ({ i }) => {
      const samples = numberOf(column("duration")[i]);
      return samples === undefined ? NaN : samples / rate;
    });
  }
  const time = Float64Array.from(rows, (r) => first + (r.latency - 1) / rate);
  build.dataset.events.push(eventsFromValues("events", time, columns));
}
