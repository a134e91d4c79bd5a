/** Globs over paths with forward slashes: `*`, `**`, `?`, `{a,b}`. */

/** A predicate that is true where any pattern matches; undefined without patterns. */
export function globMatcher(
  patterns: string[] | undefined,
): ((path: string) => boolean) | undefined {
  if (!patterns?.length) return undefined;
  const expressions = patterns.map(toExpression);
  return (path) => expressions.some((e) => e.test(path));
}

/** A pattern without a slash matches the file name alone, like in `.gitignore`. */
function toExpression(pattern: string): RegExp {
  const body = pattern.replace(/^\.?\/+/, "").replace(
    /[.+^$()|[\]\\]|\*\*\/?|\*|\?|\{[^{}]*\}/g,
    (token) => {
      if (token.startsWith("**")) return token.endsWith("/") ? "(?:.*/)?" : ".*";
      if (token === "*") return "[^/]*";
      if (token === "?") return "[^/]";
      if (token.startsWith("{")) {
        return `(?:${
          token.slice(1, -1).split(",").map((t) => t.replace(/[.+^$()|[\]\\]/g, "\\$&")).join("|")
        })`;
      }
      return `\\${token}`;
    },
  );
  const anchored = pattern.includes("/") ? `^${body}(?:/.*)?$` : `(?:^|/)${body}(?:/.*)?$`;
  return new RegExp(anchored, "i");
}
