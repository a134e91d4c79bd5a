/**
 * The `Map` stream of a Windows document ("ADInstruments Chart Data"): records, their blocks with
 * comments, the channels with their units and block indexes, and the titles.
 */
import type { ErrorDetails } from "../../src/errors.ts";
import type { Attributes } from "../../src/model/dataset.ts";
import type {
  Calibration,
  LabChartComment,
  LabChartRecord,
  SampleBlock,
  Track,
} from "./adicht-model.ts";
import { SerialReader } from "./adicht-serial.ts";

/** What the stream says. */
export interface ChartMap {
  records: LabChartRecord[];
  comments: LabChartComment[];
  titles: string[];
  warnings: string[];
}

const TITLE = "ADInstruments Chart Data";
const ENTRY_TAG = 0x801b0000;
const TYPES: Record<number, "int16" | "float32"> = {
  0x80020001: "int16",
  0x80020003: "float32",
};
/** Bytes of an entry of a block index. */
const INDEX_BYTES = 36;
/** Bit of a unit's flags: the conversion is switched on. */
const CONVERTED = 0x10000;

/** Reads the whole stream; `place` names the file for errors. @throws FuseError `Corrupt` */
export function parseMap(bytes: Uint8Array, place: ErrorDetails): ChartMap {
  return new MapReader(new SerialReader(bytes, place)).read();
}

/** A unit as LabChart keeps it. */
interface Units {
  calibration: Calibration;
}

interface RecordBlock {
  /** Ticks since the start of the record. */
  start: number;
  ticks: number;
}

class MapReader {
  readonly #map: ChartMap = { records: [], comments: [], titles: [], warnings: [] };

  constructor(readonly serial: SerialReader) {}

  read(): ChartMap {
    const { serial } = this;
    this.#head();
    // Each record stands behind its number; -1 ends them.
    for (let number = serial.i32(); number !== -1; number = serial.i32()) {
      serial.skip(4);
      this.#record();
    }
    const titles = serial.count("channel titles", 12);
    for (let i = 0; i < titles; i++) this.#map.titles.push(serial.text().trim());
    return this.#map;
  }

