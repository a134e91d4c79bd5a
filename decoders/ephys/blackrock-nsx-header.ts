/**
 * Headers of NSx files: "NEURALSG" (File Specification 2.1), "NEURALCD" (2.2, 2.3) and "BRSMPGRP"
 * (3.0). Sources: Blackrock, "NEV/NSx file format", sections "basic header" and "extended headers",
 * and its restatement in dipterix/readNSx `inst/specifications`.
 */
import { DEFAULT_LIMITS, ensure, FuseError, type Limits } from "../../src/errors.ts";
import type { Attributes, Channel } from "../../src/model/dataset.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";
import { filterField, sizeOfSource, textField, timeOrigin } from "./blackrock-fields.ts";
import { hasText } from "../format.ts";

/** Sampling periods count ticks of this clock, whatever the time stamps' own resolution is. */
export const SAMPLE_CLOCK_HZ = 30_000;

/** What an NSx file says about itself. */
export interface NsxHeader {
  /** "2.1", "2.2", "2.3", "3.0". */
  version: string;
  /** Rate of the time stamps, Hz. */
  timeResolution: number;
  /** Hz: 30000 divided by the period. */
  samplingFrequency: number;
  /** Ticks of the time stamps from one sample to the next; not always a whole number. */
  ticksPerSample: number;
  channels: Channel[];
  /** Electrode id of each channel. */
  electrodes: number[];
  /** Byte offset of the first data packet (2.1: of the first sample). */
  dataOffset: number;
  /** Bytes before the samples of a packet: 0 (2.1), 9 (2.x) or 13 (3.0). */
  packetHeadBytes: number;
  timeOrigin: Date | null;
  label: string;
  comment: string;
  attributes: Attributes;
  /** First bytes of the file, headers and what was read along with them. */
  head: Uint8Array;
}

const BASIC_BYTES = 314;
const CHANNEL_BYTES = 66;

/** True when the bytes begin like an NSx file. */
export function isNsx(head: Uint8Array): boolean {
  return ["NEURALSG", "NEURALCD", "BRSMPGRP"].some((id) => hasText(head, 0, id));
}

/**
 * Reads the headers of an NSx file; `head` is what was read of its beginning so far.
 * @throws FuseError `Corrupt`, `Truncated`, `Limit` or `Unsupported`.
 */
export async function readNsxHeader(
  source: ByteSource,
  head: Uint8Array,
  options: { limits?: Limits; signal?: AbortSignal },
  warnings: string[],
): Promise<NsxHeader> {
  const limits = options.limits ?? DEFAULT_LIMITS;
  const read = { purpose: "header", signal: options.signal } as const;
  const size = sizeOfSource(source);
  const place = { source: source.name, format: "blackrock" };
  const old = hasText(head, 0, "NEURALSG");
  const basic = old ? 32 : BASIC_BYTES;
  ensure(head.length >= basic, "the file is shorter than its basic header", {
    ...place,
    found: `${head.length} bytes`,
    expected: `${basic} bytes`,
  });
  const channelCount = viewOf(head).getUint32(old ? 28 : 310, true);
  const wanted = basic + channelCount * (old ? 4 : CHANNEL_BYTES);
  if (channelCount > limits.items || wanted > limits.headerBytes) {
    throw new FuseError("Limit", "more channels than allowed", {
      ...place,
      field: "channel count",
      offset: old ? 28 : 310,
      found: channelCount,
      expected: `at most ${limits.items}`,
    });
  }
  ensure(channelCount > 0, "the file has no channels", {
    ...place,
    field: "channel count",
    offset: old ? 28 : 310,
    found: 0,
  });
  const declared = old ? wanted : viewOf(head).getUint32(10, true);
  ensure(declared >= wanted, "the headers do not hold all channels", {
    ...place,
    field: "bytes in headers",
    offset: 10,
    found: declared,
    expected: `at least ${wanted}`,
  });
  if (declared > size) {
    throw new FuseError("Truncated", "the file ends inside its headers", {
      ...place,
      field: "bytes in headers",
      offset: size,
      found: `${size} bytes`,
      expected: `${declared} bytes`,
    });
  }
  if (wanted > head.length) head = await source.read(0, wanted, read);
  return old
    ? oldHeader(head, channelCount, place)
    : newHeader(head, channelCount, place, warnings, declared);
}

type Place = { source: string; format: string };

function periodOf(view: DataView, offset: number, place: Place): number {
  const period = view.getUint32(offset, true);
  ensure(period > 0, "the sampling period is zero", { ...place, field: "period", offset });
  return period;
}

