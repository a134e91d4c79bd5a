/** References as one JSON document (kerchunk, version 1), written as it is made. */
import type { ByteOutput } from "../ordered/output.ts";
import { cellOf } from "../../plan/plan.ts";
import { base64Text } from "./inline.ts";
import { chunksOf, jsonText, type References } from "./reference.ts";

/** Characters gathered before they are written. */
const TEXT_CHARACTERS = 1 << 16;

/** What was written. */
export interface ReferenceCounts {
  /** Ranges of files. */
  ranges: number;
  /** Chunks that are kept inside. */
  inside: number;
}

/**
 * Writes the document; holds no more of it than a piece. The output is neither finished nor aborted.
 */
export async function writeReferenceJson(
  { metadata, documents, arrays }: References,
  output: Pick<ByteOutput, "write">,
  signal?: AbortSignal,
): Promise<ReferenceCounts> {
  const counts: ReferenceCounts = { ranges: 0, inside: 0 };
  const encoder = new TextEncoder();
  const urls = new Map<string, string>();
  let text = '{"version":1,"refs":{';
  let separator = "";
  const put = async (more: string): Promise<void> => {
    text += separator + more;
    separator = ",\n";
    if (text.length < TEXT_CHARACTERS) return;
    await output.write(encoder.encode(text));
    text = "";
  };
  // Documents are text inside the document: every reader takes that, not every one takes objects.
  for (const [key, value] of metadata) {
    await put(`${JSON.stringify(key)}:${JSON.stringify(jsonText(value))}`);
  }
  for (const [key, document] of documents) {
    await put(`${JSON.stringify(key)}:"${base64Text(encoder.encode(document))}"`);
  }
  // Without this, nobody could list what is below a group: zarr-python asks fsspec in a way it does not know.
  const consolidated = { zarr_consolidated_format: 1, metadata: Object.fromEntries(metadata) };
  await put(`".zmetadata":${JSON.stringify(jsonText(consolidated))}`);
  for (const array of arrays) {
    const { path, grid } = array;
    const start = JSON.stringify(path ? `${path}/` : "").slice(0, -1);
    for await (const batch of chunksOf(array, signal)) {
      for (const { index, reference } of batch) {
        const key = `${start}${grid.length ? cellOf(grid, index).join(".") : "0"}"`;
        if ("bytes" in reference) {
          counts.inside++;
          await put(`${key}:"${base64Text(reference.bytes)}"`);
          continue;
        }
        counts.ranges++;
        let url = urls.get(reference.url);
        if (url === undefined) {
          urls.set(reference.url, url = JSON.stringify(reference.url));
        }
        const entry = `${key}:[${url},${reference.offset},${reference.length}]`;
        // Not awaited one by one: there may be millions.
        if (text.length + entry.length < TEXT_CHARACTERS) text += separator + entry;
        else await put(entry);
        separator = ",\n";
      }
    }
  }
  await output.write(encoder.encode(`${text}}}\n`));
  return counts;
}
