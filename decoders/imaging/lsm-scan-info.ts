/**
 * LSM scan information: settings of the recording, its tracks, lasers, detectors and markers, as nested
 * blocks of numbered entries.
 *
 * Source: Carl Zeiss, "LSM 5/7 image file format description", section ScanInformation.
 */
import { FuseError } from "../../src/errors.ts";
import type { Attributes, Json } from "../../src/model/dataset.ts";
import { text8 } from "./lsm-info.ts";
import { SCAN_ENTRIES, SCAN_ITEMS, SCAN_LISTS, SCAN_RECORDING } from "./lsm-scan-names.ts";
import type { HeaderWindow } from "./tiff-window.ts";

const END = 0xffffffff;
/** Types of an entry's value; a block has type 0. */
const TEXT = 2, LONG = 4, REAL = 5;
const MOST_ENTRIES = 1 << 17;
const MOST_TEXT = 1 << 16;
const DEEPEST = 32;

type Block = { [key: string]: Json };

/**
 * Reads scan information at `start`.
 * @throws FuseError `Corrupt` or `Truncated` when the blocks do not end.
 */
export async function readScanInformation(
  window: HeaderWindow,
  start: number,
): Promise<Attributes> {
  const recording: Block = {};
  const open: { block?: Block; list?: Json[] }[] = [];
  let at = start;
  for (let n = 0; n < MOST_ENTRIES; n++) {
    const head = await window.view(at, 12, "ScanInformation");
    const entry = head.getUint32(0, true), type = head.getUint32(4, true);
    const size = head.getUint32(8, true);
    if (n === 0 && entry !== SCAN_RECORDING) throw broken(window, at, entry);
    const value = at + 12;
    at = value + size;
    if (entry === END) {
      open.pop();
      if (open.length === 0) return recording;
      continue;
    }
    const top = open[open.length - 1];
    if (type === 0) {
      if (open.length >= DEEPEST) throw broken(window, value - 12, entry);
      open.push(n === 0 ? { block: recording } : child(top, entry));
    } else if (top?.block) {
      const name = SCAN_ENTRIES.get(entry) ?? `Entry0x${entry.toString(16).padStart(8, "0")}`;
      const json = await readValue(window, value, type, size);
      if (json !== undefined) define(top.block, name, json);
    }
  }
  throw new FuseError("Limit", "scan information does not end", {
    source: window.source.name,
    format: "lsm",
    field: "ScanInformation",
    offset: start,
  });
}

function child(
  top: { block?: Block; list?: Json[] } | undefined,
  entry: number,
): { block?: Block; list?: Json[] } {
  const name = SCAN_LISTS[entry];
  if (name !== undefined) {
    const list: Json[] = [];
    if (top?.block) define(top.block, name, list);
    return { list };
  }
  const block: Block = {};
  if (SCAN_ITEMS.has(entry) && top?.list) top.list.push(block);
  else if (top?.block) define(top.block, `Block0x${entry.toString(16).padStart(8, "0")}`, block);
  return { block };
}

function define(block: Block, name: string, value: Json): void {
  Object.defineProperty(block, name, { value, enumerable: true, configurable: true });
}

async function readValue(
  window: HeaderWindow,
  at: number,
  type: number,
  size: number,
): Promise<Json | undefined> {
  if (type === TEXT) {
    return text8(await window.read(at, Math.min(size, MOST_TEXT), "ScanInformation"));
  }
  if (type === LONG && size >= 4) {
    return (await window.view(at, 4, "ScanInformation")).getInt32(0, true);
  }
  if (type === REAL && size >= 8) {
    const value = (await window.view(at, 8, "ScanInformation")).getFloat64(0, true);
    return Number.isFinite(value) ? value : String(value);
  }
  return undefined;
}

function broken(window: HeaderWindow, offset: number, entry: number): FuseError {
  return new FuseError("Corrupt", "scan information is not made of known blocks", {
    source: window.source.name,
    format: "lsm",
    field: "ScanInformation",
    offset,
    found: `entry 0x${entry.toString(16)}`,
    expected: "a recording and the blocks in it",
  });
}
