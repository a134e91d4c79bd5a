/**
 * Opens a Blackrock set: each NSx file is a recording named by its extension, the NEV file gives the
 * event tables. All times of a set share one zero, see `blackrock-clock.ts`.
 */
import { ensure, isFuseError } from "../../src/errors.ts";
import {
  type Attributes,
  type Dataset,
  emptyDataset,
  type Recording,
  type StreamBlock,
} from "../../src/model/dataset.ts";
import { frameTable, totalFrames } from "../../src/model/layout.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";
import type { OpenOptions, Reader } from "../format.ts";
import {
  isUnixClock,
  isUnixStamp,
  type MemberClock,
  setClock,
  unixText,
  zeroTicks,
} from "./blackrock-clock.ts";
import { nevEvents } from "./blackrock-events.ts";
import { isNev, type NevHeader, readNevHeader } from "./blackrock-nev-header.ts";
import { isNsx, type NsxHeader, readNsxHeader } from "./blackrock-nsx-header.ts";
import { packetFrames, type PacketList, packetSegments, walkPackets } from "./blackrock-packets.ts";
import {
  findSampleRuns,
  looksLikeSamplePackets,
  type SamplePackets,
  sampleSegments,
  sampleTimes,
} from "./blackrock-ptp.ts";
import { otherMembers, splitName } from "./blackrock-set.ts";

type Member =
  & { source: ByteSource; index: number; clock: MemberClock }
  & ({ kind: "nsx"; header: NsxHeader } | { kind: "nev"; header: NevHeader });

type Streams = Map<string, (signal?: AbortSignal) => AsyncGenerator<StreamBlock[]>>;

/** The reader of Blackrock NSx and NEV files. */
export const reader: Reader = {
  async open(source: ByteSource, options: OpenOptions): Promise<Dataset> {
    const dataset = emptyDataset("blackrock", [source]);
    const [opened, others] = await Promise.all([
      readMember(source, options, dataset.warnings),
      otherMembers(source, options, dataset.warnings),
    ]);
    const read = await Promise.all(others.map((o) => tryMember(o, options, dataset)));
    const members = [opened, ...read.filter((m) => m !== null)];
    members.forEach((member, i) => member.index = i);
    dataset.sources = members.map((m) => m.source);
    const clock = setClock(members.map((m) => m.clock));
    dataset.warnings.push(...clock.warnings);
    const streams: Streams = new Map();
    const ordered = [...members].sort((a, b) => nameOf(a) < nameOf(b) ? -1 : 1);
    const nev = members.find((m) => m.kind === "nev");
    for (const member of ordered) {
      if (member.kind !== "nsx") continue;
      const zero = zeroTicks(clock, member.clock);
      if (member.header.version === "2.1") calibrateOld(member, nev, dataset.warnings);
      await addRecording(dataset, member, zero, streams, options.signal);
    }
    if (nev?.kind === "nev") {
      const events = await nevEvents(
        nev.source,
        nev.header,
        { zero: zeroTicks(clock, nev.clock), unix: isUnixClock(nev.clock) },
        "nev",
        dataset.warnings,
        options.signal,
      );
      dataset.events.push(...events.tables);
      if (events.open) streams.set("nev", events.open);
    }
    placeStamps(dataset);
    describe(dataset, members, clock.unixZero);
    if (streams.size) {
      dataset.openStream = (id, { signal }) => blockStream(streams, id, signal ?? options.signal);
    }
    return dataset;
  },
};

function nameOf(member: Member): string {
  return splitName(member.source.name)[1] || member.source.name;
}

/** A member of the set beside the file that was asked for; null, with a warning, when it is bad. */
async function tryMember(
  source: ByteSource,
  options: OpenOptions,
  dataset: Dataset,
): Promise<Member | null> {
  try {
    return await readMember(source, options, dataset.warnings);
  } catch (error) {
    if (!isFuseError(error) || error.tag === "Aborted") throw error;
    dataset.warnings.push(error.message);
    dataset.leftOut.push({ what: source.name, why: error.statement });
    await source.close();
    return null;
  }
}

