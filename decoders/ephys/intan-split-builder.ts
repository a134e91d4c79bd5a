/**
 * Turns the files of a split recording into recordings, words and lines of a Dataset. What was saved
 * is known from the files that are there, its length from their sizes.
 */
import { FuseError } from "../../src/errors.ts";
import type { Attributes, Channel, ChannelPart, Dataset } from "../../src/model/dataset.ts";
import type { DType } from "../../src/model/dtype.ts";
import { type FrameLayout, frameTable, type Segment } from "../../src/model/layout.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { enabledChannels, type IntanChannel, type IntanHeader } from "./intan-model.ts";
import type { FileSet } from "./intan-files.ts";
import {
  AUXILIARY_SIGNED,
  digitalLines,
  type IntanLayout,
  levelChannels,
  pathSegment,
  recordingOf,
  scaledChannels,
  stimulationLines,
  stimulationWordAttributes,
  stimulationWordsPath,
} from "./intan-signals.ts";
import { boardFiles, rowLayout, type StreamFiles } from "./intan-streams.ts";
import {
  decimatedSegments,
  findRuns,
  segmentsOf,
  type TimeRuns,
  timeWarnings,
} from "./intan-timestamps.ts";

/** A file of the set that holds `columns` channels, and its rows. */
interface Member {
  source: ByteSource;
  columns: number;
  rows: number;
}

