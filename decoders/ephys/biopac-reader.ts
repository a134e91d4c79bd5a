/** The AcqKnowledge reader: finds the sections of a file and where its samples are. */
import { DEFAULT_LIMITS, FuseError, isFuseError } from "../../src/errors.ts";
import { type Dataset, emptyDataset } from "../../src/model/dataset.ts";
import type { ByteSource } from "../../src/source/source.ts";
import type { OpenOptions, Reader } from "../format.ts";
import {
  addJournal,
  addRecordings,
  type Body,
  describeAxis,
  streamChannels,
  streamName,
} from "./biopac-dataset.ts";
import { addMarkers } from "./biopac-events.ts";
import { type BiopacHeaders, readHeaders } from "./biopac-headers.ts";
import { splitFrames } from "./biopac-interleave.ts";
import { readJournal } from "./biopac-journal.ts";
import { readMarkers } from "./biopac-markers.ts";
import { findSnapshots, readCompressed, searchSnapshots } from "./biopac-snapshots.ts";
import { deinterleave, inflateChannel, streamOf } from "./biopac-streams.ts";
import { HeaderWindow, SECTION_BYTES } from "./biopac-window.ts";

/** Opens `.acq` files of AcqKnowledge 2 to 5. */
export const reader: Reader = { open };

async function open(source: ByteSource, options: OpenOptions): Promise<Dataset> {
  const { size } = source;
  if (size === undefined) {
    throw new FuseError("NeedsRandomAccess", "markers and journal follow the data", {
      source: source.name,
      format: "acq",
      remedy: "Save the stream to a file first",
    });
  }
  const window = new HeaderWindow(source, size, options.limits ?? DEFAULT_LIMITS, options.signal);
  const headers = await readHeaders(window);
  const dataset = emptyDataset("acq", [source]);
  dataset.warnings.push(...headers.warnings);
  const body = headers.graph.compressed
    ? await openCompressed(window, headers, dataset)
    : await openInterleaved(window, headers, dataset);
  describeAxis(headers, dataset);
  addRecordings(dataset, headers, body);
  addMarkers(dataset, headers, body.markers);
  addJournal(dataset, body.journal);
  return dataset;
}

const INTERLEAVED = "interleaved";

async function openInterleaved(
  window: HeaderWindow,
  headers: BiopacHeaders,
  dataset: Dataset,
): Promise<Body> {
  const { channels, graph, bodyOffset } = headers;
  const { source } = window;
  const length = channels.reduce((n, c) => n + c.sampleCount * c.sampleBytes, 0);
  if (bodyOffset + length > window.size) throw window.cut(bodyOffset, length, "channel data");
  const split = splitFrames(channels);
  let tailBytes = new Uint8Array(0);
  if (split?.tail) {
    // The markers follow at once: one read brings both.
    const { offset, lengthBytes } = split.tail;
    await window.need(
      bodyOffset + offset,
      lengthBytes,
      "channel data",
      lengthBytes + SECTION_BYTES,
    );
    tailBytes = window.bytes(bodyOffset + offset, lengthBytes).slice();
  } else if (!split) {
    dataset.warnings.push(
      "the channels end at very different times: the samples are taken apart in one forward pass",
    );
  }
  const body: Body = {
    markers: [],
    journal: undefined,
    sampleCounts: channels.map((c) => c.sampleCount),
    streamOf: () => INTERLEAVED,
    ...(split ? { frames: { split, tailBytes } } : {}),
  };
  if (!split) {
    dataset.openStream = (_id, { signal }) =>
      streamOf(
        deinterleave(source, bodyOffset, streamChannels(headers, body), graph.littleEndian, signal),
      );
  }
  if (bodyOffset + length === window.size) {
    dataset.warnings.push("the file ends with its data: it has no markers and no journal");
    return body;
  }
  const end = await readAnnotations(window, bodyOffset + length, headers, body, dataset);
  if (end === undefined) return body;
  const snapshots = await findSnapshots(window, end, graph.revision);
  if (snapshots && snapshots.count > 0) leaveOutSnapshots(dataset, snapshots.count);
  return body;
}

/**
 * Reads markers and journal into `body` and returns where they end. What is damaged there costs only
 * itself, for the samples do not depend on it: then a warning tells, and the end is not known.
 */
async function readAnnotations(
  window: HeaderWindow,
  start: number,
  { graph }: BiopacHeaders,
  body: Body,
  dataset: Dataset,
): Promise<number | undefined> {
  let reading = "markers and journal";
  try {
    const { markers, end, warnings } = await readMarkers(window, start, graph.revision);
    body.markers = markers;
    dataset.warnings.push(...warnings);
    reading = "journal";
    body.journal = await readJournal(window, end, graph.revision, markers.length);
    return body.journal.end;
  } catch (error) {
    if (!isFuseError(error, "Corrupt", "Truncated", "Limit")) throw error;
    dataset.warnings.push(`${reading} could not be read: ${error.message}`);
    return undefined;
  }
}

async function openCompressed(
  window: HeaderWindow,
  headers: BiopacHeaders,
  dataset: Dataset,
): Promise<Body> {
  const { channels, graph, bodyOffset } = headers;
  const { source } = window;
  const body: Body = {
    markers: [],
    journal: undefined,
    sampleCounts: [],
    streamOf: streamName,
  };
  const end = await readAnnotations(window, bodyOffset, headers, body, dataset);
  let snapshots = end === undefined ? undefined : await findSnapshots(window, end, graph.revision);
  if (!snapshots) {
    snapshots = await searchSnapshots(window, end ?? bodyOffset);
    if (snapshots) {
      dataset.warnings.push(
        `the compressed data were found by search, at byte ${snapshots.first}`,
      );
    }
  }
  if (!snapshots || snapshots.count === 0) {
    throw new FuseError(
      "Corrupt",
      "the file is marked as compressed and holds no compressed data",
      window.place(end ?? bodyOffset, "snapshots"),
    );
  }
  const data = await readCompressed(window, snapshots.first, channels, graph.revision);
  if (snapshots.count > 1) leaveOutSnapshots(dataset, snapshots.count - 1);
  body.sampleCounts = data.map((d, i) => d.rawBytes / channels[i].sampleBytes);
  channels.forEach((channel, i) => {
    if (body.sampleCounts[i] === channel.sampleCount) return;
    dataset.warnings.push(
      `channel ${i + 1} "${channel.name}" states ${channel.sampleCount} samples, ` +
        `its compressed data hold ${body.sampleCounts[i]}: the data are taken`,
    );
  });
  dataset.openStream = (id, { signal }) => {
    const index = data.findIndex((_, i) => streamName(i) === id);
    if (index < 0) throw new FuseError("Usage", `no stream ${id}`, { source: source.name });
    const channel = streamChannels(headers, body)[index];
    return streamOf(inflateChannel(source, data[index], channel, signal));
  };
  return body;
}

function leaveOutSnapshots(dataset: Dataset, count: number): void {
  dataset.leftOut.push({
    what: `${count} snapshot${count === 1 ? "" : "s"}`,
    why: "earlier states of the same recording",
  });
}
