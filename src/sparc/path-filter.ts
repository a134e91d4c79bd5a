/** Which files of a tree are meant: exact paths, folders and globs. */
import { FuseError } from "../errors.ts";

/** One pattern a user wrote, ready to match. */
export interface PathPattern {
  /** As written. */
  text: string;
  /** True when `path` (with "/" and no leading slash) is meant. */
  matches(path: string): boolean;
}

/**
 * A pattern from its text. Without `*`, `?`, `[` or `{` it means that file, or everything in that
 * folder; with them it is a glob: `*` and `?` stay within a segment, `**` crosses them, `[a-c]`,
 * `[!a-c]` and `{x,y}` as in a shell. A glob without a slash matches file names at any depth, and a
 * glob that matches a folder means everything in it. A name that holds such characters also matches
 * itself.
 * @throws FuseError `Usage` for a glob that makes no sense ("[z-a]").
 */
export function pathPattern(text: string): PathPattern {
  const clean = text.replaceAll("\\", "/").replace(/^(?:\.?\/)+/, "").replace(/\/+$/, "");
  if (!/[*?[{]/.test(clean)) {
    const folder = clean === "" || clean === "." ? "" : `${clean}/`;
    return { text, matches: (path) => path === clean || path.startsWith(folder) };
  }
  const body = globSource(clean);
  const anywhere = clean.includes("/") ? "" : "(?:.*/)?";
  let expression: RegExp;
  try {
    expression = new RegExp(`^${anywhere}${body}(?:/.*)?$`, "su");
  } catch (cause) {
    throw new FuseError("Usage", "not a pattern of file names", { found: text, cause });
  }
  return { text, matches: (path) => path === clean || expression.test(path) };
}

/** Regular expression source of a glob. */
function globSource(glob: string): string {
  let out = "";
  let depth = 0;
  for (let i = 0; i < glob.length; i++) {
    const c = glob[i];
    if (c === "*") {
      if (glob[i + 1] !== "*") {
        out += "[^/]*";
      } else if (glob[i + 2] === "/" && (i === 0 || glob[i - 1] === "/")) {
        // "**/" also stands for no folder at all.
        out += "(?:.*/)?";
        i += 2;
      } else {
        out += ".*";
        i++;
      }
    } else if (c === "?") {
      out += "[^/]";
    } else if (c === "[") {
      const end = glob.indexOf("]", i + 2);
      if (end < 0) {
        out += "\\[";
        continue;
      }
      const set = glob.slice(i + 1, end).replace(/[\\[\]^]/g, "\\$&");
      out += set.startsWith("!") ? `[^/${set.slice(1)}]` : `[${set}]`;
      i = end;
    } else if (c === "{" && glob.indexOf("}", i) > 0) {
      out += "(?:";
      depth++;
    } else if (c === "}" && depth > 0) {
      out += ")";
      depth--;
    } else if (c === "," && depth > 0) {
      out += "|";
    } else {
      out += /[$()+./^|{}\]\\]/.test(c) ? `\\${c}` : c;
    }
  }
  return out;
}
