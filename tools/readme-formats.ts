/**
 * Writes the format table of README.md from the registry.
 *
 *   deno run -A tools/readme-formats.ts            rewrite it
 *   deno run -A tools/readme-formats.ts --check    fail when it is out of date
 */
import { FORMATS } from "../decoders/registry.ts";

const README = new URL("../README.md", import.meta.url);
const BEGIN = /<!-- formats:begin[^>]*-->\n/;
const END = "<!-- formats:end -->";

/** The table, a row a format. */
export function formatTable(): string {
  const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");
  const rows = FORMATS.map((f) =>
    `| ${f.name} | ${f.extensions.map((e) => `\`${e}\``).join(" ")} | ${cell(f.reads)} | ${
      cell(f.missing) || "-"
    } |`
  );
  return ["| format | files | what is read | what is not |", "|---|---|---|---|", ...rows].join(
    "\n",
  );
}

/** The README with its table made anew. */
export function withTable(text: string): string {
  const begin = BEGIN.exec(text);
  const end = text.indexOf(END);
  if (!begin || end < 0) throw new Error("README.md has no place for the format table");
  return `${text.slice(0, begin.index + begin[0].length)}${formatTable()}\n${text.slice(end)}`;
}

if (import.meta.main) {
  const text = await Deno.readTextFile(README);
  const next = withTable(text);
  if (Deno.args.includes("--check")) {
    if (next !== text) {
      console.error("README.md: the format table is out of date: run tools/readme-formats.ts");
      Deno.exit(1);
    }
  } else await Deno.writeTextFile(README, next);
}
