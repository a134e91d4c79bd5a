/** When a table's recording started, from its first time stamp or from the lines above it. */
import { classify, clockSeconds, type DateParts, dateParts } from "./csv-cells.ts";
import type { Survey } from "./csv-survey.ts";
import { readPreamble } from "./csv-table.ts";

const SECOND = 1_000_000_000n;
const two = (n: number) => String(n).padStart(2, "0");

/** The start as far as it is known: a moment, or a time of day without a date. */
export function startTime(survey: Survey): { startTime?: string; timeOfDay?: string } {
  const { roles, report } = survey;
  const { time } = roles;
  const above = momentAbove(survey);
  if (time?.origin === "moment" && report.base !== undefined) {
    const moment = isoMoment(report.base, time.fractionDigits, time.zoned);
    return { startTime: time.units === "date" ? moment.slice(0, 10) : moment };
  }
  if (time?.origin === "day" && report.base !== undefined) {
    const timeOfDay = isoMoment(report.base, time.fractionDigits, false).slice(11);
    return above.date ? { startTime: `${above.date}T${timeOfDay}` } : { timeOfDay };
  }
  if (above.moment) return { startTime: above.moment };
  const beside = survey.times[0] === 0 ? momentBeside(survey) : undefined;
  if (beside) return { startTime: beside };
  return above.date ? { startTime: above.date } : {};
}

/** Nanoseconds since 1970 as ISO 8601 with as many digits as the file prints. */
function isoMoment(nanoseconds: bigint, digits: number, zoned: boolean): string {
  const rest = ((nanoseconds % SECOND) + SECOND) % SECOND;
  const seconds = Number((nanoseconds - rest) / SECOND);
  if (Math.abs(seconds) > 8.64e12) return "";
  const fraction = String(rest).padStart(9, "0").slice(0, Math.min(9, digits));
  const moment = new Date(seconds * 1000).toISOString().slice(0, 19);
  return moment + (fraction ? `.${fraction}` : "") + (zoned ? "Z" : "");
}

/** Dates and times in the preamble: one cell with both, or "Date" and "Time" apart. */
function momentAbove({ table }: Survey): { date?: string; moment?: string } {
  let date: string | undefined, clock: string | undefined;
  const remarks = readPreamble(table.comments.map((text) => ({
    cells: [text],
    start: 0,
    end: 0,
    afterBlank: false,
  })));
  for (const [key, value] of Object.entries({ ...remarks, ...table.preamble })) {
    for (const cell of Array.isArray(value) ? value.map(String) : [String(value)]) {
      const kind = classify(cell.trim(), ".");
      if (kind === "moment" && /date|start|record|acquired|measured|created|time/i.test(key)) {
        const parts = dateParts(cell.trim(), false);
        // "03/04/2021" could be either; a wrong start is worse than none.
        if (!parts || (parts.ambiguous && parts.day <= 12 && parts.day !== parts.month)) continue;
        if (parts.timed) return { date: isoDate(parts), moment: isoParts(parts, cell) };
        date ??= isoDate(parts);
      } else if (kind === "clock" && /^(?:start\s*)?time\b/i.test(key.trim())) {
        clock ??= isoClock(cell.trim());
      }
    }
  }
  if (!date) return {};
  return clock ? { date, moment: `${date}T${clock}` } : { date };
}

/** The moment that a column beside the time gives for the first row. */
function momentBeside({ table, roles }: Survey): string | undefined {
  const inTime = new Set(roles.time?.parts.map((p) => p.index));
  const column = table.columns.find((c) => c.class === "moment" && !inTime.has(c.index));
  const cell = column && table.rows[0]?.cells[column.index];
  const parts = cell ? dateParts(cell, false) : null;
  return cell && parts?.timed && !parts.ambiguous ? isoParts(parts, cell) : undefined;
}

function isoDate(p: DateParts): string {
  return `${String(p.year).padStart(4, "0")}-${two(p.month)}-${two(p.day)}`;
}

function isoParts(p: DateParts, cell: string): string {
  const fraction = /:\d{2}[.,](\d+)/.exec(cell)?.[1];
  const zone = p.zoned ? (/(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})$/i.exec(cell.trim())?.[0] ?? "") : "";
  return `${isoDate(p)}T${two(p.hour)}:${two(p.minute)}:${two(p.second)}` +
    (fraction ? `.${fraction}` : "") + (/^(?:UTC|GMT)$/i.test(zone) ? "Z" : zone);
}

function isoClock(cell: string): string {
  const seconds = Math.floor(clockSeconds(cell, false) + 1e-9);
  const fraction = /:\d{2}[.,](\d+)/.exec(cell)?.[1];
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:` +
    two(seconds % 60) + (fraction ? `.${fraction}` : "");
}