/** Headers of hundreds of channels, and the first data packets, come with the first read. */
const FIRST_READ_BYTES = 1 << 16;

async function readMember(
  source: ByteSource,
  options: OpenOptions,
  warnings: string[],
): Promise<Member> {
  const read = { purpose: "header", signal: options.signal } as const;
  const head = await source.readUpTo(0, FIRST_READ_BYTES, read);
  const index = 0;
  if (isNev(head)) {
    const header = await readNevHeader(source, head, options, warnings);
    const { wide, packetBytes, timeResolution } = header;
    const stamps = await firstStamps(source, header, 0, packetBytes, wide, options.signal);
    // A first packet without a time must not hide that the others are dated.
    const dated = stamps.find((ticks) => isUnixStamp(ticks, timeResolution));
    const clock = clockOf(source, header, dated ?? stamps[0] ?? null);
    return { kind: "nev", source, index, header, clock };
  }
  ensure(isNsx(head), "not a Blackrock file", {
    source: source.name,
    format: "blackrock",
    offset: 0,
    found: new TextDecoder("latin1").decode(head.subarray(0, 8)),
    expected: "NEURALSG, NEURALCD, BRSMPGRP, NEURALEV or BREVENTS",
  });
  const header = await readNsxHeader(source, head, options, warnings);
  const wide = header.packetHeadBytes === 13;
  const [first = null] = header.packetHeadBytes
    ? await firstStamps(source, header, 1, Infinity, wide, options.signal)
    : [0n];
  return { kind: "nsx", source, index, header, clock: clockOf(source, header, first) };
}

function clockOf(
  source: ByteSource,
  header: { timeResolution: number; timeOrigin: Date | null },
  firstTicks: bigint | null,
): MemberClock {
  return {
    name: source.name,
    firstTicks,
    resolution: header.timeResolution,
    timeOrigin: header.timeOrigin,
  };
}

/** Packets of a NEV file looked at for a dated time stamp. */
const STAMPS = 64;

/** Time stamps of the first packets, `at` bytes into each: all that the header's read brought along. */
async function firstStamps(
  source: ByteSource,
  { head, dataOffset }: { head: Uint8Array; dataOffset: number },
  at: number,
  stride: number,
  wide: boolean,
  signal?: AbortSignal,
): Promise<bigint[]> {
  const width = wide ? 8 : 4;
  const bytes = dataOffset + at + width <= head.length
    ? head.subarray(dataOffset)
    : await source.readUpTo(dataOffset, at + width, { purpose: "header", signal });
  const view = viewOf(bytes);
  const stamps: bigint[] = [];
  for (let i = at; i + width <= bytes.length && stamps.length < STAMPS; i += stride) {
    stamps.push(wide ? view.getBigUint64(i, true) : BigInt(view.getUint32(i, true)));
  }
  return stamps;
}

/** 2.1 signals have no scale of their own; a NEV file of the set knows that of its electrodes. */
function calibrateOld(
  member: Member & { kind: "nsx" },
  nev: Member | undefined,
  warnings: string[],
): void {
  const raw: string[] = [];
  member.header.channels.forEach((channel, i) => {
    const electrode = nev?.kind === "nev"
      ? nev.header.electrodes.get(member.header.electrodes[i])
      : undefined;
    if (electrode?.label) channel.name = electrode.label;
    if (electrode?.microvoltsPerCount) {
      channel.gain = electrode.microvoltsPerCount;
      channel.units = "uV";
      Object.assign(channel.attributes!, electrode.attributes);
    } else raw.push(channel.name);
  });
  if (raw.length) {
    warnings.push(
      `${member.source.name}: files of specification 2.1 hold no scale` +
        (nev ? ` and ${nev.source.name} none for ${raw.join(", ")}` : " and there is no NEV file") +
        "; raw counts are given",
    );
  }
}

