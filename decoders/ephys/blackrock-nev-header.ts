/**
 * Headers of NEV files: "NEURALEV" (File Specification 2.1 to 2.3) and "BREVENTS" (3.0). Sources:
 * Blackrock, "NEV/NSx file format", sections "basic header" and "extended headers"; Ripple, "Trellis
 * NEV Spec" (stimulation channels of 2.2 files).
 */
import { DEFAULT_LIMITS, ensure, FuseError, type Limits } from "../../src/errors.ts";
import type { Attributes, Json } from "../../src/model/dataset.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";
import { hasText } from "../format.ts";
import {
  decodeText,
  filterField,
  sizeOfSource,
  textField,
  timeOrigin,
} from "./blackrock-fields.ts";
import { inputLabel } from "./blackrock-nsx-header.ts";

/** An electrode of a NEV file, from its NEUEVWAV, NEUEVLBL and NEUEVFLT headers. */
export interface NevElectrode {
  id: number;
  label: string;
  /** Microvolts per count; null when the header gives none. */
  microvoltsPerCount: number | null;
  /** Bytes per waveform sample; null when no NEUEVWAV header names the electrode. */
  bytesPerSample: 1 | 2 | 4 | null;
  /** Samples of a waveform. */
  samples: number;
  attributes: Attributes;
}

/** What a NEV file says about itself. */
export interface NevHeader {
  version: string;
  /** 64-bit time stamps. */
  wide: boolean;
  packetBytes: number;
  dataOffset: number;
  /** Rate of the time stamps and of the waveforms' samples, Hz. */
  timeResolution: number;
  waveformFrequency: number;
  timeOrigin: Date | null;
  comment: string;
  electrodes: Map<number, NevElectrode>;
  /** Bytes per sample and samples of waveforms of electrodes without a header. */
  otherWaveform: { bytesPerSample: 1 | 2 | 4; samples: number };
  /** Labels of the digital inputs. */
  serialLabel?: string;
  parallelLabel?: string;
  attributes: Attributes;
  head: Uint8Array;
}

const BASIC_BYTES = 336;
const EXTENDED_BYTES = 32;

/** True when the bytes begin like a Blackrock NEV file (Neuralynx also uses the extension). */
export function isNev(head: Uint8Array): boolean {
  return hasText(head, 0, "NEURALEV") || hasText(head, 0, "BREVENTS");
}

/** Bytes of a packet before its body: time stamp and packet id. */
export function nevPacketHead(wide: boolean): number {
  return wide ? 10 : 6;
}

/**
 * Reads the headers of a NEV file; `head` is what was read of its beginning so far.
 * @throws FuseError `Corrupt`, `Truncated`, `Limit` or `Unsupported`.
 */
export async function readNevHeader(
  source: ByteSource,
  head: Uint8Array,
  options: { limits?: Limits; signal?: AbortSignal },
  warnings: string[],
): Promise<NevHeader> {
  const limits = options.limits ?? DEFAULT_LIMITS;
  const read = { purpose: "header", signal: options.signal } as const;
  const place = { source: source.name, format: "blackrock" };
  const size = sizeOfSource(source);
  ensure(head.length >= BASIC_BYTES, "the file is shorter than its basic header", {
    ...place,
    found: `${head.length} bytes`,
    expected: `${BASIC_BYTES} bytes`,
  });
  let view = viewOf(head);
  const [major, minor] = [head[8], head[9]];
  const wide = hasText(head, 0, "BREVENTS");
  if (wide ? major !== 3 : major !== 2) {
    throw new FuseError("Unsupported", "a NEV file of another specification", {
      ...place,
      field: "file spec",
      offset: 8,
      found: `${major}.${minor}`,
      expected: wide ? "3.x" : "2.x",
    });
  }
  const dataOffset = view.getUint32(12, true);
  const packetBytes = view.getUint32(16, true);
  const extended = view.getUint32(332, true);
  const wanted = BASIC_BYTES + extended * EXTENDED_BYTES;
  if (wanted > limits.headerBytes || dataOffset > limits.headerBytes) {
    throw new FuseError("Limit", "headers longer than allowed", {
      ...place,
      offset: 332,
      found: `${wanted} bytes`,
      expected: `at most ${limits.headerBytes}`,
    });
  }
  ensure(dataOffset >= wanted, "the headers do not hold all extended headers", {
    ...place,
    field: "bytes in headers",
    offset: 12,
    found: dataOffset,
    expected: `at least ${wanted}`,
  });
  if (dataOffset > size) {
    throw new FuseError("Truncated", "the file ends inside its headers", {
      ...place,
      field: "bytes in headers",
      offset: size,
      found: `${size} bytes`,
      expected: `${dataOffset} bytes`,
    });
  }
  const least = nevPacketHead(wide) + 6;
  ensure(packetBytes >= least && packetBytes <= limits.headerBytes, "data packets of no sense", {
    ...place,
    field: "bytes in data packets",
    offset: 16,
    found: packetBytes,
    expected: `at least ${least}`,
  });
  let timeResolution = view.getUint32(20, true);
  if (timeResolution === 0) {
    warnings.push(`${source.name}: time stamps have no resolution; 30000 Hz is assumed`);
    timeResolution = 30_000;
  }
  if (wanted > head.length) {
    head = await source.read(0, wanted, read);
    view = viewOf(head);
  }
  const application = textField(head, 44, 32);
  const comment = textField(head, 76, wide ? 252 : 256);
  // 3.0, and Ripple's 2.2, end the comment field with the processor's clock.
  const processorTicks = wide || head.subarray(76, 328).includes(0) ? view.getUint32(328, true) : 0;
  const header: NevHeader = {
    version: `${major}.${minor}`,
    wide,
    packetBytes,
    dataOffset,
    timeResolution,
    waveformFrequency: view.getUint32(24, true),
    timeOrigin: timeOrigin(head, 28),
    comment,
    electrodes: new Map(),
    otherWaveform: { bytesPerSample: 2, samples: 0 },
    attributes: {
      specification: `${major}.${minor}`,
      flags: view.getUint16(10, true),
      bytes_in_data_packets: packetBytes,
      time_resolution_hz: timeResolution,
      waveform_resolution_hz: view.getUint32(24, true),
      ...(application ? { application } : {}),
      ...(comment ? { comment } : {}),
      ...(processorTicks ? { processor_timestamp: processorTicks } : {}),
    },
    head,
  };
  new ExtendedHeaders(header, head, view, source.name, warnings).read(extended);
  if (spikesContinue(header) === false) cutToPackets(header, source.name, warnings);
  return header;
}

