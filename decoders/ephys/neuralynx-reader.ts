/** Reads a Neuralynx session: the file that was opened, and the others of its folder. */
import { isFuseError } from "../../src/errors.ts";
import { type Attributes, type Dataset, emptyDataset } from "../../src/model/dataset.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";
import type { OpenOptions, Reader } from "../format.ts";
import {
  extensionOf,
  field,
  HEADER_BYTES,
  type NeuralynxFile,
  readHeader,
  SESSION_EXTENSIONS,
} from "./neuralynx-header.ts";
import { scanSignal, type SignalScan } from "./neuralynx-scan.ts";
import { addSignals } from "./neuralynx-signals.ts";
import { stampOffset, tableOf } from "./neuralynx-tables.ts";
import { addTable, openPasses, type Passes, uniqueName } from "./record-tables.ts";

/** Most files of a folder that are opened together. */
const MOST_FILES = 4096;
/** Microseconds of a day. */
const DAY = 86_400e6;

/** Reader of Neuralynx files. */
export const reader: Reader = { open };

async function open(source: ByteSource, options: OpenOptions): Promise<Dataset> {
  const { signal } = options;
  const dataset = emptyDataset("neuralynx", [source]);
  const passes: Passes = new Map();
  const main = await readHeader(source, 0, signal);
  const files = [main, ...await otherFiles(main, dataset, options)];
  for (const file of files) warnOfRest(file, dataset.warnings);

  const zero = await firstStamp(files, signal);
  const signals = files.filter((f) => f.kind === "signal" && f.records > 0);
  const bytes = signals.reduce((n, f) => n + f.records * f.recordBytes, 0);
  const scans: SignalScan[] = [];
  for (const file of signals) {
    await tolerated(dataset, file, async () => {
      scans.push(await scanSignal(file, zero, bytes, dataset.warnings, signal));
    });
  }
  await addSignals(dataset, passes, scans, zero, signal);
  const names = new Set<string>();
  for (const file of files) {
    if (!file.records) {
      dataset.leftOut.push({ what: file.source.name, why: "it holds no records" });
    } else if (file.kind !== "signal") {
      const plain = { spikes: `spikes_${file.entity}`, events: "events", positions: "positions" };
      await tolerated(dataset, file, async () => {
        const table = tableOf(file, uniqueName(plain[file.kind as "spikes"], names), zero);
        await addTable(dataset, passes, table, signal);
      });
    }
  }
  describe(dataset, files, zero);
  dataset.openStream = openPasses("neuralynx", passes);
  return dataset;
}

/** Does `step` with a file of the session; what is wrong with any but the opened file leaves only it out. */
async function tolerated(
  dataset: Dataset,
  file: NeuralynxFile,
  step: () => Promise<void>,
): Promise<void> {
  try {
    await step();
  } catch (error) {
    if (file.index === 0 || !isFuseError(error, "Corrupt", "Truncated", "Limit")) throw error;
    dataset.warnings.push(error.message);
    dataset.leftOut.push({ what: file.source.name, why: error.statement });
  }
}

/** Microseconds of the earliest first record. */
async function firstStamp(files: NeuralynxFile[], signal?: AbortSignal): Promise<number> {
  let zero = Infinity;
  for (const file of files) {
    if (!file.records) continue;
    const at = HEADER_BYTES + stampOffset(file);
    const bytes = await file.source.read(at, 8, { purpose: "header", signal });
    zero = Math.min(zero, Number(viewOf(bytes).getBigUint64(0, true)));
  }
  return Number.isFinite(zero) ? zero : 0;
}

/** The other files of the session: those beside `main` that do not name another session. */
async function otherFiles(
  main: NeuralynxFile,
  dataset: Dataset,
  { alone, signal }: OpenOptions,
): Promise<NeuralynxFile[]> {
  const { source } = main;
  const listed = alone ? null : await source.siblingNames();
  const beside = (listed ?? []).filter((name) =>
    name !== source.name && SESSION_EXTENSIONS.includes(extensionOf(name))
  ).sort(byNumber);
  const names = beside.slice(0, MOST_FILES);
  if (beside.length > names.length) {
    dataset.warnings.push(
      `the folder holds ${beside.length + 1} files: the first ${MOST_FILES} are looked at`,
    );
  }
  const session = field(main, "SessionUUID");
  const files: NeuralynxFile[] = [];
  for (const name of names) {
    let other: ByteSource | null = null;
    try {
      other = await source.sibling(name);
      if (!other) continue;
      const file = await readHeader(other, dataset.sources.length, signal);
      const theirs = field(file, "SessionUUID");
      if (session && theirs && theirs !== session || apart(main, file)) {
        await other.close();
        continue;
      }
      dataset.sources.push(other);
      files.push(file);
    } catch (error) {
      await other?.close();
      if (isFuseError(error, "Aborted")) throw error;
      dataset.warnings.push(`${name}: left out of the session: ${(error as Error).message}`);
    }
  }
  return files;
}

/** Without session ids: files that were created more than a minute apart are of different recordings. */
function apart(a: NeuralynxFile, b: NeuralynxFile): boolean {
  if (field(a, "SessionUUID") && field(b, "SessionUUID")) return false;
  if (!a.created || !b.created) return false;
  return Math.abs(Date.parse(`${a.created}Z`) - Date.parse(`${b.created}Z`)) > 60_000;
}

/** CSC2 before CSC10. */
function byNumber(a: string, b: string): number {
  const pad = (s: string) => s.replace(/\d+/g, (n) => n.padStart(8, "0"));
  return pad(a) < pad(b) ? -1 : 1;
}

function warnOfRest(file: NeuralynxFile, warnings: string[]): void {
  const rest = (file.source.size! - HEADER_BYTES) % file.recordBytes;
  if (rest) {
    warnings.push(`${file.source.name}: the file ends inside a record (${rest} bytes of it)`);
  }
}

function describe(dataset: Dataset, files: NeuralynxFile[], zero: number): void {
  const [main] = files;
  const created = main.created ? Date.parse(`${main.created}Z`) * 1000 : NaN;
  // Pegasus counts microseconds since 1970 in local time, Cheetah since the system's start.
  const dated = Math.abs(zero - created) < DAY;
  const start = dated ? new Date(Math.floor(zero / 1000)).toISOString().slice(0, 19) : main.created;
  if (start) {
    const fraction = dated ? `.${String(zero % 1e6).padStart(6, "0")}` : "";
    dataset.metadata.startTime = start + fraction;
  }
  dataset.metadata.modality = "electrophysiology";
  const header: Attributes = {};
  for (const file of files) header[file.source.name] = file.lines;
  header.clock = { zero_timestamp_us: zero };
  dataset.metadata.header = header;
}
