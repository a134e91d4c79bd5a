/**
 * Snapshots of an AcqKnowledge file. A compressed file keeps its data as the first snapshot: one zlib
 * stream per channel, samples little-endian whatever the file's byte order. Further snapshots are
 * earlier states of the recording.
 */
import { ensure } from "../../src/errors.ts";
import { type ChannelHeader, REVISION_4 } from "./biopac-headers.ts";
import type { HeaderWindow } from "./biopac-window.ts";

/** Where the compressed samples of a channel are. */
export interface CompressedChannel {
  offset: number;
  lengthBytes: number;
  /** Bytes after inflation. */
  rawBytes: number;
}

/** The snapshot section's own header. */
export interface SnapshotMaster {
  count: number;
  /** First snapshot. */
  first: number;
}

const MAGIC = 0xdeaded3d;
/** Bytes of the first read of a dataset header: it and its two labels. */
const DATASET_READ_BYTES = 512;
/** Farthest the section is looked for behind the journal, bytes. */
const SEARCH_BYTES = 1 << 20;

/** Finds the section behind the journal; undefined when the file has none at its place. */
export async function findSnapshots(
  window: HeaderWindow,
  start: number,
  revision: number,
): Promise<SnapshotMaster | undefined> {
  const at = start + (revision >= REVISION_4 ? 4 : 12);
  if (at + 6 > window.size) return undefined;
  await window.need(at, 6, "snapshots");
  return window.u32(at) === MAGIC ? { count: window.u16(at + 4), first: at + 6 } : undefined;
}

/** Looks for the section a little farther on, for files with something unknown before it. */
export async function searchSnapshots(
  window: HeaderWindow,
  start: number,
): Promise<SnapshotMaster | undefined> {
  const reach = Math.min(SEARCH_BYTES, window.size - start, window.limits.headerBytes);
  if (reach < 6) return undefined;
  await window.need(start, reach, "snapshots");
  for (let at = start; at + 6 <= start + reach; at++) {
    if (window.u32(at) === MAGIC && window.u16(at + 4) > 0) {
      return { count: window.u16(at + 4), first: at + 6 };
    }
  }
  return undefined;
}

/**
 * Reads the dataset headers of the first snapshot, one per channel.
 * @throws FuseError `Corrupt` where the datasets contradict the channel headers, `Truncated` where one
 * does not fit into the file.
 */
export async function readCompressed(
  window: HeaderWindow,
  first: number,
  channels: ChannelHeader[],
  revision: number,
): Promise<CompressedChannel[]> {
  const modern = revision >= REVISION_4;
  await window.need(first, 22, "snapshot header");
  const headerBytes = window.i32(first);
  const labels = modern ? window.i32(first + 14) + window.i32(first + 18) : window.i32(first + 16);
  ensure(headerBytes >= 20 && labels >= 0, "the snapshot header is impossible", {
    ...window.place(first, "snapshot header"),
    found: `${headerBytes} bytes, labels of ${labels}`,
    expected: "at least 20 bytes",
  });
  const datasets: (CompressedChannel & { number: number; at: number })[] = [];
  let at = first + headerBytes + labels;
  for (let i = 0; i < channels.length; i++) {
    if (at + 60 > window.size) throw window.cut(at, 60, `data of channel ${i + 1}`);
    await window.need(at, 60, "dataset header", DATASET_READ_BYTES);
    const length = window.i32(at);
    ensure(length >= 60 && at + length <= window.size, "the dataset header is impossible", {
      ...window.place(at, `data of channel ${i + 1}`),
      found: `${length} bytes`,
      expected: "60 bytes",
    });
    await window.need(at, length, "dataset header", DATASET_READ_BYTES);
    const tail = at + length - 16;
    const [name, unit, rawBytes, lengthBytes] = [0, 4, 8, 12].map((o) => window.i32(tail + o));
    ensure(
      name >= 0 && unit >= 0 && rawBytes >= 0 && lengthBytes >= 0,
      "the dataset lengths are impossible",
      {
        ...window.place(tail, `data of channel ${i + 1}`),
        found: [name, unit, rawBytes, lengthBytes],
      },
    );
    const offset = at + length + name + unit;
    if (offset + lengthBytes > window.size) {
      throw window.cut(offset, lengthBytes, `data of channel ${i + 1}`);
    }
    const number = window.i16(at + (modern ? 8 : 10));
    datasets.push({ offset, lengthBytes, rawBytes, number, at });
    at = offset + lengthBytes;
  }
  const ordered = inChannelOrder(datasets, channels);
  ordered.forEach((dataset, i) => {
    ensure(dataset.rawBytes % channels[i].sampleBytes === 0, "the dataset holds part of a sample", {
      ...window.place(dataset.at, "lUncompressedLen"),
      found: `${dataset.rawBytes} bytes`,
      expected: `a multiple of ${channels[i].sampleBytes}`,
    });
  });
  return ordered.map(({ offset, lengthBytes, rawBytes }) => ({ offset, lengthBytes, rawBytes }));
}

/** Datasets name their channel by number; where that is not one to one, their order is the channels'. */
function inChannelOrder<T extends { number: number }>(
  datasets: T[],
  channels: ChannelHeader[],
): T[] {
  const byNumber = new Map(datasets.map((d) => [d.number, d]));
  const matched = channels.map((c) => byNumber.get(c.number));
  return new Set(matched).size === channels.length && matched.every((d) => d !== undefined)
    ? matched as T[]
    : datasets;
}
