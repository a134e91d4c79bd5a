/** Event tables of a TDT block: epocs, scalars and snippets, read from the index in a pass of their own. */
import type { Dataset, EventColumn, EventTable, StreamBlock } from "../../src/model/dataset.ts";
import { allocate, type DType, type NumericArray, sizeOf } from "../../src/model/dtype.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { pullStream } from "./pull-stream.ts";
import { EVENT_KINDS, type EventStore, type TdtIndex } from "./tdt-index.ts";
import {
  onGrid,
  RECORD_BYTES,
  type RecordBlock,
  recordBlocks,
  wrongRecord,
} from "./tdt-records.ts";

/** Id of the pass that feeds all tables. */
const STREAM = "tdt events";
/** Bytes of waveforms given out at a time. */
const PIECE_BYTES = 4 << 20;
/** Bytes between two snippets that are read along rather than asked for apart. */
const SMALL_GAP = 64 << 10;

/** Adds the tables, and the pass that fills them. `data` is the `.tev`, where it is there. */
export function addEvents(
  dataset: Dataset,
  index: TdtIndex,
  source: ByteSource,
  data: ByteSource | null,
): void {
  const onsets = new Set(index.events.filter((s) => s.kind === "onset").map((s) => s.code));
  // Ends of epocs become durations of their beginnings.
  const stores = index.events.filter((s) => !(s.kind === "offset" && onsets.has(s.buddy)));
  if (stores.length === 0) return;
  // A recorder that was cut off has written less than the index promises.
  const dataOf = ({ waveform }: EventStore) =>
    index.stop === undefined && data && waveform && waveform.end > (data.size ?? Infinity)
      ? null
      : data;
  for (const store of stores) {
    const offsets = index.events.find((s) => s.kind === "offset" && s.buddy === store.code);
    dataset.events.push(
      tableOf(dataset, store, dataOf(store), store.kind === "onset" ? offsets : undefined),
    );
  }
  dataset.openStream = (_id, { signal }) =>
    pullStream(eventBlocks(index.start, stores, source, dataOf, signal));
}

const keyOf = (kind: EventStore["kind"], code: number) => `${kind} ${code}`;

function tableOf(
  dataset: Dataset,
  store: EventStore,
  data: ByteSource | null,
  offsets: EventStore | undefined,
): EventTable {
  const { kind, code, name, count, waveform } = store;
  const column = (field: string, dtype: DType, more: Partial<EventColumn> = {}): EventColumn => ({
    name: field,
    dtype,
    innerShape: [],
    layout: { kind: "stream", stream: STREAM, field: `${keyOf(kind, code)}/${field}` },
    ...more,
  });
  const columns = [
    column("time", "float64", { units: "s" }),
    column("timestamp", "float64", {
      units: "s",
      attributes: { long_name: "seconds since 1970-01-01 UTC as the index holds them" },
    }),
  ];
  if (kind !== "snippet") columns.push(column("value", "float64"));
  if (kind === "scalar" || kind === "snippet") columns.push(column("channel", "uint16"));
  if (kind === "snippet") columns.push(column("unit", "uint16"));
  if (waveform && hasWaveforms(store, data)) {
    columns.push(column("waveform", waveform.type, {
      innerShape: [waveform.points],
      innerDims: ["sample"],
      attributes: { sampling_frequency: waveform.rate },
    }));
  } else if (waveform) {
    dataset.leftOut.push({
      what: `waveforms of the snippets "${name}"`,
      why: waveform.ownFile
        ? "they are in .sev files"
        : "the block's .tev file is not there, or ends before them",
    });
  }
  if (offsets?.times && store.times) {
    const durations = durationsOf(store.times, offsets.times);
    columns.push({
      name: "duration",
      dtype: "float64",
      units: "s",
      innerShape: [],
      layout: { kind: "values", values: durations },
      attributes: { store: offsets.name },
    });
  } else if (offsets) {
    dataset.leftOut.push({
      what: `ends of the epocs "${name}"`,
      why: "there are too many to pair",
    });
  }
  return { name, count, columns, attributes: { store: name, kind } };
}

const hasWaveforms = ({ waveform }: EventStore, data: ByteSource | null) =>
  waveform !== undefined && waveform.points > 0 && !waveform.ownFile && data !== null;

