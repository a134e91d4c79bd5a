/** What two stores are compared by. */
import { createHash } from "node:crypto";

/** Names and hashes of all files below a folder; the date of the conversion does not count. */
export async function storeDigest(
  folder: string,
  below = "",
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const entry of Deno.readDir(`${folder}/${below}`)) {
    const path = below ? `${below}/${entry.name}` : entry.name;
    if (entry.isDirectory) (await storeDigest(folder, path)).forEach((v, k) => found.set(k, v));
    else {
      let bytes = await Deno.readFile(`${folder}/${path}`);
      if (path === "zarr.json") {
        const text = new TextDecoder().decode(bytes).replace(/"conversion_date": "[^"]*"/, "");
        bytes = new TextEncoder().encode(text);
      }
      found.set(path, createHash("sha256").update(bytes).digest("hex"));
    }
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}
