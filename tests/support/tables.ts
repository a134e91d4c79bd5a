/** Writes small tables and reads them back through the csv reader. */
import assert from "node:assert/strict";
import { csv } from "../../decoders/tables/csv.ts";
import type { Dataset, StreamBlock } from "../../src/model/dataset.ts";
import type { Layout } from "../../src/model/layout.ts";
import { MemorySource } from "../../src/source/memory.ts";
import type { ByteSource } from "../../src/source/source.ts";

/** `count` lines, one after the other. */
export function lines(count: number, line: (i: number) => string, end = "\n"): string {
  return Array.from({ length: count }, (_, i) => line(i) + end).join("");
}

/** A smooth curve as people print it. */
export function wave(i: number): string {
  return Math.sin(i / 10).toFixed(6);
}

/** UTF-16 bytes of a text, with or without its mark. */
export function utf16(text: string, { big = false, mark = true } = {}): Uint8Array {
  const all = (mark ? "\ufeff" : "") + text;
  const out = new Uint8Array(all.length * 2);
  const view = new DataView(out.buffer);
  for (let i = 0; i < all.length; i++) view.setUint16(2 * i, all.charCodeAt(i), !big);
  return out;
}

/** Latin-1 bytes of a text. */
export function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

/** A dataset with everything its streams yield. */
export interface Opened {
  dataset: Dataset;
  /** Blocks by stream id and field. */
  fields: Map<string, StreamBlock[]>;
}

/** Opens a table and runs all its streams. */
export async function openTable(
  content: string | Uint8Array | ByteSource,
  name = "table.csv",
): Promise<Opened> {
  const source = typeof content === "string"
    ? new MemorySource(name, new TextEncoder().encode(content))
    : content instanceof Uint8Array
    ? new MemorySource(name, content)
    : content;
  const dataset = await (await csv.load()).open(source, {});
  const fields = new Map<string, StreamBlock[]>();
  for (const id of streamIds(dataset)) {
    for await (const block of dataset.openStream!(id, {})) {
      const key = `${id}:${block.field}`;
      fields.set(key, [...(fields.get(key) ?? []), block]);
    }
  }
  return { dataset, fields };
}

function streamIds(dataset: Dataset): Set<string> {
  const layouts: (Layout | undefined)[] = [
    ...dataset.recordings.flatMap((r) => [...r.parts.map((p) => p.layout), r.time as Layout]),
    ...dataset.arrays.map((a) => a.layout),
    ...dataset.events.flatMap((e) => e.columns.map((c) => c.layout)),
  ];
  return new Set(layouts.flatMap((l) => l?.kind === "stream" ? [l.stream] : []));
}

function blocksOf({ fields }: Opened, layout: Layout | undefined): StreamBlock[] {
  assert(layout?.kind === "stream");
  return fields.get(`${layout.stream}:${layout.field}`) ?? [];
}

/** Values of one channel. */
export function channel(opened: Opened, index: number, recording = 0): number[] {
  const [part] = opened.dataset.recordings[recording].parts;
  return blocksOf(opened, part.layout).flatMap((
    { values, count },
  ) => [...values.slice(index * count, (index + 1) * count) as Float64Array]);
}

/** The explicit times of a recording. */
export function times(opened: Opened, recording = 0): number[] {
  const { time } = opened.dataset.recordings[recording];
  return blocksOf(opened, time as Layout).flatMap((b) => [...b.values as Float64Array]);
}

/** Values of an array by its path. */
export function array(opened: Opened, path: string): (number | string)[] {
  const found = opened.dataset.arrays.find((a) => a.path === path);
  assert(found, `no array ${path} among ${opened.dataset.arrays.map((a) => a.path)}`);
  return blocksOf(opened, found.layout).flatMap((b) => [...b.values as string[]]);
}

/** Columns of an event table by its name. */
export function events(opened: Opened, name: string): Record<string, (number | string)[]> {
  const found = opened.dataset.events.find((e) => e.name === name);
  assert(found, `no events ${name} among ${opened.dataset.events.map((e) => e.name)}`);
  return Object.fromEntries(
    found.columns.map((c) => [
      c.name,
      blocksOf(opened, c.layout).flatMap((b) => [...b.values as string[]]),
    ]),
  );
}
