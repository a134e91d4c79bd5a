/** Opens a TDT block by any of its files, or `.sev` files that have no block. */
import { DEFAULT_LIMITS, FuseError, toFuseError } from "../../src/errors.ts";
import { type Dataset, emptyDataset } from "../../src/model/dataset.ts";
import { sizeOf } from "../../src/model/dtype.ts";
import type { ByteSource } from "../../src/source/source.ts";
import type { OpenOptions, Reader } from "../format.ts";
import { addEvents } from "./tdt-events.ts";
import { readIndex, type StreamStore, type TdtIndex } from "./tdt-index.ts";
import { findIndex, isIndexHead, parseSevName, withExtension } from "./tdt-set.ts";
import { readSev, SEV_HEADER_BYTES, type SevFile } from "./tdt-sev.ts";
import { addChains, addSevStream, sourceIndex } from "./tdt-signals.ts";

const FORMAT = "tdt";
/** Bytes of a notes file that are read. */
const MOST_NOTES = 1 << 20;

/** The reader of the format "tdt". */
export const reader: Reader = {
  async open(source, options) {
    try {
      const isSev = /\.sev$/i.test(source.name);
      const index = /\.tsq$/i.test(source.name) ? source : await findIndex(source);
      if (index && !(isSev && options.alone)) return await openBlock(source, index, options);
      if (isSev) return await openSevs(source, options);
      // An index under another name.
      if (isIndexHead(await source.readUpTo(0, 80, { purpose: "header" }))) {
        return await openBlock(source, source, options);
      }
      throw new FuseError("Truncated", "the block's index (.tsq) is not there", {
        source: source.name,
        remedy: "Put the files of the block into one folder",
      });
    } catch (error) {
      throw toFuseError(error, "Corrupt", { source: source.name, format: FORMAT });
    }
  },
};

async function openBlock(
  source: ByteSource,
  index: ByteSource,
  options: OpenOptions,
): Promise<Dataset> {
  const { signal, limits = DEFAULT_LIMITS } = options;
  const head = await index.readUpTo(0, 80, { signal, purpose: "header" });
  if (!isIndexHead(head)) {
    throw new FuseError("Corrupt", "this is no index of a TDT block", {
      source: index.name,
      offset: 44,
      expected: "the mark of the block's start, type 0x8801",
    });
  }
  const found = await readIndex(index, limits, signal);
  const dataset = emptyDataset(FORMAT, [source]);
  dataset.warnings.push(...found.warnings);
  const names = options.alone ? [] : await index.siblingNames();
  const data = options.alone ? null : await withExtension(index, ".tev", names);
  for (const store of found.streams.filter((s) => !s.ownFile)) {
    if (data) addChains(dataset, store, () => data);
    else {
      dataset.leftOut.push({
        what: `the stream "${store.name}"`,
        why: "the block's .tev file is not there",
      });
    }
  }
  const sevs = await sevsOf(index, found, names, options);
  for (const store of found.streams.filter((s) => s.ownFile)) addOwnFiles(dataset, store, sevs);
  addUnlisted(dataset, found, sevs);
  if (found.events.length) {
    sourceIndex(dataset, index);
    if (data && found.events.some((e) => e.kind === "snippet")) sourceIndex(dataset, data);
    addEvents(dataset, found, index, data);
  }
  if (found.unknown) {
    dataset.leftOut.push({
      what: `${found.unknown} records of the index`,
      why: "nothing is known of their kind",
    });
  }
  const rest = (index.size ?? 0) % 40;
  if (rest) {
    dataset.leftOut.push({ what: `the last ${rest} bytes of ${index.name}`, why: "a cut record" });
  }
  const notes = await notesOf(index, names, signal);
  const startTime = isoTime(found.start);
  dataset.metadata = {
    modality: "electrophysiology",
    ...(startTime === undefined ? {} : { startTime }),
    ...(notes ? { notes } : {}),
    header: {
      block: index.name.replace(/\.tsq$/i, ""),
      start_time_unix: found.start,
      ...(found.stop === undefined ? {} : {
        stop_time: isoTime(found.stop) ?? null,
        duration_seconds: found.stop - found.start,
      }),
    },
  };
  return dataset;
}

/** The `.sev` files of a block, by listing its folder or, where that cannot be done, by their usual names. */
async function sevsOf(
  index: ByteSource,
  found: TdtIndex,
  names: string[] | null,
  options: OpenOptions,
): Promise<SevFile[]> {
  const prefix = index.name.replace(/\.tsq$/i, "");
  const wanted = names
    ? names.filter((name) => parseSevName(name)?.prefix.toLowerCase() === prefix.toLowerCase())
    : found.streams.filter((s) => s.ownFile).flatMap((s) =>
      [...s.chains.keys()].flatMap((n) =>
        ["ch", "Ch"].map((c) => `${prefix}_${s.name}_${c}${n}.sev`)
      )
    );
  return await openAll(index, wanted, options);
}

async function openAll(
  beside: ByteSource,
  names: string[],
  { signal, limits = DEFAULT_LIMITS }: OpenOptions,
): Promise<SevFile[]> {
  if (names.length > limits.items) {
    throw new FuseError("Limit", "more .sev files than allowed", {
      found: names.length,
      expected: `at most ${limits.items}`,
    });
  }
  const files: SevFile[] = [];
  for (const name of names) {
    const source = name === beside.name ? beside : await beside.sibling(name);
    if (source) files.push(await readSev(source, signal));
  }
  return files;
}

