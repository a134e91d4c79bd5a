/** Tags and changes of parameters of an ABF file -> event tables. */
import { eventsFromValues, type EventTable } from "../../src/model/dataset.ts";
import { AbfFields } from "./abf-fields.ts";
import type { AbfHeader } from "./abf-model.ts";
import { synchSeconds } from "./abf-sweeps.ts";

/** Values of nTagType. */
const TAG_TYPES = ["time", "comment", "external", "voice", "new file", "annotation"];

/** The tags: "The ABF Tag Section", 64 bytes each. */
export function tagEvents(header: AbfHeader, bytes: Uint8Array): EventTable | undefined {
  const { entryBytes } = header.tags;
  const count = Math.floor(bytes.length / entryBytes);
  if (count === 0) return undefined;
  const time = new Float64Array(count);
  const label: string[] = [], type: string[] = [];
  for (let i = 0; i < count; i++) {
    const tag = new AbfFields(bytes.subarray(i * entryBytes, (i + 1) * entryBytes));
    time[i] = synchSeconds(header, tag.i32(0));
    label.push(header.plainTags ? "" : tag.text(4, 56));
    const kind = header.plainTags ? 0 : tag.i16(60);
    type.push(TAG_TYPES[kind] ?? `type ${kind}`);
  }
  return eventsFromValues("tags", time, { label, type });
}

/** Identifiers of deltas below 100 (ABF_DELTA_...). */
const PARAMETERS = [
  "holding level of output 0",
  "holding level of output 1",
  "holding level of output 2",
  "holding level of output 3",
  "digital outputs",
  "trigger threshold",
  "pretrigger samples",
];
/** Those whose value is an integer. */
const INTEGERS = [4, 6];
/** From here on and from 200 on: gains of an input, which has its number added. */
const TELEGRAPH_GAIN = 100, SIGNAL_GAIN = 200;

/** What was changed while recording: "The ABF Deltas Section", 12 bytes each. */
export function deltaEvents(
  header: AbfHeader,
  bytes: Uint8Array,
  warnings: string[],
): EventTable | undefined {
  const { entryBytes } = header.deltas;
  const count = Math.floor(bytes.length / entryBytes);
  if (count === 0) return undefined;
  const time = new Float64Array(count), value = new Float64Array(count);
  const label: string[] = [];
  let gains = 0;
  for (let i = 0; i < count; i++) {
    const delta = new AbfFields(bytes.subarray(i * entryBytes, (i + 1) * entryBytes));
    const id = delta.i32(4);
    time[i] = synchSeconds(header, delta.i32(0));
    value[i] = INTEGERS.includes(id) ? delta.i32(8) : delta.f32(8);
    label.push(parameterName(id));
    if (id >= TELEGRAPH_GAIN) gains++;
  }
  if (gains) {
    warnings.push(
      `the gain of an input was changed ${gains} times while recording (events/parameter_changes): ` +
        "samples are scaled by the gain at the start",
    );
  }
  return eventsFromValues("parameter_changes", time, { label, value });
}

function parameterName(id: number): string {
  if (PARAMETERS[id]) return PARAMETERS[id];
  if (id >= SIGNAL_GAIN && id < SIGNAL_GAIN + 100) {
    return `signal gain of input ${id - SIGNAL_GAIN}`;
  }
  if (id >= TELEGRAPH_GAIN && id < SIGNAL_GAIN) {
    return `telegraphed gain of input ${id - TELEGRAPH_GAIN}`;
  }
  return `parameter ${id}`;
}
