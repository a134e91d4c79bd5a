/** Opens a 64-bit SON file (CED Spike2 .smrx). */
import { FuseError, toFuseError } from "../../src/errors.ts";
import { type Dataset, emptyDataset, type Json } from "../../src/model/dataset.ts";
import type { ByteSource } from "../../src/source/source.ts";
import type { OpenOptions, Reader } from "../format.ts";
import { loadWasm } from "../wasm/instance.ts";
import { readBlocks } from "./smrx-blocks.ts";
import { checkItemBytes, eventSource } from "./smrx-events.ts";
import { readHeader, type SmrxHeader } from "./smrx-header.ts";
import { type SmrxContext, walkTrees } from "./smrx-tree.ts";
import { waveOf } from "./smrx-waves.ts";
import { isWaveform } from "./spike2-model.ts";
import { groupWaves, type Wave } from "./spike2-recordings.ts";
import { buildTables, type EventSource, streamEvents } from "./spike2-tables.ts";

/** The reader of the format "smrx". */
export const reader: Reader = {
  async open(source, options) {
    try {
      return await openFile(source, options);
    } catch (error) {
      throw toFuseError(error, "Corrupt", { source: source.name, format: "smrx" });
    }
  },
};

async function openFile(source: ByteSource, options: OpenOptions): Promise<Dataset> {
  const { signal } = options;
  const { size } = source;
  if (source.access !== "random" || size === undefined) {
    throw new FuseError("NeedsRandomAccess", "the blocks of a SON file are indexed all over it", {
      source: source.name,
      remedy: "Give the file itself, not a pipe",
    });
  }
  const header = await readHeader(source, size, signal);
  if (header.channels.length + header.deleted.length === 0 && size > header.endOffset) {
    throw new FuseError("Corrupt", "the file was never closed, and its channel table never saved", {
      source: source.name,
      found: `${size - header.endOffset} bytes that nothing describes`,
      expected: "at least one channel",
    });
  }
  const dataset = emptyDataset("smrx", [source]);
  const { warnings } = dataset;
  const context: SmrxContext = { source, size, signal, warnings };
  for (const channel of header.channels) {
    if (!isWaveform(channel.kind)) checkItemBytes(channel, source.name);
  }
  const wasm = await loadWasm("ephys");
  const lists = await walkTrees(context, header.channels);
  const blocks = await readBlocks(context, wasm, header.channels, lists);
  const waves: Wave[] = [], events: EventSource[] = [];
  const { clock } = header;
  header.channels.forEach((channel, i) => {
    if (isWaveform(channel.kind)) waves.push(waveOf(channel, blocks[i], warnings));
    else events.push(eventSource({ file: context, clock, wasm }, channel, blocks[i]));
  });
  const grouped = groupWaves(waves, { clock, littleEndian: true, warnings });
  dataset.recordings = grouped.recordings;
  dataset.frameTables = grouped.frameTables;
  const { tables, streams } = await buildTables(events, signal);
  dataset.events = tables;
  dataset.openStream = (id, streamOptions) => {
    const stream = streams.get(id);
    if (!stream) {
      throw new FuseError("Usage", `no stream "${id}"`, { source: source.name, format: "smrx" });
    }
    return streamEvents(stream, streamOptions.signal);
  };
  dataset.leftOut = [...grouped.leftOut, ...leftOut(header)];
  reportUnclosed(dataset, header, size);
  describe(dataset, header);
  return dataset;
}

/** Data and index are written as they come, the header only now and then. */
function reportUnclosed(dataset: Dataset, header: SmrxHeader, size: number): void {
  if (size <= header.endOffset) return;
  const bytes = size - header.endOffset;
  dataset.warnings.push(
    "the file was not closed properly: what was recorded after its header was last saved " +
      `(${bytes} bytes from byte ${header.endOffset} on) is not indexed`,
  );
  dataset.leftOut.push({
    what: `${Math.ceil(bytes / 65_536)} blocks at the end of the file`,
    why: "written after the header was last saved: nothing says what they hold",
  });
}

function leftOut(header: SmrxHeader): { what: string; why: string }[] {
  const out = header.deleted.map(({ number, title, blocks }) => ({
    what: `channel ${number}${title ? ` "${title}"` : ""}`,
    why: `deleted; ${blocks} data blocks of it are left in the file`,
  }));
  for (const { number, kind } of header.unknown) {
    out.push({ what: `channel ${number}`, why: `no version of the format defines kind ${kind}` });
  }
  if (header.extraDataBytes > 0) {
    out.push({
      what: "extra data area",
      why: `${header.extraDataBytes} bytes an application kept for itself, in a form of its own`,
    });
  }
  return out;
}

function describe(dataset: Dataset, header: SmrxHeader): void {
  const comments = header.comments.filter((comment) => comment !== "");
  const fields: Record<string, Json> = {
    version: header.version,
    creator: header.application,
    time_base_seconds: header.timeBaseSeconds,
    channel_slots: header.slots,
    file_comments: header.comments,
  };
  if (header.maxTicks >= 0) fields.max_time_ticks = header.maxTicks;
  dataset.metadata = {
    ...(header.startTime === undefined ? {} : { startTime: header.startTime }),
    ...(comments.length === 0 ? {} : { notes: comments.join("\n") }),
    header: fields,
  };
}