/** "NEURALSG": no scale, no date, no packets; labels are those of the recorder's inputs. */
function oldHeader(head: Uint8Array, channelCount: number, place: Place): NsxHeader {
  const view = viewOf(head);
  const period = periodOf(view, 24, place);
  const electrodes = Array.from(
    { length: channelCount },
    (_, i) => view.getUint32(32 + 4 * i, true),
  );
  const label = textField(head, 8, 16);
  return {
    version: "2.1",
    timeResolution: SAMPLE_CLOCK_HZ,
    samplingFrequency: SAMPLE_CLOCK_HZ / period,
    ticksPerSample: period,
    channels: electrodes.map((id) => ({
      name: inputLabel(id),
      units: "",
      gain: 1,
      offset: 0,
      attributes: { electrode_id: id },
    })),
    electrodes,
    dataOffset: 32 + 4 * channelCount,
    packetHeadBytes: 0,
    timeOrigin: null,
    label,
    comment: "",
    attributes: { specification: "2.1", label, period },
    head,
  };
}

/** The recorder's own name of an input: front-end channels 1-128, analog inputs from 129. */
export function inputLabel(electrode: number): string {
  return electrode < 129 ? `chan${electrode}` : `ainp${electrode - 128}`;
}

function newHeader(
  head: Uint8Array,
  channelCount: number,
  place: Place,
  warnings: string[],
  dataOffset: number,
): NsxHeader {
  const view = viewOf(head);
  const [major, minor] = [head[8], head[9]];
  const wide = hasText(head, 0, "BRSMPGRP");
  if (wide ? major !== 3 : major !== 2) {
    throw new FuseError("Unsupported", "an NSx file of another specification", {
      ...place,
      field: "file spec",
      offset: 8,
      found: `${major}.${minor}`,
      expected: wide ? "3.x" : "2.x",
    });
  }
  const period = periodOf(view, 286, place);
  let timeResolution = view.getUint32(290, true);
  if (timeResolution === 0) {
    warnings.push(
      `${place.source}: time stamps have no resolution; ${SAMPLE_CLOCK_HZ} Hz is assumed`,
    );
    timeResolution = SAMPLE_CLOCK_HZ;
  }
  const channels: Channel[] = [];
  const electrodes: number[] = [];
  for (let i = 0; i < channelCount; i++) {
    const at = BASIC_BYTES + i * CHANNEL_BYTES;
    ensure(hasText(head, at, "CC"), "a channel header does not begin with CC", {
      ...place,
      offset: at,
      found: textField(head, at, 2),
      expected: "CC",
    });
    electrodes.push(view.getUint16(at + 2, true));
    channels.push(channelOf(head, view, at, place, warnings));
  }
  const label = textField(head, 14, 16);
  const comment = textField(head, 30, 256);
  const version = `${major}.${minor}`;
  return {
    version,
    timeResolution,
    samplingFrequency: SAMPLE_CLOCK_HZ / period,
    ticksPerSample: timeResolution * period / SAMPLE_CLOCK_HZ,
    channels,
    electrodes,
    dataOffset,
    packetHeadBytes: wide ? 13 : 9,
    timeOrigin: timeOrigin(head, 294),
    label,
    comment,
    attributes: {
      specification: version,
      label,
      ...(comment ? { comment } : {}),
      period,
      time_resolution_hz: timeResolution,
    },
    head,
  };
}

/** One "CC" record: 66 bytes with the electrode, its input, its ranges, its unit and its filters. */
function channelOf(
  head: Uint8Array,
  view: DataView,
  at: number,
  place: Place,
  warnings: string[],
): Channel {
  const [minDigital, maxDigital, minAnalog, maxAnalog] = [22, 24, 26, 28].map((o) =>
    view.getInt16(at + o, true)
  );
  const electrode = view.getUint16(at + 2, true);
  const name = textField(head, at + 4, 16) || inputLabel(electrode);
  let gain = (maxAnalog - minAnalog) / (maxDigital - minDigital);
  let offset = minAnalog - gain * minDigital;
  let units = textField(head, at + 30, 16);
  if (!Number.isFinite(gain) || gain === 0) {
    warnings.push(
      `${place.source}: channel ${name} has no usable range ` +
        `(${minDigital}..${maxDigital} for ${minAnalog}..${maxAnalog} ${units}); kept as raw counts`,
    );
    [gain, offset, units] = [1, 0, ""];
  }
  const high = filterField(view, at + 46), low = filterField(view, at + 56);
  return {
    name,
    units,
    gain,
    offset,
    attributes: {
      electrode_id: electrode,
      connector: head[at + 20],
      pin: head[at + 21],
      high_pass_hz: high.hz,
      high_pass_order: high.order,
      high_pass_type: high.type,
      low_pass_hz: low.hz,
      low_pass_order: low.order,
      low_pass_type: low.type,
    },
  };
}
