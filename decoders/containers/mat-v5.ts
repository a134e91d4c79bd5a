/**
 * MAT-files of level 5 (MATLAB 5 to 7): a header of 128 bytes, then data elements, one a variable,
 * each as it is or as a zlib stream (MathWorks "MAT-File Format", chapter 1).
 */
import { FuseError } from "../../src/errors.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { viewOf } from "../../src/source/source.ts";
import { FileCursor, InflateCursor } from "./mat-bytes.ts";
import { MatContext, MI, readPayload, readTag, type Tag } from "./mat-elements.ts";
import { fieldOf, type MatNode, type MatVariables, type PackedElement } from "./mat-model.ts";
import { resolveObjects } from "./mat-objects.ts";
import { ElementParser, NAME_BYTES } from "./mat-parser.ts";
import { plainText } from "./mat-text.ts";

const HEADER_BYTES = 128;
/** What is inflated of an element behind the values that are read when needed. */
const VERIFY_BYTES = 8 << 20;

/** The byte order and version a header states; null when it is none. */
export function levelFive(head: Uint8Array): { littleEndian: boolean; version: number } | null {
  if (head.length < HEADER_BYTES) return null;
  const mark = String.fromCharCode(head[126], head[127]);
  if (mark !== "IM" && mark !== "MI") return null;
  const littleEndian = mark === "IM";
  return { littleEndian, version: viewOf(head).getUint16(124, littleEndian) };
}

/** The text at the head of a file. */
export function headerText(head: Uint8Array): string {
  return plainText(head.subarray(0, 116)).trimEnd();
}

/**
 * Reads the variables of a level-5 file. Of large arrays only the place is taken down.
 * @throws FuseError `Corrupt`, `Truncated` or `Limit`.
 */
export async function readLevelFive(
  source: ByteSource,
  signal?: AbortSignal,
): Promise<MatVariables> {
  const cursor = new FileCursor(source, 0, signal);
  const head = (await cursor.read(HEADER_BYTES)).slice();
  const level = levelFive(head);
  if (!level) {
    throw new FuseError("Corrupt", "no mark of the byte order", {
      source: source.name,
      format: "mat",
      offset: 126,
      expected: "IM or MI",
    });
  }
  const context = new MatContext(source, level.littleEndian, signal);
  const subsystem = subsystemOffset(head, level.littleEndian);
  let objects: { start: number; tag: Tag } | undefined;
  const found: MatVariables = {
    version: "5",
    header: headerText(head),
    variables: [],
    warnings: [],
  };
  const size = source.size ?? Infinity;
  while (cursor.position + 8 <= size) {
    const start = cursor.position;
    const tag = await readTag(cursor, context);
    if (tag.type === 0 && tag.bytes === 0) {
      found.warnings.push(`zeros from byte ${start} on where a variable was expected: not read`);
      break;
    }
    if (tag.small || (tag.type !== MI.matrix && tag.type !== MI.compressed)) {
      throw context.corrupt("not a variable", start, `element of type ${tag.type}`);
    }
    const end = start + 8 + tag.bytes;
    if (end > size) {
      throw new FuseError("Truncated", "the file ends inside a variable", {
        source: source.name,
        format: "mat",
        offset: start,
        found: `${size - start - 8} bytes`,
        expected: tag.bytes,
      });
    }
    // Data of the objects' own system lie in a variable without a name.
    if (start === subsystem) objects = { start, tag };
    else {
      const node = tag.type === MI.compressed
        ? await packedVariable(context, { offset: start + 8, length: tag.bytes })
        : await plainVariable(cursor, context, start);
      if (node.name !== "" || node.kind === "opaque") found.variables.push(node);
    }
    await cursor.skip(end - cursor.position);
  }
  const cells = () => objectCells(context, objects!.start, objects!.tag);
  const { littleEndian } = level;
  found.variables = await resolveObjects(
    found.variables,
    found.warnings,
    source,
    littleEndian,
    () => objects ? cells() : Promise.resolve(undefined),
    signal,
  );
  return found;
}

/**
 * Cells with the properties of all objects: the variable without a name holds bytes, which are a MAT-file of
 * their own with a header of 8 bytes; its struct has a field for each system of objects.
 */
async function objectCells(
  context: MatContext,
  start: number,
  { type, bytes }: Tag,
): Promise<MatNode[] | undefined> {
  const packed = type === MI.compressed;
  const element = packed ? { offset: start + 8, length: bytes } : undefined;
  const cursor = element
    ? new InflateCursor(context.source, element, context.signal)
    : new FileCursor(context.source, start, context.signal);
  try {
    await readTag(cursor, context);
    // Flags, sizes and the empty name, then the bytes.
    for (const types of [[MI.uint32], [MI.int32], [MI.int8]]) {
      await readPayload(cursor, context, NAME_BYTES, ...types);
    }
    await readTag(cursor, context);
    const head = (await cursor.read(8)).slice();
    const mark = String.fromCharCode(head[2], head[3]);
    if (mark !== (context.littleEndian ? "IM" : "MI")) {
      throw context.corrupt("the objects' part is no MAT-file", cursor.position - 8);
    }
    const node = await new ElementParser(cursor, context, element).matrix(0, true);
    const system = fieldOf(node, "MCOS");
    const cells = system?.kind === "opaque" ? system.reference : undefined;
    return cells?.kind === "cell" ? cells.items : undefined;
  } finally {
    if (cursor instanceof InflateCursor) await cursor.close();
  }
}

function subsystemOffset(head: Uint8Array, littleEndian: boolean): number | undefined {
  const at = Number(viewOf(head).getBigUint64(116, littleEndian));
  return at >= HEADER_BYTES && Number.isSafeInteger(at) ? at : undefined;
}

async function plainVariable(
  cursor: FileCursor,
  context: MatContext,
  start: number,
): Promise<MatNode> {
  await cursor.skip(start - cursor.position);
  return await new ElementParser(cursor, context, undefined).matrix(0, true);
}

async function packedVariable(context: MatContext, element: PackedElement): Promise<MatNode> {
  const cursor = new InflateCursor(context.source, element, context.signal);
  try {
    const parser = new ElementParser(cursor, context, element);
    const node = await parser.matrix(0, true);
    const promised = parser.end;
    if (await cursor.drain(VERIFY_BYTES) && cursor.position > promised + 7) {
      throw context.corrupt(
        "the zlib data of a variable are damaged",
        element.offset,
        `${cursor.position} bytes in them`,
        promised,
      );
    }
    return node;
  } finally {
    await cursor.close();
  }
}