/** From each onset to the first offset before the next onset; NaN where there is none. */
function durationsOf(onsets: number[], offsets: number[]): Float64Array {
  const sorted = offsets.slice().sort((a, b) => a - b);
  const durations = new Float64Array(onsets.length).fill(NaN);
  let k = 0;
  onsets.forEach((onset, i) => {
    const next = onsets[i + 1] ?? Infinity;
    while (k < sorted.length && sorted[k] < onset) k++;
    if (k < sorted.length && sorted[k] <= next) durations[i] = sorted[k++] - onset;
  });
  return durations;
}

async function* eventBlocks(
  start: number,
  stores: EventStore[],
  source: ByteSource,
  dataOf: (store: EventStore) => ByteSource | null,
  signal?: AbortSignal,
): AsyncGenerator<StreamBlock> {
  const byKey = new Map(stores.map((s) => [keyOf(s.kind, s.code), s]));
  for await (const block of recordBlocks(source, signal)) {
    const rows = new Map<string, number[]>();
    for (let i = 0; i < block.count; i++) {
      const kind = EVENT_KINDS.get(block.kind(i));
      if (!kind) continue;
      const key = keyOf(kind, block.code(i));
      if (!byKey.has(key)) continue;
      const list = rows.get(key);
      if (list) list.push(i);
      else rows.set(key, [i]);
    }
    for (const [key, list] of rows) {
      const store = byKey.get(key)!;
      yield* columnBlocks(key, store, block, list, start);
      const data = dataOf(store);
      if (!hasWaveforms(store, data)) continue;
      const most = Math.max(1, Math.floor(PIECE_BYTES / snippetBytes(store)));
      for (let from = 0; from < list.length; from += most) {
        const some = list.slice(from, from + most);
        const values = await readWaveforms(store, block, some, source, data!, signal);
        yield { field: `${key}/waveform`, values, count: some.length };
      }
    }
  }
}

function* columnBlocks(
  key: string,
  { kind }: EventStore,
  block: RecordBlock,
  rows: number[],
  start: number,
): Generator<StreamBlock> {
  const field = (name: string, values: NumericArray): StreamBlock => ({
    field: `${key}/${name}`,
    values,
    count: rows.length,
  });
  yield field("time", Float64Array.from(rows, (i) => onGrid(block.time(i), start)));
  yield field("timestamp", Float64Array.from(rows, (i) => block.time(i)));
  if (kind !== "snippet") yield field("value", Float64Array.from(rows, (i) => block.value(i)));
  if (kind === "scalar" || kind === "snippet") {
    yield field("channel", Uint16Array.from(rows, (i) => block.channel(i)));
  }
  if (kind === "snippet") yield field("unit", Uint16Array.from(rows, (i) => block.sortCode(i)));
}

const snippetBytes = ({ waveform }: EventStore) => waveform!.points * sizeOf(waveform!.type);

/** Waveforms of some records; neighbours in the file are read together. */
async function readWaveforms(
  store: EventStore,
  block: RecordBlock,
  rows: number[],
  index: ByteSource,
  data: ByteSource,
  signal?: AbortSignal,
): Promise<NumericArray> {
  const bytes = snippetBytes(store);
  const values = allocate(store.waveform!.type, rows.length * store.waveform!.points);
  const target = new Uint8Array(values.buffer);
  const places = rows.map((i, row) => {
    const place = block.place(i);
    if (place >= 0 && place + bytes <= (data.size ?? Infinity)) return { place, row };
    const offset = block.offset + i * RECORD_BYTES + 24;
    throw wrongRecord(index, offset, "offset", place, `a place of ${bytes} bytes in ${data.name}`);
  }).sort((a, b) => a.place - b.place);
  for (let from = 0; from < places.length;) {
    const first = places[from].place;
    let to = from + 1, end = first + bytes;
    for (; to < places.length; to++) {
      const next = places[to].place;
      if (next - end > SMALL_GAP || next + bytes - first > PIECE_BYTES) break;
      end = Math.max(end, next + bytes);
    }
    const piece = await data.read(first, end - first, { signal });
    for (const { place, row } of places.slice(from, to)) {
      target.set(piece.subarray(place - first, place - first + bytes), row * bytes);
    }
    from = to;
  }
  return values;
}
