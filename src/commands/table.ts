/** Plain text tables and human-readable numbers. */
import { printable } from "../errors.ts";

/** Columns aligned by spaces, a header and a rule above the rows. */
export function table(header: string[], rows: string[][]): string {
  rows = rows.map((cells) => cells.map((c) => printable(c)));
  const widths = header.map((h, i) => rows.reduce((n, r) => Math.max(n, width(r[i])), width(h)));
  const line = (cells: string[]) =>
    cells.map((c, i) => (i === cells.length - 1 ? c : c + " ".repeat(widths[i] - width(c)))).join(
      "  ",
    ).trimEnd();
  return [line(header), widths.map((w) => "-".repeat(w)).join("  "), ...rows.map(line)].join("\n");
}

function width(text: string): number {
  return [...text].length;
}

/** "1.5 MB": decimal units, three significant digits. */
export function humanBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const power = Math.min(5, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toPrecision(3)} ${["B", "kB", "MB", "GB", "TB", "PB"][power]}`;
}

/** "1 h 02 min", "3 min 05 s", "12.3 s". */
export function humanSeconds(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${String(Math.floor(seconds % 60)).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}
