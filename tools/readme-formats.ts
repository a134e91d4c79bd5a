/**
 * Writes the tables of formats: what is read into README.md, what it was checked against and how fast it
 * is into docs/formats.md. From the registry and the figures bench/families.ts kept.
 *
 *   deno run -A tools/readme-formats.ts            rewrite them
 *   deno run -A tools/readme-formats.ts --check    fail when one is out of date
 */
import { type FamilyFigures, readFigures } from "../bench/family-figures.ts";
import { FORMATS } from "../decoders/registry.ts";

const END = "<!-- formats:end -->";

/** A file that holds a table between its marks. */
interface TablePlace {
  file: string;
  table: () => string;
}

/** Files with a table of formats. */
export const PLACES: TablePlace[] = [
  { file: "README.md", table: formatTable },
  { file: "docs/formats.md", table: checkedTable },
];

/** Formats that bench/families/make.py writes under another name, or several times. */
const FAMILIES: Record<string, string[]> = {
  edf: ["edf", "bdf"],
  flat: ["flat_dat"],
  hdf5: ["hdf5", "hdf5_gzip"],
  mat: ["mat5", "mat7"],
};

const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");

function markdown(header: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.map((c) => cell(c) || "-").join(" | ")} |`;
  return [line(header), `|${"---|".repeat(header.length)}`, ...rows.map(line)].join("\n");
}

/** What is read, a row a format. */
function formatTable(): string {
  return markdown(
    ["format", "files", "what is read", "what is not"],
    FORMATS.map((f) => [
      f.name,
      f.extensions.map((e) => `\`${e}\``).join(" "),
      f.reads,
      f.missing,
    ]),
  );
}

/** What each format was checked against, and its speed and memory where they are measured. */
function checkedTable(): string {
  const figures = readFigures();
  return markdown(
    ["format", "documents, and readers it was checked against", "speed", "against", "memory"],
    FORMATS.map((f) => {
      const own = (FAMILIES[f.id] ?? [f.id]).flatMap((family) =>
        figures.filter((g) => g.family === family)
      );
      const each = (show: (g: FamilyFigures) => string) => own.map(show).join("; ");
      return [
        f.name,
        f.references.join("; "),
        each((g) => `${g.megabytesPerSecond} MB/s${own.length > 1 ? ` (${g.family})` : ""}`),
        each((g) => g.peer ? `${g.timesPeer}x ${g.peer}` : "no such reader"),
        each((g) => `${g.largePeakMebibytes} MiB`),
      ];
    }),
  );
}

/** A text with the table between its marks made anew. @throws Error when there is no place for it. */
export function withTable(text: string, { file, table }: TablePlace): string {
  const begin = /<!-- formats:begin[^>]*-->\n/.exec(text);
  const end = text.indexOf(END);
  if (!begin || end < 0) throw new Error(`${file} has no place for the format table`);
  return `${text.slice(0, begin.index + begin[0].length)}${table()}\n${text.slice(end)}`;
}

if (import.meta.main) {
  for (const place of PLACES) {
    const url = new URL(`../${place.file}`, import.meta.url);
    const text = await Deno.readTextFile(url);
    const next = withTable(text, place);
    if (next === text) continue;
    if (Deno.args.includes("--check")) {
      console.error(`${place.file}: the format table is out of date: run tools/readme-formats.ts`);
      Deno.exitCode = 1;
    } else await Deno.writeTextFile(url, next);
  }
}