/** Fills a Dataset from the files of one split recording; `clock` comes first. */
export class SplitBuilder {
  /** Samples of the recording: counters in `time.dat`, or rows of the shortest file without it. */
  samples = 0;
  #times: TimeRuns = {
    runs: [{ firstUnit: 0, ticks: 0 }],
    units: 0,
    samplesPerUnit: 1,
    stepsBack: false,
    complete: true,
  };
  #auxiliaryInAmplifier = false;

  constructor(
    readonly dataset: Dataset,
    readonly header: IntanHeader,
    readonly files: FileSet,
    readonly signal?: AbortSignal,
  ) {}

  /** Reads the counters, and with them the length of the recording. */
  async clock(streams: StreamFiles[], layout: IntanLayout): Promise<void> {
    const { dataset, files, header } = this;
    const time = files.get("time.dat");
    const units = Math.floor((time?.size ?? 0) / 4);
    if (time && units > 0) {
      if (time.size! % 4) {
        dataset.warnings.push(`time.dat ends inside a counter: its last bytes are left out`);
      }
      this.#times = await findRuns({
        source: time,
        offset: 0,
        strideBytes: 4,
        units,
        samplesPerUnit: 1,
        signed: header.signedTimestamps,
        signal: this.signal,
      });
      this.samples = units;
      dataset.warnings.push(...timeWarnings(this.#times));
    } else {
      const rows = streams.filter((s) => !s.decimated)
        .flatMap((s) => this.#members(s, layout).map((m) => m.rows));
      this.samples = rows.length ? Math.min(...rows) : 0;
      dataset.warnings.push(
        "time.dat is missing or empty: the recording is taken to start at 0 s without a pause",
      );
    }
    this.#auxiliaryInAmplifier = this.#findAuxiliary();
  }

  /** Auxiliary inputs can have been saved as further columns of `amplifier.dat`. */
  #findAuxiliary(): boolean {
    const { header, files, samples } = this;
    const amplifier = files.get("amplifier.dat");
    const extra = enabledChannels(header, "auxiliary").length;
    const own = enabledChannels(header, "amplifier").length;
    return amplifier !== undefined && !files.has("auxiliary.dat") && extra > 0 && samples > 0 &&
      amplifier.size === 2 * samples * (own + extra);
  }

  /** Segments of a stream of `count` samples at the full rate. */
  segments(count: number): Segment[] {
    return segmentsOf(this.#times, this.header.sampleRate, 1, count);
  }

  /** Files of a stream, one for all channels or one for each that has one. */
  #members(stream: StreamFiles, layout: IntanLayout): Member[] {
    const { files } = this;
    if (layout === "one file per signal type") {
      const source = files.get(stream.together);
      if (!source || !stream.channels.length) return [];
      const columns = stream.channels.length +
        (stream.name === "amplifier" && this.#auxiliaryInAmplifier
          ? enabledChannels(this.header, "auxiliary").length
          : 0);
      return [{ source, columns, rows: Math.floor(source.size! / (2 * columns)) }];
    }
    return stream.channels.flatMap((c) => {
      const source = files.first(stream.single(c));
      return source ? [{ source, columns: 1, rows: Math.floor(source.size! / 2) }] : [];
    });
  }

  /** Adds the recording of one kind of signal. */
  stream(stream: StreamFiles, layout: IntanLayout): void {
    const { dataset, files } = this;
    if (stream.name === "auxiliary" && this.#auxiliaryInAmplifier) return;
    const single = layout === "one file per channel";
    const channels = single
      ? stream.channels.filter((c) => (files.first(stream.single(c))?.size ?? 0) > 1)
      : stream.channels;
    const members = this.#members(stream, layout).filter((m) => m.rows > 0);
    if (!members.length) {
      const isThere = single
        ? stream.channels.some((c) => files.first(stream.single(c)))
        : files.has(stream.together);
      if (stream.channels.length && (!stream.optional || isThere)) this.#missing(stream, layout);
      return;
    }
    if (single && channels.length < stream.channels.length) {
      // Files of optional streams may be missing, but not empty.
      const lost = stream.channels.filter((c) =>
        !channels.includes(c) && (!stream.optional || files.first(stream.single(c)))
      ).map((c) => c.nativeName);
      if (lost.length) {
        dataset.warnings.push(`no file holds samples of ${lost.join(", ")} (${stream.name})`);
      }
    }
    if (!stream.decimated) members.forEach((member) => this.#checkColumns(member));
    const count = this.#count(stream.name, members, stream.decimated);
    const tables = members.map((m) => this.#table(m.source, 2 * m.columns, count));
    const part = (table: number, offsets: number[], firstChannel: number): ChannelPart => ({
      firstChannel,
      channelCount: offsets.length,
      layout: rowLayout(table, stream.stored, offsets, stream.decode),
    });
    const parts = single
      ? tables.map((table, i) => part(table, [0], i))
      : [part(tables[0], channels.map((_, i) => 2 * i), 0)];
    const rate = this.header.sampleRate;
    const factor = stream.decimated ? this.#factor(count) : 1;
    const segments = factor > 1
      ? decimatedSegments(this.#times, rate, factor, count)
      : this.segments(count);
    const add = (
      name: string,
      made: Channel[],
      parts: ChannelPart[],
      rawType: DType,
      attributes?: Attributes,
    ) =>
      dataset.recordings.push(recordingOf({
        name,
        rawType,
        samplingFrequency: rate / factor,
        sampleCount: count,
        segments,
        parts,
        attributes,
      }, made));
    const rawType = stream.decode?.signMagnitude ? "int16" : stream.stored;
    add(stream.name, scaledChannels(channels, stream.scale), parts, rawType, stream.attributes);
    if (stream.name === "amplifier" && this.#auxiliaryInAmplifier) {
      const auxiliary = enabledChannels(this.header, "auxiliary");
      const offsets = auxiliary.map((_, i) => 2 * (channels.length + i));
      add(
        "auxiliary",
        scaledChannels(auxiliary, AUXILIARY_SIGNED),
        [part(tables[0], offsets, 0)],
        "int16",
      );
    }
    if (stream.name === "stimulation") this.#stimulationWords(channels, parts, count, segments);
  }

  #stimulationWords(
    channels: IntanChannel[],
    parts: ChannelPart[],
    count: number,
    segments: Segment[],
  ): void {
    const rate = this.header.sampleRate;
    channels.forEach((channel, i) => {
      const part = parts.length > 1 ? parts[i] : parts[0];
      const layout = part.layout as FrameLayout;
      const offset = layout.channelOffsets[i - part.firstChannel];
      const path = stimulationWordsPath(channel);
      this.#words(
        path,
        rowLayout(layout.table, "uint16", [offset]),
        count,
        stimulationWordAttributes(channel, this.header),
      );
      this.dataset.digital.push(stimulationLines(path, channel, rate, segments));
    });
  }

  /** Adds digital lines: the words of all together, or of each line for itself, and the levels. */
  digital(name: "digital_in" | "digital_out", together: string, layout: IntanLayout): void {
    const { dataset, files, header } = this;
    const channels = enabledChannels(header, name);
    const rate = header.sampleRate;
    if (layout === "one file per signal type") {
      const source = files.get(together);
      const rows = Math.floor((source?.size ?? 0) / 2);
      if (!source || rows === 0) {
        if (channels.length) dataset.warnings.push(`${together} is missing or empty`);
        return;
      }
      const count = this.#count(name, [{ source, columns: 1, rows }]);
      const table = this.#table(source, 2, count);
      const path = `${name}/words`;
      this.#words(path, rowLayout(table, "uint16", [0]), count);
      dataset.digital.push(digitalLines(path, channels, rate, this.segments(count)));
      const levels = channels.map((c) => rowLayout(table, "uint16", [0], { bit: c.nativeOrder }));
      this.#levels(name, channels, levels, count);
      return;
    }
    const there = channels.filter((c) => (files.first(boardFiles(c))?.size ?? 0) > 1);
    const lost = channels.filter((c) => !there.includes(c)).map((c) => c.nativeName);
    if (lost.length) {
      dataset.warnings.push(`no file holds samples of ${lost.join(", ")} (${name})`);
    }
    if (!there.length) return;
    const members = there.map((c): Member => {
      const source = files.first(boardFiles(c))!;
      return { source, columns: 1, rows: Math.floor(source.size! / 2) };
    });
    const count = this.#count(name, members);
    const layouts = members.map((m) => rowLayout(this.#table(m.source, 2, count), "uint16", [0]));
    there.forEach((channel, i) => {
      const path = `${name}/words/${pathSegment(channel.nativeName)}`;
      this.#words(path, layouts[i], count);
      // A line's own file holds its level, 0 or 1, whatever its number.
      dataset.digital.push(digitalLines(path, [channel], rate, this.segments(count), () => 0));
    });
    this.#levels(name, there, layouts, count);
  }

  /** Adds the levels of digital lines, one row a line. */
  #levels(name: string, channels: IntanChannel[], layouts: FrameLayout[], count: number): void {
    if (!channels.length) return;
    this.dataset.recordings.push(recordingOf({
      name,
      rawType: "uint16",
      samplingFrequency: this.header.sampleRate,
      sampleCount: count,
      segments: this.segments(count),
      parts: layouts.map((layout, i) => ({ firstChannel: i, channelCount: 1, layout })),
    }, levelChannels(channels)));
  }

  /** Keeps the counters themselves. */
  counters(): void {
    const time = this.files.get("time.dat");
    if (!time || !this.#times.units) return;
    const { signedTimestamps } = this.header;
    const type = signedTimestamps ? "int32" : "uint32";
    const { units } = this.#times;
    this.#words("source/timestamps", rowLayout(this.#table(time, 4, units), type, [0]), units, {
      long_name: "sample counter",
      units: "samples",
    });
  }

  #words(path: string, layout: FrameLayout, count: number, attributes: Attributes = {}): void {
    this.dataset.arrays.push({
      path,
      dtype: layout.stored as DType,
      dims: ["time"],
      shape: [count],
      layout,
      attributes: { sampling_frequency: this.header.sampleRate, ...attributes },
    });
  }

  #table(source: ByteSource, frameBytes: number, frameCount: number): number {
    const { sources, frameTables } = this.dataset;
    let index = sources.indexOf(source);
    if (index < 0) index = sources.push(source) - 1;
    return frameTables.push(frameTable(frameBytes, [{ source: index, offset: 0, frameCount }])) - 1;
  }

  /** Samples all members of a stream have; says so where files differ in length. */
  #count(name: string, members: Member[], decimated = false): number {
    const rows = members.map((m) => m.rows);
    const count = Math.min(...rows);
    const shortest = members[rows.indexOf(count)].source.name;
    const { warnings } = this.dataset;
    if (Math.max(...rows) > count) {
      warnings.push(`the files of ${name} differ in length: all end with ${shortest}`);
    }
    if (!decimated && this.#times.units && count !== this.samples) {
      warnings.push(
        `${shortest} holds ${count} samples and time.dat ${this.samples}` +
          (count > this.samples ? ": times go on past the last counter" : ""),
      );
    }
    return count;
  }

  /** Row counts that fit another number of columns exactly are no accident. */
  #checkColumns({ source, columns, rows }: Member): void {
    const real = source.size! / (2 * this.samples);
    if (columns > 1 && this.#times.units && real !== columns && Number.isInteger(real)) {
      throw new FuseError("Corrupt", "the file has other columns than the header lists", {
        source: source.name,
        found: `${real} columns of ${this.samples} samples`,
        expected: `${columns} columns`,
      });
    }
    const rest = source.size! - 2 * columns * rows;
    if (rest) {
      this.dataset.warnings.push(
        `${source.name} ends inside a row of samples: its last ${rest} bytes are left out`,
      );
    }
  }

  /** Every how many samples a thinned-out stream keeps one. */
  #factor(count: number): number {
    if (!this.samples) return 1;
    const exact = this.samples / count;
    const factor = 2 ** Math.max(0, Math.min(7, Math.round(Math.log2(exact))));
    if (factor !== exact) {
      this.dataset.warnings.push(
        `lowpass samples are taken to be every ${factor}th, though ${this.samples} and ${count} ` +
          `samples do not divide`,
      );
    }
    return factor;
  }

  #missing(stream: StreamFiles, layout: IntanLayout): void {
    const name = layout === "one file per channel"
      ? stream.single(stream.channels[0])[0] + " ..."
      : stream.together;
    this.dataset.warnings.push(
      `${name} is missing or empty: the header lists ${stream.channels.length} channels of ${stream.name}`,
    );
  }
}
