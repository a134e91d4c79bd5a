/** How published files are named in S3: Pennsieve cleans names into keys. */

/** Longest key segment publishing makes. */
const SEGMENT_CHARACTERS = 128;

/**
 * The S3 key segment Pennsieve publishes a file or folder name under: characters other than Unicode
 * letters, digits and `()*_-'.!` become `_`, and 128 characters are kept. "20 1021.acq" lies under
 * "20_1021.acq". (Rule: cleanS3Key of Pennsieve's publishing code; renamed packages do not follow it.)
 */
export function cleanKeySegment(name: string): string {
  if (name === ".") return "%2E";
  if (name === "..") return "%2E%2E";
  return [...name.replace(/[^\p{L}\p{N}()*_\-'.!]/gu, "_")].slice(0, SEGMENT_CHARACTERS).join("");
}

/** The key of a relative path of names; "." and ".." keep their meaning. */
export function cleanKeyPath(path: string): string {
  return path.split(/[\\/]/)
    .map((part) => part === ".." || part === "." ? part : cleanKeySegment(part))
    .join("/");
}