/** Bytes of waveform a packet holds. */
function waveformRoom(header: NevHeader): number {
  return header.packetBytes - nevPacketHead(header.wide) - 2;
}

/**
 * Whether spikes go on in continuation packets (stamp of all ones), by the packets that came with the
 * header; undefined when there is no spike among them.
 */
function spikesContinue({ head, dataOffset, packetBytes, wide }: NevHeader): boolean | undefined {
  const view = viewOf(head);
  const width = wide ? 8 : 4;
  let spikes = 0;
  for (let at = dataOffset; at + 2 * packetBytes <= head.length; at += packetBytes) {
    const id = view.getUint16(at + width, true);
    if (id === 0 || id >= 0x8000) continue;
    spikes++;
    const next = head.subarray(at + packetBytes, at + packetBytes + width);
    if (next.every((b) => b === 0xff)) return true;
  }
  return spikes ? false : undefined;
}

/** Where no spike goes on in a second packet, no waveform is longer than one packet. */
function cutToPackets(header: NevHeader, name: string, warnings: string[]): void {
  const cut: string[] = [];
  for (const electrode of header.electrodes.values()) {
    const most = Math.floor(waveformRoom(header) / (electrode.bytesPerSample ?? 1));
    if (electrode.samples <= most) continue;
    electrode.samples = most;
    cut.push(electrode.label);
  }
  if (!cut.length) return;
  warnings.push(
    `${name}: the headers give longer waveforms than packets hold (${cut.join(", ")}); ` +
      "what the packets hold is taken",
  );
}

/** Sorts the 32-byte extended headers into a {@link NevHeader}. */
class ExtendedHeaders {
  readonly #lists = new Map<string, Json[]>();
  readonly #comments: string[] = [];

  constructor(
    readonly header: NevHeader,
    readonly head: Uint8Array,
    readonly view: DataView,
    readonly name: string,
    readonly warnings: string[],
  ) {}

  read(count: number): void {
    for (let i = 0; i < count; i++) this.#one(BASIC_BYTES + i * EXTENDED_BYTES);
    const { header } = this;
    if (this.#comments.length) {
      header.attributes.extra_comments = this.#comments.map((c) => c.trim());
    }
    for (const [key, list] of this.#lists) header.attributes[key] = list;
    this.#waveforms();
  }

  #electrode(id: number): NevElectrode {
    const { electrodes } = this.header;
    let electrode = electrodes.get(id);
    if (!electrode) {
      electrode = {
        id,
        label: inputLabel(id),
        microvoltsPerCount: null,
        bytesPerSample: null,
        samples: 0,
        attributes: {},
      };
      electrodes.set(id, electrode);
    }
    return electrode;
  }

