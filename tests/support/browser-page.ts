/**
 * What a web page would do: a file the user chose becomes a store in memory. Bundled and run without
 * Deno by `browser_bundle_test.ts`.
 */
import { convertFile } from "../../src/convert.ts";
import { MemoryTarget } from "../../src/sinks/targets/memory.ts";
import { BlobSource } from "../../src/source/blob.ts";

/** Converts `file`; gives the status, the error if any, and the sizes of the objects by key. */
export async function convertOnPage(
  file: Blob,
  name: string,
): Promise<{ status: string; error: string | null; objects: Record<string, number> }> {
  const target = new MemoryTarget();
  const report = await convertFile(
    new BlobSource(file, name),
    () => Promise.resolve({ target, output: "memory" }),
  );
  const objects = Object.fromEntries([...target.objects].map(([k, v]) => [k, v.length]));
  return { status: report.status, error: report.error?.message ?? null, objects };
}