/** A stream of the index whose samples are in `.sev` files. */
function addOwnFiles(dataset: Dataset, store: StreamStore, sevs: SevFile[]): void {
  const files = sevs.filter((f) => f.name.store === store.name);
  const chains = [...store.chains.values()].filter((c) => c.count > 0);
  const lost = chains.filter((c) => !files.some((f) => f.name.channel === c.channel));
  if (lost.length) {
    dataset.leftOut.push({
      what: lost.length === chains.length
        ? `the stream "${store.name}"`
        : `channels ${lost.map((c) => c.channel).join(", ")} of "${store.name}"`,
      why: "their .sev files are not there",
    });
    for (const { channel } of lost) store.chains.delete(channel);
  }
  if (lost.length === chains.length) return;
  const width = sizeOf(store.type);
  for (const file of files.filter((f) => f.assumed)) {
    file.type = store.type;
    file.rate = store.rate;
    file.count = Math.floor(((file.source.size ?? 0) - SEV_HEADER_BYTES) / width);
  }
  const fits = [...store.chains.values()].filter((c) => c.count > 0).every((chain) => {
    const own = files.filter((f) => f.name.channel === chain.channel);
    const size = own[0].source.size ?? 0;
    return own.length === 1 && own[0].type === store.type &&
      chain.offsets.every((at, k) =>
        at >= SEV_HEADER_BYTES && at + chain.lengths[k] * width <= size
      );
  });
  if (fits) {
    const fileOf = (channel: number) => files.find((f) => f.name.channel === channel)!;
    const longer = [...store.chains.values()].some((c) => fileOf(c.channel).count > c.count);
    if (longer) {
      dataset.leftOut.push({
        what: `the last samples of the .sev files of "${store.name}"`,
        why: "the index has no records of them",
      });
    }
    return addChains(dataset, store, (channel) => fileOf(channel).source);
  }
  const isCut = files.some((f) => f.name.hour > 0);
  if (!isCut) {
    dataset.warnings.push(
      `the .sev files of "${store.name}" are not as the index says: they are taken whole`,
    );
  }
  const first = [...store.chains.values()].find((c) => c.count > 0)!;
  addSevs(dataset, files, first.segments[0].startSeconds);
}

/** `.sev` files beside a block whose store its index does not have. */
function addUnlisted(dataset: Dataset, { streams }: TdtIndex, sevs: SevFile[]): void {
  const isListed = (name: string) => streams.some((s) => s.ownFile && s.name === name);
  const stores = new Set(sevs.map((f) => f.name.store).filter((name) => !isListed(name)));
  for (const store of stores) {
    dataset.warnings.push(
      `the index has no records of the .sev files of "${store}": they are taken to begin with the block`,
    );
    addSevs(dataset, sevs.filter((f) => f.name.store === store));
  }
}

function addSevs(dataset: Dataset, files: SevFile[], startSeconds = 0): void {
  const [first] = files;
  const other = files.find((f) => f.type !== first.type || f.rate !== first.rate);
  if (other) {
    throw new FuseError("Corrupt", "channels of a stream differ in type or rate", {
      source: other.source.name,
      found: `${other.type} at ${other.rate} Hz`,
      expected: `${first.type} at ${first.rate} Hz as in ${first.source.name}`,
    });
  }
  if (files.some((f) => f.assumed)) {
    dataset.warnings.push(
      `the headers of the .sev files of "${first.name.store}" are empty: ${first.type} samples at ` +
        `${first.rate} Hz are assumed`,
    );
  }
  addSevStream(dataset, files, startSeconds);
}

/** `.sev` files without a block: all of the same prefix. */
async function openSevs(source: ByteSource, options: OpenOptions): Promise<Dataset> {
  const dataset = emptyDataset(FORMAT, [source]);
  const own = parseSevName(source.name);
  const listed = options.alone || !own ? [] : await source.siblingNames() ?? [];
  const others = listed.filter((name) => {
    const other = parseSevName(name);
    return name !== source.name && other !== null && other.prefix === own?.prefix;
  });
  const files = await openAll(source, [source.name, ...others], options);
  for (const store of new Set(files.map((f) => f.name.store))) {
    addSevs(dataset, files.filter((f) => f.name.store === store));
  }
  dataset.metadata = { modality: "electrophysiology" };
  return dataset;
}

/** The user's notes, without the line of the file's version. */
async function notesOf(
  index: ByteSource,
  names: string[] | null,
  signal?: AbortSignal,
): Promise<string> {
  const file = await withExtension(index, ".tnt", names);
  if (!file) return "";
  const bytes = await file.readUpTo(0, MOST_NOTES, { signal, purpose: "header" });
  await file.close();
  const text = new TextDecoder("windows-1252").decode(bytes).replaceAll("\0", "");
  return text.replace(/^\s*NOTEFILE_VERSION\[[^\]]*\]\s*/, "").trim();
}

/** ISO 8601 in UTC, to the microsecond. */
function isoTime(unixSeconds: number): string | undefined {
  const micro = Math.round(unixSeconds * 1e6);
  const date = new Date(Math.floor(micro / 1000));
  if (Number.isNaN(date.getTime())) return undefined;
  const rest = String(micro - Math.floor(micro / 1000) * 1000).padStart(3, "0");
  return date.toISOString().replace("Z", `${rest}Z`);
}
