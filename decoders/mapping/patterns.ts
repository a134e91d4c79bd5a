/** Paths of arrays in descriptors: `{name}` stands for a segment, `*` for any part of one. */
import type { Variable } from "./variables.ts";

/** An array that a pattern fits, and what its `{names}` stand for there. */
export interface Match {
  variable: Variable;
  captures: Map<string, string>;
}

/** The arrays a pattern fits, in the order of the container. A path that is there as it stands comes first. */
export function matchesOf(pattern: string, variables: readonly Variable[]): Match[] {
  const plain = variables.find((v) => v.path === pattern);
  if (plain) return [{ variable: plain, captures: new Map() }];
  const names: string[] = [];
  const source = pattern.replace(
    /\{([^{}/]+)\}|\*|[.*+?^${}()|[\]\\]/g,
    (token, name: string | undefined) => {
      if (token === "*") return "[^/]*";
      if (name === undefined) return `\\${token}`;
      const known = names.indexOf(name);
      if (known >= 0) return `\\${known + 1}`;
      names.push(name);
      return "([^/]+)";
    },
  );
  const expression = new RegExp(`^${source}$`);
  return variables.flatMap((variable) => {
    const match = expression.exec(variable.path);
    if (!match) return [];
    return [{ variable, captures: new Map(names.map((name, i) => [name, match[i + 1]])) }];
  });
}

/** True when two matches agree in all names they share. */
export function agree(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  for (const [name, value] of a) if (b.has(name) && b.get(name) !== value) return false;
  return true;
}

/** A text with `{names}` replaced by what they stand for. */
export function filled(text: string, captures: ReadonlyMap<string, string>): string {
  return text.replace(/\{([^{}/]+)\}/g, (whole, name: string) => captures.get(name) ?? whole);
}