  #add(list: string, item: Json): void {
    const items = this.#lists.get(list);
    if (items) items.push(item);
    else this.#lists.set(list, [item]);
  }

  #one(at: number): void {
    const { head, view, header } = this;
    const text = (offset: number, length: number) => textField(head, at + offset, length);
    const u16 = (offset: number) => view.getUint16(at + offset, true);
    const id = text(0, 8);
    switch (id) {
      case "NEUEVWAV":
        return this.#waveform(at);
      case "NEUEVLBL": {
        const label = text(10, 16);
        if (label) this.#electrode(u16(8)).label = label;
        return;
      }
      case "NEUEVFLT": {
        const high = filterField(view, at + 10), low = filterField(view, at + 20);
        Object.assign(this.#electrode(u16(8)).attributes, {
          high_pass_hz: high.hz,
          high_pass_order: high.order,
          high_pass_type: high.type,
          low_pass_hz: low.hz,
          low_pass_order: low.order,
          low_pass_type: low.type,
        });
        return;
      }
      case "DIGLABEL":
        if (head[at + 24] === 0) header.serialLabel = text(8, 16);
        else header.parallelLabel = text(8, 16);
        return;
      case "ARRAYNME":
        return this.#add("array_names", text(8, 24));
      case "MAPFILE":
        return this.#add("map_files", text(8, 24));
      case "ECOMMENT":
        this.#comments.push(this.#untrimmed(at));
        return;
      case "CCOMMENT":
        // Continues the comment before it; trimmed pieces would run words together.
        this.#comments.push((this.#comments.pop() ?? "") + this.#untrimmed(at));
        return;
      case "VIDEOSYN":
        return this.#add("video_sources", {
          id: u16(8),
          name: text(10, 16),
          frame_rate: finite(view.getFloat32(at + 26, true)),
        });
      case "TRACKOBJ":
        return this.#add("trackable_objects", {
          type: u16(8),
          id: u16(10),
          point_count: u16(12),
          video_source: text(14, 16),
        });
      case "NSASEXEV":
        return this.#add("external_inputs", {
          periodic_hz: u16(8),
          digital_config: head[at + 10],
          analog: [0, 1, 2, 3, 4].map((k): Json => ({
            config: head[at + 11 + 3 * k],
            edge_millivolts: view.getInt16(at + 12 + 3 * k, true),
          })),
        });
      default:
        return this.#add("other_extended_headers", {
          id,
          bytes: Array.from(head.subarray(at + 8, at + EXTENDED_BYTES)),
        });
    }
  }

  #untrimmed(at: number): string {
    const field = this.head.subarray(at + 8, at + EXTENDED_BYTES);
    const end = field.indexOf(0);
    const cut = end < 0 ? field : field.subarray(0, end);
    return decodeText(cut);
  }

  #waveform(at: number): void {
    const { head, view, header } = this;
    const electrode = this.#electrode(view.getUint16(at + 8, true));
    const factor = view.getUint16(at + 12, true);
    // 152592.547 nV (5000 mV over 32767 counts) overflows the field; Blackrock's own reader (NPMK
    // openNEV) knows the number that is left of it.
    const nanovolts = factor === 21_516 ? 152_592.547 : factor;
    electrode.microvoltsPerCount = nanovolts > 0 ? nanovolts / 1000 : null;
    const stored = head[at + 21];
    const allSixteen = (view.getUint16(10, true) & 1) !== 0;
    if (allSixteen) electrode.bytesPerSample = 2;
    else if (stored <= 1) electrode.bytesPerSample = 1;
    else if (stored === 2 || stored === 4) electrode.bytesPerSample = stored;
    else {
      this.warnings.push(
        `${this.name}: waveforms of electrode ${electrode.id} have ${stored} bytes a sample; ` +
          "2 are assumed",
      );
      electrode.bytesPerSample = 2;
    }
    const capacity = Math.floor(waveformRoom(header) / electrode.bytesPerSample);
    const width = view.getUint16(at + 22, true);
    // The field is new in 2.3, and a stimulation factor in Ripple's 2.2. Longer waveforms than a
    // packet holds go on in continuation packets; far longer ones are no width.
    const known = Number(header.version) >= 2.3 && width > 0 && width <= 8 * capacity;
    electrode.samples = known ? width : capacity;
    Object.assign(electrode.attributes, {
      connector: head[at + 10],
      pin: head[at + 11],
      digitization_factor: factor,
      energy_threshold: view.getUint16(at + 14, true),
      high_threshold: view.getInt16(at + 16, true),
      low_threshold: view.getInt16(at + 18, true),
      sorted_units: head[at + 20],
      bytes_per_sample: stored,
      spike_width: width,
    });
  }

  #waveforms(): void {
    const { header } = this;
    const widths = [...header.electrodes.values()].flatMap((e) => e.bytesPerSample ?? []);
    const allSixteen = (this.view.getUint16(10, true) & 1) !== 0;
    const bytesPerSample = allSixteen || !widths.length || widths.every((w) => w === 2) ? 2 : 1;
    const samples = Math.floor(waveformRoom(header) / bytesPerSample);
    header.otherWaveform = { bytesPerSample, samples };
  }
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
