/** Signed URLs of published files: an hour of access to buckets that are not open to everyone. */
import { FuseError, isFuseError } from "../errors.ts";
import { openSpec, type SourceOptions } from "../source/open.ts";
import type { ByteSource, UrlRenewal } from "../source/source.ts";
import { joinKey } from "../source/urls.ts";
import { DiscoverClient, type DiscoverOptions } from "./discover.ts";
import { cleanKeyPath } from "./keys.ts";

/**
 * Asks for a fresh signed URL of one published file.
 * @throws FuseError `Network` when the service has no such file or refuses.
 */
export async function freshUrl(
  renewal: UrlRenewal,
  options: DiscoverOptions = {},
): Promise<string> {
  const { discoverUrl, datasetId, version, keyPath } = renewal;
  const client = new DiscoverClient({ ...options, baseUrl: discoverUrl });
  const files = await client.signedUrls(datasetId, version, [keyPath]);
  const file = files.find((f) => f.keyPath === keyPath) ?? (files.length === 1 ? files[0] : null);
  if (!file) {
    throw new FuseError("Network", "the service gives no address for the file", {
      source: keyPath,
      found: `${files.length} files`,
    });
  }
  return file.url;
}

/** Opens a file of the same set by its path relative to a signed file; null when there is none. */
export async function openSignedSibling(
  renewal: UrlRenewal,
  relativePath: string,
  options: SourceOptions = {},
): Promise<ByteSource | null> {
  const name = relativePath.split(/[\\/]/).pop();
  const { signal, retry, fetch } = options;
  for (const path of new Set([relativePath, cleanKeyPath(relativePath)])) {
    const keyPath = joinKey(renewal.keyPath, path);
    if (keyPath === undefined) return null;
    const other = { ...renewal, keyPath };
    try {
      const url = await freshUrl(other, { signal, retry, fetch });
      return await openSpec({ kind: "http", url, name, renewal: other }, options);
    } catch (error) {
      if (!isFuseError(error, "Usage", "Network")) throw error;
    }
  }
  return null;
}
