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

/** URL of a file by its path relative to another file's folder; the query (a signature) is dropped. */
export function resolveSibling(url: string, relativePath: string): string {
  const base = new URL(url);
  base.search = "";
  base.hash = "";
  const encoded = relativePath.split(/[\\/]/).map(encodeURIComponent).join("/");
  return new URL(encoded, base).href;
}

/** Joins a key's folder and a relative path, resolving "." and ".."; undefined when it leaves the root. */
export function joinKey(key: string, relativePath: string): string | undefined {
  const parts = key.split("/").slice(0, -1);
  for (const part of relativePath.split(/[\\/]/)) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join("/");
}
