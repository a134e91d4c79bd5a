/** Windows LabChart documents: the streams of a compound file that hold data. */
import { FuseError, isFuseError, type Limits } from "../../src/errors.ts";
import type { Attributes } from "../../src/model/dataset.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { type Compound, type CompoundStream, openCompound } from "./adicht-container.ts";
import { type Extent, ExtentReader } from "./extents.ts";
import { parseMap } from "./adicht-map.ts";
import type { LabChartDocument } from "./adicht-model.ts";
import { SerialReader, TEXT_TAG } from "./adicht-serial.ts";

/** Versions of the container whose contents are described. */
const DESCRIBED = [26, 29];

/** What reading a document needs. */
export interface WindowsContext {
  source: ByteSource;
  size: number;
  limits: Limits;
  signal?: AbortSignal;
  warnings: string[];
}

/** A document, and where its samples are. */
export interface WindowsDocument {
  document: LabChartDocument;
  extents: Extent[];
}

/** Reads a document. @throws FuseError `Corrupt`, `Truncated`, `Unsupported` or `Limit` */
export async function readWindowsDocument(context: WindowsContext): Promise<WindowsDocument> {
  const { source, warnings } = context;
  const compound = await openCompound(context);
  const named = (name: string) =>
    compound.streams.find((stream) => stream.path.toLowerCase() === name);
  const map = named("map"), blocks = named("blocks_0");
  if (!map) {
    throw new FuseError("Unsupported", "an ADInstruments file without recorded data", {
      source: source.name,
      found: compound.streams.map((stream) => stream.path).slice(0, 8).join(", ") || "no streams",
      expected: "a stream Map, as LabChart documents have it",
      remedy: "Settings files say how to record; give the document recorded with them",
    });
  }
  const parsed = await readMap(context, compound, map);
  warnings.push(...parsed.warnings);
  const extents = blocks?.extents() ?? [];
  checkBlocks(context, parsed.records, extents);
  warnings.push(...compound.warnings);
  return {
    extents,
    document: {
      records: parsed.records,
      comments: parsed.comments,
      titles: parsed.titles,
      header: await describe(context, compound),
      leftOut: leftOut(compound),
    },
  };
}

async function readMap(context: WindowsContext, compound: Compound, map: CompoundStream) {
  const { source, limits } = context;
  if (map.size > limits.headerBytes) {
    throw new FuseError("Limit", "the stream of records is larger than allowed", {
      source: source.name,
      found: `${map.size} bytes`,
      expected: `at most ${limits.headerBytes}`,
    });
  }
  const bytes = await readStream(context, map);
  try {
    return parseMap(bytes, { source: source.name });
  } catch (error) {
    if (!isFuseError(error, "Corrupt") || DESCRIBED.includes(compound.version)) throw error;
    throw new FuseError(
      "Unsupported",
      `a LabChart document of version ${compound.version}, whose records are not described`,
      {
        source: source.name,
        found: error.statement,
        expected: `version ${DESCRIBED.join(" or ")}`,
        remedy: "Save it by another version of LabChart, or export it as .adibin or text",
        cause: error,
      },
    );
  }
}

/** A small stream whole. */
async function readStream(context: WindowsContext, stream: CompoundStream): Promise<Uint8Array> {
  const reader = new ExtentReader(context.source, stream.extents(), context.signal);
  return (await reader.read(0, reader.size)).slice();
}

/** Every block must begin inside the stream of blocks. */
function checkBlocks(
  { source }: WindowsContext,
  records: LabChartDocument["records"],
  extents: Extent[],
): void {
  const last = extents.at(-1);
  const size = last ? last.start + last.length : 0;
  records.forEach(({ tracks }, record) => {
    for (const { channel, blocks } of tracks) {
      const wrong = blocks.find(({ offset }) => !(offset >= 0 && offset + 16 <= size));
      if (!wrong) continue;
      throw new FuseError("Truncated", "samples lie past the end of the stream of blocks", {
        source: source.name,
        field: `record ${record + 1}, channel ${channel + 1}`,
        found: wrong.offset,
        expected: `at most ${size - 16}`,
      });
    }
  });
}

async function describe(context: WindowsContext, compound: Compound): Promise<Attributes> {
  const header: Attributes = {
    container: "compound file",
    version: compound.version,
    cluster_bytes: compound.clusterBytes,
  };
  const version = compound.streams.find((stream) => stream.path === "Version");
  if (!version || version.size < 28 || version.size > 4096) return header;
  try {
    const serial = new SerialReader(await readStream(context, version), {});
    // LabChart puts a head before the text.
    if (serial.peek() !== TEXT_TAG) serial.skip(16);
    header.program = serial.text();
  } catch (error) {
    // What wrote the document is good to know and nothing more.
    if (isFuseError(error, "Aborted", "Network")) throw error;
  }
  return header;
}

function leftOut(compound: Compound): LabChartDocument["leftOut"] {
  const known = new Set(["map", "blocks_0", "version"]);
  const rest = compound.streams.filter(({ path, size }) =>
    size > 0 && !known.has(path.toLowerCase())
  );
  if (rest.length === 0) return [];
  const tops = [...new Set(rest.map(({ path }) => path.split("/")[0]))];
  return [{
    what: `streams of ${tops.join(", ")} (${rest.length})`,
    why: "settings, views, data pads and video links, not part of the recording",
  }];
}