  #head(): void {
    const { serial } = this;
    serial.skip(16);
    const length = serial.u16();
    const at = serial.at;
    serial.skip(length);
    const title = String.fromCharCode(...serial.bytes.subarray(at, serial.at)).replace(
      /\0.*$/s,
      "",
    );
    if (title !== TITLE) {
      serial.at = at;
      throw serial.fail("the stream of records has another title", {
        found: title,
        expected: TITLE,
      });
    }
    // Two versions, the number of channels, and a byte.
    serial.skip(7);
  }

  #record(): void {
    const { serial } = this;
    const version = serial.i32();
    serial.skip(8);
    const tickRate = serial.i64();
    const start = serial.f64(), utcMinusLocal = serial.f64();
    if (!(tickRate > 0) || !Number.isFinite(start)) {
      throw serial.fail("impossible clock of a record", {
        found: `${tickRate} ticks a second from ${start}`,
        expected: "a rate and a time",
      });
    }
    serial.skip(16);
    const ticks = serial.i64();
    serial.text();
    serial.object("an extra of a record", () => {
      serial.skip(4);
      serial.text();
    });
    serial.skip(4);
    const index = this.#map.records.length;
    const blocks = this.#blocks(index);
    const stored = blocks.reduce((sum, block) => sum + block.ticks, 0);
    if (stored !== ticks) {
      this.#map.warnings.push(
        `record ${index + 1} states ${ticks} ticks, its blocks have ${stored}: these are taken`,
      );
    }
    const record: LabChartRecord = {
      start,
      utcMinusLocal: Number.isFinite(utcMinusLocal) ? utcMinusLocal : null,
      tickRate,
      ticks: stored,
      tracks: [],
    };
    const entries = serial.count("channels", 80);
    for (let i = 0; i < entries; i++) {
      record.tracks.push(this.#track(version, blocks, tickRate, index));
    }
    this.#map.records.push(record);
  }

  #blocks(record: number): RecordBlock[] {
    const { serial } = this;
    const blocks: RecordBlock[] = [];
    const count = serial.count("blocks", 16);
    let start = 0;
    for (let i = 0; i < count; i++) {
      serial.skip(4);
      const ticks = serial.i32();
      if (ticks < 0) throw serial.fail("impossible length of a block", { found: `${ticks} ticks` });
      serial.skip(6);
      const comments = serial.u16();
      for (let k = 0; k < comments; k++) {
        serial.skip(8);
        const id = serial.i32(), channel = serial.i16();
        // Unsigned, should a block ever be longer than the usual 16000 ticks.
        const tick = start + serial.u16();
        this.#map.comments.push({ record, tick, id, channel, text: serial.text() });
      }
      blocks.push({ start, ticks });
      start += ticks;
    }
    return blocks;
  }

  #track(
    recordVersion: number,
    blocks: RecordBlock[],
    tickRate: number,
    record: number,
  ): Track {
    const { serial } = this;
    serial.skip(1);
    serial.tag(ENTRY_TAG, "channel of a record");
    const version = serial.i32();
    const channel = serial.i32();
    serial.skip(4);
    const type = this.#type();
    serial.skip(32);
    const rate = serial.i64();
    const units = serial.object("a unit", () => this.#units());
    serial.skip(4);
    // The source of a channel came with version 3 of the structures.
    const source = version >= 3 || recordVersion >= 3
      ? serial.object("a channel's source", () => {
        serial.skip(4);
        return { kind: serial.text(), setup: serial.text() };
      })
      : undefined;
    serial.skip(12);
    const blockTicks = serial.i32(), blockSamples = serial.i32();
    if (blockTicks < 1 || blockSamples < 1) {
      throw serial.fail("impossible length of a channel's blocks", {
        found: `${blockSamples} samples in ${blockTicks} ticks`,
      });
    }
    const ticksPerSample = blockTicks / blockSamples;
    if (rate > 0 && Math.abs(rate * ticksPerSample / tickRate - 1) > 1e-6 && rate !== tickRate) {
      this.#map.warnings.push(
        `record ${record + 1}, channel ${
          channel + 1
        } states ${rate} samples a second; its blocks have ` +
          `${tickRate / ticksPerSample}, which is taken`,
      );
    }
    const attributes: Attributes = source?.setup ? { setup: source.setup } : {};
    const calibration = units?.calibration ?? { gain: 1, offset: 0, units: "", attributes: {} };
    return {
      channel,
      type,
      ticksPerSample,
      calibration: {
        ...calibration,
        attributes: { ...calibration.attributes, ...attributes },
      },
      blocks: this.#index(type, blocks, ticksPerSample, record, channel),
    };
  }

  #type(): "int16" | "float32" {
    const tag = this.serial.u32();
    const type = TYPES[tag];
    if (type) return type;
    this.serial.at -= 4;
    throw this.serial.fail("unknown type of samples", {
      found: `0x${tag.toString(16)}`,
      expected: "16-bit integers or floats",
    });
  }

  #units(): Units {
    const { serial } = this;
    serial.skip(8);
    const lsb = serial.f64();
    // Display settings, nothing of the values.
    serial.skip(8 + 1 + 8 + 9);
    const input = serial.text().trim();
    const slope = serial.f64(), offset = serial.f64();
    const kind = serial.i32();
    serial.skip(4);
    const converted = (serial.i32() & CONVERTED) !== 0;
    serial.skip(4);
    const name = serial.text().trim();
    const points = [serial.text(), serial.text(), serial.text(), serial.text()];
    serial.skip(1);
    const attributes: Attributes = { step: lsb, input_units: input, converted };
    if (converted) {
      Object.assign(attributes, { slope, offset, conversion: kind });
      if (points.some((point) => point !== "")) attributes.calibration_points = points;
    }
    return {
      calibration: {
        gain: converted ? slope * lsb : lsb,
        offset: converted ? offset : 0,
        units: converted ? name : input,
        attributes,
      },
    };
  }

  /** The blocks with samples, in order; blocks without ticks have none. */
  #index(
    type: "int16" | "float32",
    blocks: RecordBlock[],
    ticksPerSample: number,
    record: number,
    channel: number,
  ): SampleBlock[] {
    const { serial } = this;
    const count = serial.count("sample blocks", INDEX_BYTES);
    const filled = blocks.filter((block) => block.ticks > 0);
    if (count !== filled.length && count > 0) {
      this.#map.warnings.push(
        `record ${record + 1}, channel ${channel + 1}: ${count} blocks of samples for ` +
          `${filled.length} blocks of time`,
      );
    }
    const out: SampleBlock[] = [];
    let tick = 0;
    for (let i = 0; i < count; i++) {
      serial.skip(12);
      const ticks = serial.i32();
      serial.skip(12);
      const offset = serial.i64();
      if (ticks < 0) throw serial.fail("impossible length of a block", { found: `${ticks} ticks` });
      const samples = Math.ceil(ticks / ticksPerSample);
      out.push({ kind: type, offset, bytes: null, samples, tick });
      tick += ticks;
    }
    return out;
  }
}
