/** Attributes of objects, in their header or in a heap of their own (IV.A.2.m, v). */
import { type FuseError, isFuseError } from "../../../src/errors.ts";
import type { Json } from "../../../src/model/dataset.ts";
import { readTree2 } from "./btree2.ts";
import type { Cursor } from "./cursor.ts";
import { type Dataspace, elementCount, readDataspace } from "./dataspace.ts";
import { type Datatype, readDatatype } from "./datatype.ts";
import { FractalHeap } from "./fractal-heap.ts";
import { MESSAGE, type Message, type ObjectHeader, openMessage, SHARED } from "./object-header.ts";
import { isReference } from "./references.ts";
import type { SharedMessages } from "./shared.ts";
import { pooled } from "./storage.ts";
import { decodeText, decodeValues, type Value, type ValueContext, type Values } from "./values.ts";

/** One attribute. */
export interface Attribute {
  name: string;
  type: Datatype;
  /** "null" for an attribute without a value. */
  kind: Dataspace["kind"];
  shape: number[];
  /** Elements in C order. */
  values: Values;
}

/** What reading attributes needs. */
export interface AttributeContext extends ValueContext {
  shared: SharedMessages;
}

/** Told of an attribute that is well-formed but not read. */
export type UnreadAttribute = (error: FuseError) => void;

/**
 * All attributes of an object, by name, in the order of the file.
 * @param unread told of those that are not read; without it they are errors
 */
export async function readAttributes(
  context: AttributeContext,
  header: ObjectHeader,
  unread?: UnreadAttribute,
): Promise<Map<string, Attribute>> {
  const { storage, shared } = context;
  const messages: Message[] = [];
  for (const message of header.messages) {
    if (message.type === MESSAGE.attribute) messages.push(await shared.resolve(message));
    else if (message.type === MESSAGE.attributeInfo) {
      messages.push(...await denseAttributes(context, openMessage(storage, message, "attributes")));
    }
  }
  const all = new Map<string, Attribute>();
  for (const message of messages) {
    try {
      const attribute = await readAttribute(context, openMessage(storage, message, "attribute"));
      all.set(attribute.name, attribute);
    } catch (error) {
      if (!unread || !isFuseError(error, "Unsupported", "Limit")) throw error;
      unread(error);
    }
  }
  return all;
}

async function denseAttributes(
  { storage, shared }: AttributeContext,
  cursor: Cursor,
): Promise<Message[]> {
  cursor.version(0);
  const flags = cursor.u8();
  if (flags & 1) cursor.skip(2);
  const heapAddress = cursor.address();
  const names = cursor.address();
  if (heapAddress === undefined || names === undefined) return [];
  const heap = await FractalHeap.open(storage, heapAddress);
  const records: { id: Cursor; flags: number; order: number }[] = [];
  await readTree2(storage, names, storage.limits.items, (record) => {
    const id = record.part(heap.idBytes, "heap id");
    records.push({ id, flags: record.u8(), order: record.u32() });
  });
  records.sort((a, b) => a.order - b.order);
  const type = MESSAGE.attribute;
  return await pooled(records, async (record) => {
    if (record.flags & SHARED) return await shared.fromTable(type, record.id);
    const { bytes, address } = await heap.get(record.id);
    return { type, flags: 0, bytes, address };
  });
}

/** Reads an attribute message. */
async function readAttribute(context: AttributeContext, cursor: Cursor): Promise<Attribute> {
  const version = cursor.version(1, 2, 3);
  const flags = cursor.u8();
  const nameBytes = cursor.u16(), typeBytes = cursor.u16(), spaceBytes = cursor.u16();
  if (version === 3) cursor.skip(1); // character set
  const padded = (n: number) => (version === 1 ? Math.ceil(n / 8) * 8 : n);
  const name = decodeText(zeroEnded(cursor.take(padded(nameBytes))));
  const typeCursor = cursor.part(padded(typeBytes), `type of attribute ${name}`);
  const spaceCursor = cursor.part(padded(spaceBytes), `extent of attribute ${name}`);
  const { shared, storage } = context;
  const sharedFlags = version === 1 ? 0 : flags;
  const type = readDatatype(
    await shared.part(typeCursor, MESSAGE.datatype, (sharedFlags & 1) !== 0),
  );
  const space = readDataspace(
    await shared.part(spaceCursor, MESSAGE.dataspace, (sharedFlags & 2) !== 0),
  );
  const count = elementCount(space);
  const bytes = count * type.size;
  if (bytes > cursor.left) {
    throw cursor.corrupt(
      `attribute ${name} is cut short`,
      `${cursor.left} bytes`,
      `${bytes} bytes`,
    );
  }
  const address = cursor.offset - storage.base;
  const values = await decodeValues(context, type, cursor.take(bytes), count, address);
  return { name, type, kind: space.kind, shape: space.shape, values };
}

function zeroEnded(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

/**
 * An attribute as JSON: a scalar or a single text bare, everything else as (nested) lists. Integers beyond
 * 2^53 become texts of their digits, complex numbers `[re, im]`, bytes lists of numbers, references paths.
 */
export async function attributeJson(
  attribute: Attribute,
  pathOf: (address: number) => Promise<string | undefined>,
): Promise<Json> {
  const { kind, shape, values } = attribute;
  if (kind === "null") return null;
  const flat: Json[] = [];
  for (const value of values) flat.push(await valueJson(value, pathOf));
  if (kind === "scalar") return flat[0];
  return nest(flat, shape);
}

function nest(flat: Json[], shape: number[]): Json {
  if (shape.length <= 1) return flat;
  const step = shape.slice(1).reduce((a, b) => a * b, 1);
  return Array.from(
    { length: shape[0] },
    (_, i) => nest(flat.slice(i * step, (i + 1) * step), shape.slice(1)),
  );
}

/** One value as JSON. */
export async function valueJson(
  value: Value,
  pathOf: (address: number) => Promise<string | undefined>,
): Promise<Json> {
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  if (typeof value !== "object") return value;
  if (value instanceof Uint8Array) return [...value];
  if (Array.isArray(value)) {
    const out: Json[] = [];
    for (const item of value) out.push(await valueJson(item, pathOf));
    return out;
  }
  if (isReference(value)) {
    const path = value.address === undefined ? "" : await pathOf(value.address) ?? "unknown object";
    return (value.file ? `${value.file}:` : "") + path +
      (value.attribute === undefined ? "" : `@${value.attribute}`) + (value.selection ?? "");
  }
  const members = Object.entries(value) as [string, Value][];
  if (members.length === 2 && members[0][0] === "re" && members[1][0] === "im") {
    return [members[0][1] as number, members[1][1] as number];
  }
  const out: [string, Json][] = [];
  for (const [name, member] of members) out.push([name, await valueJson(member, pathOf)]);
  return Object.fromEntries(out);
}
