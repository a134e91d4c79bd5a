/** Names and addresses: parts of URLs, and what of them may be shown. */

/** Query parameters that carry credentials or signatures. */
const SECRET =
  /^(x-amz-.*|x-goog-.*|signature|sig|se|sp|sv|token|access_token|api_?key|key-pair-id|policy|awsaccesskeyid|expires|password)$/i;

/** A URL without user name, password and signature: fit for messages and provenance. */
export function publicUrl(url: string): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    return url;
  }
  parsed.username = "";
  parsed.password = "";
  for (const name of [...parsed.searchParams.keys()]) {
    if (SECRET.test(name)) parsed.searchParams.delete(name);
  }
  parsed.hash = "";
  return parsed.href;
}

/** Last segment of a path or key, percent-decoded where it can be. */
export function baseName(path: string): string {
  const segment = path.replace(/\/+$/, "").split("/").pop() ?? "";
  try {
    return decodeURIComponent(segment) || "unnamed";
  } catch {
    return segment || "unnamed";
  }
}

/**
 * A path relative to a file's folder with "." and ".." resolved and "/" between its parts; undefined
 * when it leaves the folder, is absolute, or names no file. Every source's `sibling` goes through here:
 * such paths are read from files, and nothing a file says may lead out of its folder.
 */
export function siblingPath(relativePath: string): string | undefined {
  if (/^([a-z]:)?[\\/]/i.test(relativePath) || relativePath.includes("\0")) {
    return undefined;
  }
  const parts: string[] = [];
  for (const part of relativePath.split(/[\\/]/)) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.length ? parts.join("/") : undefined;
}

/**
 * URL of a file by its path relative to another file's folder; the query (a signature) is dropped.
 * Undefined where {@link siblingPath} is.
 */
export function resolveSibling(url: string, relativePath: string): string | undefined {
  const path = siblingPath(relativePath);
  if (path === undefined) return undefined;
  const base = new URL(url);
  base.search = "";
  base.hash = "";
  return new URL(path.split("/").map(encodeURIComponent).join("/"), base).href;
}

/** Joins a key's folder and a relative path; undefined where {@link siblingPath} is. */
export function joinKey(key: string, relativePath: string): string | undefined {
  const path = siblingPath(relativePath);
  return path === undefined ? undefined : key.slice(0, key.lastIndexOf("/") + 1) + path;
}
