/** Opens a TDT block by any of its files, or `.sev` files that have no block. */
import { DEFAULT_LIMITS, FuseError } from "../../src/errors.ts";
import { type Dataset, emptyDataset } from "../../src/model/dataset.ts";
import { sizeOf } from "../../src/model/dtype.ts";
import type { ByteSource } from "../../src/source/source.ts";
import type { OpenOptions, Reader } from "../format.ts";
import { addEvents } from "./tdt-events.ts";
import { readIndex, type StreamStore, type TdtIndex } from "./tdt-index.ts";
import { findIndex, isIndexHead, parseSevName, withExtension } from "./tdt-set.ts";
import { readSev, SEV_HEADER_BYTES, type SevFile } from "./tdt-sev.ts";
import { parseNotes, parseSevLog, type SevLog, type TdtNotes } from "./tdt-notes.ts";
import { addChains, addSevStream, clipChains, sourceIndex } from "./tdt-signals.ts";

const FORMAT = "tdt";
/** Bytes of a notes file that are read. */
const MOST_NOTES = 1 << 20;

/** The reader of the format "tdt". */
export const reader: Reader = {
  async open(source, options) {
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
    if (data) addStored(dataset, store, data, found.stop === undefined);
    else {
      dataset.leftOut.push({
        what: `the stream "${store.name}"`,
        why: "the block's .tev file is not there",
      });
    }
  }
  const sevs = await sevsOf(index, found, names, options);
  const logs = await logsOf(index, names, sevs, signal);
  for (const store of found.streams.filter((s) => s.ownFile)) {
    addOwnFiles(dataset, store, sevs, logs);
  }
  addUnlisted(dataset, found, sevs, logs);
  if (found.events.length) {
    sourceIndex(dataset, index);
    if (data && found.events.some((e) => e.kind === "snippet")) sourceIndex(dataset, data);
    addEvents(dataset, found, index, data);
  }
  for (const [name, format] of found.unread) {
    dataset.leftOut.push({
      what: `the store "${name}"`,
      why: `samples of type ${format} are not read`,
    });
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
  const written = await synapseNotes(index, names, signal);
  if (written?.notes.length) dataset.events.push(notesTable(written));
  const notes = [
    await notesOf(index, names, signal),
    ...written?.notes.map((n) => n.text) ?? [],
  ].filter((text) => text !== "").join("\n");
  const startTime = isoTime(found.start);
  dataset.metadata = {
    modality: "electrophysiology",
    ...(startTime === undefined ? {} : { startTime }),
    ...(notes ? { notes } : {}),
    ...(written?.fields.User ? { experimenter: written.fields.User } : {}),
    header: {
      block: index.name.replace(/\.tsq$/i, ""),
      start_time_unix: found.start,
      ...(found.stop === undefined ? {} : {
        stop_time: isoTime(found.stop) ?? null,
        duration_seconds: found.stop - found.start,
      }),
      ...(written && Object.keys(written.fields).length ? { notes_file: written.fields } : {}),
    },
  };
  return dataset;
}

/** A stream in the `.tev`; `broken`: the recorder did not stop in order, and may have written less. */
function addStored(dataset: Dataset, store: StreamStore, data: ByteSource, broken: boolean): void {
  const lost = broken ? clipChains(store, data.size ?? Infinity) : 0;
  if (lost) {
    dataset.leftOut.push({
      what: `the last ${lost} samples of "${store.name}", of all channels together`,
      why: `${data.name} ends before them`,
    });
  }
  if ([...store.chains.values()].some((c) => c.count > 0)) addChains(dataset, store, () => data);
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
    ? names.filter((name) =>
      parseSevName(name, prefix)?.prefix.toLowerCase() === prefix.toLowerCase()
    )
    : found.streams.filter((s) => s.ownFile).flatMap((s) =>
      [...s.chains.keys()].flatMap((n) =>
        ["ch", "Ch"].map((c) => `${prefix}_${s.name}_${c}${n}.sev`)
      )
    );
  return await openAll(index, wanted, options, prefix);
}

async function openAll(
  beside: ByteSource,
  names: string[],
  { signal, limits = DEFAULT_LIMITS }: OpenOptions,
  block?: string,
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
    if (source) files.push(await readSev(source, signal, block));
  }
  return files;
}

