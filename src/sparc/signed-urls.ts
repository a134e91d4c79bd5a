/** Signed URLs of published files: an hour of access to buckets that are not open to everyone. */
import { FuseError } from "../errors.ts";
import type { UrlRenewal } from "../source/source.ts";
import { DiscoverClient, type DiscoverOptions } from "./discover.ts";

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
