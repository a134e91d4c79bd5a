/** The objects below an S3 prefix as the files of a folder. */
import { FORMATS } from "../../decoders/registry.ts";
import { isFuseError } from "../errors.ts";
import type { JobInput } from "../job.ts";
import { openSource, type SourceOptions } from "../source/open.ts";
import { listObjects, s3Uri } from "../source/s3.ts";

/** Bucket and key of an input that may be a folder; null for anything but `s3://`, and for versions. */
function placeOf(input: string): { bucket: string; key: string } | null {
  const match = /^s3:\/\/([^/?#]+)(?:\/(.*))?$/i.exec(input);
  if (!match || /\?versionId=|\.(?:zip|npz|ozx)!\//i.test(input)) return null;
  return { bucket: match[1], key: match[2] ?? "" };
}

/** True where only a listing tells whether the name is that of an object or of a folder. */
function mayBeFolder(key: string): boolean {
  const name = key.toLowerCase();
  return !FORMATS.some((f) =>
    [...f.extensions, ...f.memberExtensions ?? []].some((e) => name.endsWith(e))
  );
}

/**
 * The files below `input`; null when it is no prefix, or one under which nothing lies, so that it is taken
 * for an object.
 * @param isOurs says of a name (a folder's or a file's) that it is passed over
 * @param leaveOut address below which nothing is taken
 * @throws FuseError `Network` when a name that can only be a folder cannot be listed
 */
export async function prefixFiles(
  input: string,
  options: SourceOptions,
  isOurs: (name: string) => boolean,
  leaveOut: string | undefined,
): Promise<JobInput[] | null> {
  const place = placeOf(input);
  if (!place) return null;
  const { bucket, key } = place;
  const certain = key === "" || key.endsWith("/");
  if (!certain && !mayBeFolder(key)) return null;
  const prefix = certain ? key : `${key}/`;
  const s3 = options.s3 ?? {};
  const files: JobInput[] = [];
  try {
    for await (const object of listObjects({ bucket, prefix, s3, signal: options.signal })) {
      const path = object.key.slice(prefix.length);
      const uri = s3Uri({ bucket, key: object.key });
      if (path === "" || path.endsWith("/") || path.split("/").some(isOurs)) continue;
      if (leaveOut !== undefined && uri.startsWith(leaveOut)) continue;
      const { size, tag } = object;
      files.push({
        path,
        uri,
        size,
        open: () => openSource({ kind: "s3", bucket, key: object.key, s3, size, tag }, options),
      });
    }
  } catch (error) {
    // Who may read an object may not be allowed to list its bucket.
    if (!certain && isFuseError(error, "Network")) return null;
    throw error;
  }
  return files.length || certain ? files : null;
}