async function addRecording(
  dataset: Dataset,
  member: Member & { kind: "nsx" },
  zero: bigint,
  streams: Streams,
  signal?: AbortSignal,
): Promise<void> {
  const { header, source, index } = member;
  const name = nameOf(member);
  const frameBytes = 2 * header.channels.length;
  const table = dataset.frameTables.length;
  const recording: Recording = {
    name,
    channels: header.channels,
    samplingFrequency: header.samplingFrequency,
    sampleCount: 0,
    segments: [],
    rawType: "int16",
    parts: [],
    attributes: { file: source.name, ...header.attributes },
  };
  const runs = looksLikeSamplePackets(header, source.size!)
    ? await findSampleRuns(source, header, signal)
    : null;
  if (runs) {
    addSamplePackets(dataset, recording, member, runs, zero, streams);
  } else {
    const packets = header.packetHeadBytes
      ? await walkPackets(source, header, dataset, signal)
      : wholeFile(member, dataset.warnings);
    const { segments, resets } = packetSegments(packets, header, zero, source.name);
    dataset.frameTables.push(packetFrames(packets, frameBytes, index));
    recording.segments = segments;
    warnOfResets(dataset, source.name, resets);
  }
  recording.sampleCount = totalFrames(dataset.frameTables[table]);
  if (recording.sampleCount === 0) {
    dataset.frameTables.length = table;
    dataset.leftOut.push({ what: `${name} (${source.name})`, why: "it holds no samples" });
    dataset.warnings.push(`${source.name}: holds no samples`);
    return;
  }
  const samplesAt = runs ? header.packetHeadBytes : 0;
  recording.parts.push({
    firstChannel: 0,
    channelCount: header.channels.length,
    layout: {
      kind: "frames",
      table,
      stored: "int16",
      littleEndian: true,
      samplesPerFrame: 1,
      channelOffsets: header.channels.map((_, c) => samplesAt + 2 * c),
      sampleStride: 2,
    },
  });
  dataset.recordings.push(recording);
}

function warnOfResets(dataset: Dataset, name: string, resets: number): void {
  if (!resets) return;
  dataset.warnings.push(
    `${name}: time stamps go back ${resets === 1 ? "once" : `${resets} times`} ` +
      "(the clock was reset); segments keep the start times the file states",
  );
}

/**
 * 2.1: samples from the headers to the end of the file, as one packet at time 0. Some writers put the packet header of
 * 2.2 before them: then it counts the samples exactly.
 */
function wholeFile(member: Member & { kind: "nsx" }, warnings: string[]): PacketList {
  const { header, source } = member;
  const frameBytes = 2 * header.channels.length;
  const bytes = source.size! - header.dataOffset;
  const { head, dataOffset: at } = header;
  const view = viewOf(head);
  const counted = head.length >= at + 9 && head[at] === 1 ? view.getUint32(at + 5, true) : 0;
  if (counted && 9 + counted * frameBytes === bytes) {
    warnings.push(`${source.name}: a packet header, which 2.1 has not, precedes the samples`);
    return {
      offset: Float64Array.of(at + 9),
      count: Float64Array.of(counted),
      ticks: BigUint64Array.of(BigInt(view.getUint32(at + 1, true))),
    };
  }
  const rest = bytes % frameBytes;
  if (rest) {
    warnings.push(`${source.name}: the file ends inside a sample (${rest} bytes of it)`);
  }
  return {
    offset: Float64Array.of(at),
    count: Float64Array.of((bytes - rest) / frameBytes),
    ticks: BigUint64Array.of(0n),
  };
}

/** Half a sampling period: how far the even clock of a run may be from its stamps. */
const MOST_DRIFT = 0.5;

