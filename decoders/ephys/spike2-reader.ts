/** Opens a 32-bit SON file (CED Spike2 .smr). */
import { FuseError, toFuseError } from "../../src/errors.ts";
import { type Dataset, emptyDataset, type Json } from "../../src/model/dataset.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { hasText, type OpenOptions, type Reader } from "../format.ts";
import { loadWasm } from "../wasm/instance.ts";
import { type ChainContext, walkChains } from "./spike2-chains.ts";
import { readEvents } from "./spike2-events.ts";
import { HEAD_BYTES, HEADER_BYTES, parseHeader, type Spike2Header } from "./spike2-header.ts";
import { streamEvents } from "./spike2-tables.ts";
import { readWaves } from "./spike2-waves.ts";

/** The reader of the format "smr". */
export const reader: Reader = {
  async open(source, options) {
    try {
      return await openFile(source, options);
    } catch (error) {
      throw toFuseError(error, "Corrupt", { source: source.name, format: "smr" });
    }
  },
};

async function openFile(source: ByteSource, options: OpenOptions): Promise<Dataset> {
  const { signal } = options;
  const size = source.size;
  if (source.access !== "random" || size === undefined) {
    throw new FuseError("NeedsRandomAccess", "the blocks of a SON file are linked all over it", {
      source: source.name,
      remedy: "Give the file itself, not a pipe",
    });
  }
  const bytes = await source.readUpTo(0, HEADER_BYTES, { signal, purpose: "header" });
  if (bytes.length < HEAD_BYTES) {
    throw new FuseError("Truncated", "the file ends inside its head", {
      source: source.name,
      offset: bytes.length,
      found: `${bytes.length} bytes`,
      expected: `${HEAD_BYTES} bytes`,
    });
  }
  if (hasText(bytes, 0, "S64")) {
    throw new FuseError("Unsupported", "is a 64-bit SON file whatever its extension says", {
      source: source.name,
      offset: 0,
      found: "S64",
      expected: "a system id from 1 to 9",
      remedy: "Read it as Spike2 .smrx",
    });
  }
  const header = parseHeader(bytes, source.name);
  const dataset = emptyDataset("smr", [source]);
  dataset.warnings.push(...header.warnings);
  const context: ChainContext = {
    source,
    size,
    header,
    wasm: await loadWasm("ephys"),
    signal,
    warnings: dataset.warnings,
  };
  const lists = await walkChains(context);
  const waves = readWaves(header, lists, source.name, size, dataset.warnings);
  dataset.recordings = waves.recordings;
  dataset.frameTables = waves.frameTables;
  dataset.leftOut = [...waves.leftOut, ...leftOut(header)];
  const events = await readEvents(context, lists);
  dataset.events = events.tables;
  dataset.openStream = (id, streamOptions) => {
    const stream = events.streams.get(id);
    if (!stream) {
      throw new FuseError("Usage", `no stream "${id}"`, { source: source.name, format: "smr" });
    }
    return streamEvents(stream, streamOptions.signal);
  };
  describe(dataset, header);
  return dataset;
}

function leftOut(header: Spike2Header): { what: string; why: string }[] {
  const out = header.deleted.map(({ number, blocks }) => ({
    what: `channel ${number}`,
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

function describe(dataset: Dataset, header: Spike2Header): void {
  const comments = header.comments.filter((comment) => comment !== "");
  const fields: Record<string, Json> = {
    system_id: header.systemId,
    byte_order: header.littleEndian ? "little" : "big",
    creator: header.creator,
    us_per_time: header.usPerTime,
    time_per_adc: header.timePerAdc,
    time_base_seconds: header.timeBaseSeconds,
    channel_slots: header.slots,
    file_comments: header.comments,
  };
  if (header.maxTicks > 0) fields.max_time_ticks = header.maxTicks;
  dataset.metadata = {
    ...(header.startTime === undefined ? {} : { startTime: header.startTime }),
    ...(comments.length === 0 ? {} : { notes: comments.join("\n") }),
    header: fields,
  };
}
