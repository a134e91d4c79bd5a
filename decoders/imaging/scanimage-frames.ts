/**
 * What ScanImage writes for every frame in the page's ImageDescription (frame number, time stamps,
 * triggers), gathered into columns of a table: one row for each page, in the file's order.
 */
import type { Attributes, NamedArray } from "../../src/model/dataset.ts";
import { NumberList } from "./tiff-file.ts";
import { decodeText, type Ifd, readBytes } from "./tiff-ifd.ts";
import { Tag } from "./tiff-tags.ts";
import { parseAssignments, parseMatlab } from "./matlab-text.ts";

/** Bytes of a description read at first: the settings of old versions follow the frame's own lines. */
const HEAD_BYTES = 2048;
const MOST_BYTES = 1 << 20;
const MOST_COLUMNS = 64;
/** Lines that hold settings of the recording, not of the frame. */
const SETTING = /^(?:state|SI\d?|scanimage)\./;
/** Fields that hold the time of the frame's start in seconds, new name first. */
const TIME_FIELDS = ["frameTimestamps_sec", "Frame Timestamp(s)"];
const NUMBER_FIELDS = ["frameNumberAcquisition", "frameNumbers", "Frame Number"];

interface Column {
  numbers: NumberList;
  /** Values that are no single numbers, by page. */
  texts: Map<number, string>;
}

/** Columns under construction; pages are added in the order of the chain. */
export class FrameTable {
  readonly #columns = new Map<string, Column>();
  #pages = 0;

  /** Pages seen. */
  get pages(): number {
    return this.#pages;
  }

  /** Reads the frame's own lines of a page. */
  async add(ifd: Ifd): Promise<void> {
    const entry = ifd.entries.get(Tag.ImageDescription);
    if (entry?.type === 2 && entry.count <= MOST_BYTES) {
      const head = Math.min(entry.count, HEAD_BYTES);
      let text = decodeText(await readBytes(ifd.file, { ...entry, count: head }, HEAD_BYTES));
      if (head < entry.count) {
        if (/(?:^|[\r\n])(?:scanimage|SI|state)\./.test(text)) {
          text = text.slice(0, text.search(/(?:^|[\r\n])(?:scanimage|SI|state)\./));
        } else text = decodeText(await readBytes(ifd.file, entry, MOST_BYTES));
      }
      this.#parse(text);
    }
    this.#pages++;
  }

  #parse(text: string): void {
    for (const [key, value] of parseAssignments(text)) {
      if (SETTING.test(key)) continue;
      let column = this.#columns.get(key);
      if (!column) {
        if (this.#columns.size >= MOST_COLUMNS) continue;
        this.#columns.set(key, column = { numbers: new NumberList(), texts: new Map() });
      }
      while (column.numbers.length < this.#pages) column.numbers.push(NaN);
      const parsed = parseMatlab(value);
      if (typeof parsed === "number") column.numbers.push(parsed);
      else {
        column.numbers.push(NaN);
        if (!/^(?:\[\s*\]|\{\s*\}|'')?$/.test(value)) column.texts.set(this.#pages, value);
      }
    }
  }

  /** Seconds from the start of the recording to the start of each page's frame, NaN where unknown. */
  times(): Float64Array | undefined {
    return this.#numbers(TIME_FIELDS);
  }

  /** Number of the first page's frame in the recording, from 1. */
  firstFrame(): number | undefined {
    const first = this.#numbers(NUMBER_FIELDS)?.[0];
    return first !== undefined && first >= 1 ? first : undefined;
  }

  #numbers(names: string[]): Float64Array | undefined {
    for (const name of names) {
      const column = this.#columns.get(name);
      if (!column) continue;
      const values = this.#values(column);
      if (values.some((v) => !Number.isNaN(v))) return values;
    }
    return undefined;
  }

  #values(column: Column): Float64Array {
    return Float64Array.from(
      { length: this.#pages },
      (_, i) => i < column.numbers.length ? column.numbers.at(i) : NaN,
    );
  }

  /** Values that are the same text on every page, as the epoch of the recording is. */
  constants(): Attributes {
    const out: [string, string][] = [];
    for (const [name, { texts }] of this.#columns) {
      const [value] = texts.values();
      const everywhere = texts.size > 0 && texts.size === this.#pages;
      if (everywhere && [...texts.values()].every((v) => v === value)) out.push([name, value]);
    }
    return Object.fromEntries(out.map(([name, value]) => [name, parseMatlab(value)]));
  }

  /** The columns as arrays below `path`; texts that never change and fields without values are not among them. */
  arrays(path: string): NamedArray[] {
    const constants = this.constants();
    const arrays: NamedArray[] = [];
    const taken = new Set<string>();
    for (const [name, column] of this.#columns) {
      if (Object.hasOwn(constants, name)) continue;
      const key = name.replaceAll(/\W+/g, "_").replaceAll(/^_+|_+$/g, "") || "field";
      if (taken.has(key)) continue;
      const numbers = this.#values(column);
      const known = numbers.some((v) => !Number.isNaN(v));
      if (!known && column.texts.size === 0) continue;
      taken.add(key);
      const base = { path: `${path}/${key}`, dims: ["page"], shape: [this.#pages] };
      const attributes = { name };
      const units = /_sec$|\(s\)$/.test(name) ? "s" : undefined;
      if (column.texts.size > 0) {
        const values = Array.from(
          numbers,
          (v, i) => column.texts.get(i) ?? (Number.isNaN(v) ? "" : String(v)),
        );
        arrays.push({ ...base, dtype: "string", layout: { kind: "values", values }, attributes });
        continue;
      }
      const whole = numbers.every((v) => Number.isInteger(v) && Math.abs(v) < 2 ** 31);
      const values = whole && !units ? Int32Array.from(numbers) : numbers;
      arrays.push({
        ...base,
        dtype: whole && !units ? "int32" : "float64",
        layout: { kind: "values", values },
        ...(units ? { units } : {}),
        attributes,
      });
    }
    return arrays;
  }
}
