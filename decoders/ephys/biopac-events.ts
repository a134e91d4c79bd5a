/** Markers of an AcqKnowledge file as an event table: in memory when few, else streamed. */
import {
  type Dataset,
  type EventColumn,
  eventsFromValues,
  type StreamBlock,
} from "../../src/model/dataset.ts";
import { dtypeOf, type NumericArray } from "../../src/model/dtype.ts";
import type { BiopacHeaders } from "./biopac-headers.ts";
import type { Marker } from "./biopac-markers.ts";
import { MARKER_STYLES } from "./biopac-styles.ts";
import { pullStream } from "./pull-stream.ts";

/** Markers that are kept in the plan, which goes to every worker: a day of heart beats has 100,000. */
const FEW = 10_000;
/** Markers of a block of the stream. */
const BLOCK = 8192;
const STREAM = "markers";

type Columns = Record<string, NumericArray | string[]>;

/** Adds the markers as an event table, and the start of the recording when a marker dates it. */
export function addMarkers(dataset: Dataset, headers: BiopacHeaders, markers: Marker[]): void {
  if (markers.length === 0) return;
  const columnsOf = describer(headers, markers);
  if (markers.length <= FEW) {
    const { time, ...columns } = columnsOf(markers);
    dataset.events.push(eventsFromValues("markers", time as Float64Array, columns));
  } else {
    addStream(dataset, markers, columnsOf);
  }
  const ticks = Math.max(...headers.channels.map((c) => c.sampleCount * c.divider));
  const outside = markers.filter((m) => m.sample < 0 || m.sample > ticks).length;
  if (outside > 0) {
    dataset.warnings.push(
      `${outside} of ${markers.length} markers are placed outside the recording; the positions are kept as stored`,
    );
  }
  const first = markers.find((m) => m.style === "apnd" && m.sample === 0);
  const start = isoTime(first?.createdMs);
  if (start) {
    dataset.metadata.startTime = start;
    dataset.metadata.header = {
      ...dataset.metadata.header,
      start_time_from: "creation time of the first segment's marker",
    };
  }
}

/** What makes columns of some of the markers, the same ones whichever these are. */
function describer(
  { graph, channels }: BiopacHeaders,
  all: Marker[],
): (markers: Marker[]) => Columns {
  const styled = all.some((m) => m.style !== "");
  const dated = all.some((m) => m.createdMs !== undefined);
  const byOrder = new Map(channels.map((c) => [c.order, c.name]));
  return (markers) => ({
    time: Float64Array.from(markers, (m) => m.sample * graph.sampleTimeMs / 1000),
    label: markers.map((m) => m.text),
    sample: Int32Array.from(markers, (m) => m.sample),
    ...(styled
      ? {
        code: markers.map((m) => m.style),
        type: markers.map((m) => MARKER_STYLES[m.style] ?? "Unknown"),
        channel: markers.map((m) => m.channel === -1 ? "" : byOrder.get(m.channel) ?? ""),
        channel_order: Int32Array.from(markers, (m) => m.channel),
      }
      : {}),
    ...(dated ? { created: markers.map((m) => isoTime(m.createdMs)) } : {}),
  });
}

function addStream(
  dataset: Dataset,
  markers: Marker[],
  columnsOf: (markers: Marker[]) => Columns,
): void {
  dataset.events.push({
    name: "markers",
    count: markers.length,
    columns: Object.entries(columnsOf([])).map(([name, values]): EventColumn => ({
      name,
      dtype: dtypeOf(values),
      innerShape: [],
      layout: { kind: "stream", stream: STREAM, field: name },
      ...(name === "time" ? { units: "s" } : {}),
    })),
  });
  const others = dataset.openStream;
  dataset.openStream = (id, options) => {
    if (id !== STREAM && others) return others(id, options);
    return pullStream(blocksOf(markers, columnsOf));
  };
}

function* blocksOf(
  markers: Marker[],
  columnsOf: (markers: Marker[]) => Columns,
): Generator<StreamBlock> {
  for (let at = 0; at < markers.length; at += BLOCK) {
    const some = markers.slice(at, at + BLOCK);
    for (const [field, values] of Object.entries(columnsOf(some))) {
      yield { field, values, count: some.length };
    }
  }
}

/** ISO 8601 in UTC; "" for none and for the nonsense some files hold. */
export function isoTime(milliseconds: number | undefined): string {
  const earliest = Date.UTC(1990, 0), latest = Date.UTC(2200, 0);
  return milliseconds !== undefined && milliseconds >= earliest && milliseconds < latest
    ? new Date(milliseconds).toISOString()
    : "";
}