function addSamplePackets(
  dataset: Dataset,
  recording: Recording,
  { header, source, index }: Member & { kind: "nsx" },
  runs: SamplePackets,
  zero: bigint,
  streams: Streams,
): void {
  const table = dataset.frameTables.length;
  dataset.frameTables.push(
    frameTable(runs.stride, [{
      source: index,
      offset: header.dataOffset,
      frameCount: runs.count,
    }]),
  );
  recording.segments = sampleSegments(runs, header, zero);
  if (runs.restBytes) {
    dataset.warnings.push(
      `${source.name}: the file ends inside a packet (${runs.restBytes} bytes of it)`,
    );
  }
  warnOfResets(dataset, source.name, runs.resets);
  dataset.arrays.push({
    path: `${recording.name}/timestamps`,
    dtype: header.packetHeadBytes === 13 ? "uint64" : "uint32",
    dims: ["time"],
    shape: [runs.count],
    layout: {
      kind: "frames",
      table,
      stored: header.packetHeadBytes === 13 ? "uint64" : "uint32",
      littleEndian: true,
      samplesPerFrame: 1,
      channelOffsets: [1],
      sampleStride: 8,
    },
    attributes: {
      long_name: "time stamp of each sample, as stored",
      ticks_per_second: header.timeResolution,
    },
  });
  if (runs.drift <= MOST_DRIFT) return;
  const id = `${recording.name}.time`;
  recording.time = { kind: "stream", stream: id, field: "time" };
  dataset.warnings.push(
    `${source.name}: time stamps are up to ${runs.drift.toFixed(1)} samples from an even ` +
      `${header.samplingFrequency} Hz clock; the time axis is made of the stamps themselves`,
  );
  streams.set(id, async function* (signal) {
    for await (const values of sampleTimes(source, header, runs, zero, signal)) {
      yield [{ field: "time", values, count: values.length }];
    }
  });
}

/** A single recording lies in the root of the output, and its stamps beside it. */
function placeStamps(dataset: Dataset): void {
  if (dataset.recordings.length !== 1) return;
  for (const array of dataset.arrays) array.path = array.path.slice(array.path.indexOf("/") + 1);
}

function describe(dataset: Dataset, members: Member[], unixZero: bigint | null): void {
  const [opened] = members;
  const dated = [opened, ...members.filter((m) => m.kind === "nev"), ...members]
    .find((m) => m.header.timeOrigin);
  const { metadata } = dataset;
  if (dated) metadata.startTime = dated.header.timeOrigin!.toISOString();
  else if (unixZero !== null) metadata.startTime = unixText(unixZero);
  const comments = [...new Set(members.map((m) => m.header.comment).filter(Boolean))];
  if (comments.length) metadata.notes = comments.join("\n");
  const header: Attributes = {};
  for (const member of members) {
    header[nameOf(member)] = {
      ...member.header.attributes,
      ...(member.header.timeOrigin ? { time_origin: member.header.timeOrigin.toISOString() } : {}),
      ...(member.kind === "nev" ? { electrodes: electrodeList(member.header) } : {}),
    };
  }
  header.clock = unixZero === null
    ? { zero: "time stamp 0 of the files" }
    : { zero: unixText(unixZero), zero_nanoseconds_since_1970: String(unixZero) };
  metadata.header = header;
}

function electrodeList(header: NevHeader): Attributes[] {
  return [...header.electrodes.values()].map((e) => ({
    id: e.id,
    label: e.label,
    ...e.attributes,
  }));
}

/** Blocks of a pass as a stream that reads on only when its consumer is ready. */
function blockStream(
  streams: Streams,
  id: string,
  signal?: AbortSignal,
): ReadableStream<StreamBlock> {
  const open = streams.get(id);
  ensure(open, `there is no stream ${id}`, { format: "blackrock" });
  const passes = open(signal);
  const waiting: StreamBlock[] = [];
  return new ReadableStream<StreamBlock>({
    async pull(controller) {
      while (!waiting.length) {
        const { done, value } = await passes.next();
        if (done) return controller.close();
        waiting.push(...value);
      }
      controller.enqueue(waiting.shift()!);
    },
    async cancel() {
      await passes.return(undefined);
    },
  }, { highWaterMark: 1 });
}