/** A stream of the index whose samples are in `.sev` files. */
function addOwnFiles(
  dataset: Dataset,
  store: StreamStore,
  sevs: SevFile[],
  logs: Logs,
): void {
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
  addSevs(dataset, files, logs, first.segments[0].startSeconds);
}

/** `.sev` files beside a block whose store its index does not have. */
function addUnlisted(
  dataset: Dataset,
  { streams }: TdtIndex,
  sevs: SevFile[],
  logs: Logs,
): void {
  const isListed = (name: string) => streams.some((s) => s.ownFile && s.name === name);
  const stores = new Set(sevs.map((f) => f.name.store).filter((name) => !isListed(name)));
  for (const store of stores) {
    dataset.warnings.push(
      `the index has no records of the .sev files of "${store}": they are taken to begin with the block`,
    );
    addSevs(dataset, sevs.filter((f) => f.name.store === store), logs);
  }
}

function addSevs(dataset: Dataset, files: SevFile[], logs: Logs, startSeconds = 0): void {
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
  const log = logs.get(first.name.store);
  if (log && (log.gaps.length || log.first > 1) && files.some((f) => f.name.hour > 0)) {
    dataset.warnings.push(
      `the log of "${first.name.store}" tells of lost samples: in recordings cut into hours their place is unknown`,
    );
    return addSevStream(dataset, files, startSeconds);
  }
  if (log?.gaps.length) {
    const lost = log.gaps.map(([last, next]) => next - last - 1).reduce((a, b) => a + b, 0);
    dataset.warnings.push(
      `"${first.name.store}": the recorder lost ${lost} samples, as its log says`,
    );
  }
  addSevStream(dataset, files, startSeconds, log);
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
  const logs = await logsOf(source, listed, files, options.signal);
  for (const store of new Set(files.map((f) => f.name.store))) {
    addSevs(dataset, files.filter((f) => f.name.store === store), logs);
  }
  dataset.metadata = { modality: "electrophysiology" };
  return dataset;
}

/** Logs of stores, by their names. */
type Logs = ReadonlyMap<string, SevLog>;

/** What recorders wrote down of lost samples: a file for each store, whose name begins with the store's. */
async function logsOf(
  beside: ByteSource,
  names: string[] | null,
  files: SevFile[],
  signal?: AbortSignal,
): Promise<Logs> {
  const logs = new Map<string, SevLog>();
  const stores = new Set(files.map((f) => f.name.store));
  for (const name of names ?? []) {
    const store = [...stores].find((s) => name.startsWith(s));
    if (store === undefined || !/_log\.txt$/i.test(name) || /-[1-9]\d*h/i.test(name)) continue;
    const log = parseSevLog(await textBeside(beside, name, signal));
    if (log) logs.set(store, log);
  }
  return logs;
}

/** Synapse's notes beside the block. */
async function synapseNotes(
  index: ByteSource,
  names: string[] | null,
  signal?: AbortSignal,
): Promise<TdtNotes | undefined> {
  const name = names?.find((n) => n.toLowerCase() === "notes.txt");
  return name === undefined ? undefined : parseNotes(await textBeside(index, name, signal));
}

function notesTable({ notes }: TdtNotes): Dataset["events"][number] {
  const times = Float64Array.from(notes, (n) => n.seconds);
  return {
    name: "Notes",
    count: notes.length,
    columns: [
      {
        name: "time",
        dtype: "float64",
        units: "s",
        innerShape: [],
        layout: { kind: "values", values: times },
        attributes: { long_name: "by the computer's clock, in whole seconds" },
      },
      {
        name: "label",
        dtype: "string",
        innerShape: [],
        layout: { kind: "values", values: notes.map((n) => n.text) },
      },
    ],
  };
}

async function textBeside(
  beside: ByteSource,
  name: string,
  signal?: AbortSignal,
): Promise<string> {
  const file = await beside.sibling(name);
  if (!file) return "";
  const bytes = await file.readUpTo(0, MOST_NOTES, { signal, purpose: "header" });
  await file.close();
  return new TextDecoder("windows-1252").decode(bytes).replaceAll("\0", "");
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
