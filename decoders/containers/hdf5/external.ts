/** The external data files message: raw data kept in files of their own (IV.A.2.h). */
import type { Cursor } from "./cursor.ts";
import type { Storage } from "./storage.ts";
import { LocalHeap } from "./symbol-table.ts";

/** Reads the list of files with their parts; an unlimited part has length Infinity. */
export async function readExternalFiles(
  storage: Storage,
  cursor: Cursor,
): Promise<{ file: string; offset: number; length: number }[]> {
  cursor.version(1);
  cursor.skip(3);
  cursor.skip(2); // allocated slots
  const used = cursor.u16();
  const heap = await LocalHeap.open(storage, cursor.someAddress("file names"));
  return Array.from({ length: used }, () => {
    const file = heap.text(cursor.length());
    const offset = cursor.length();
    const length = cursor.length();
    if (file === undefined || !Number.isSafeInteger(offset)) {
      throw cursor.corrupt("an impossible part of another file");
    }
    return { file, offset, length };
  });
}
