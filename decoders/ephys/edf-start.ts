/** When an EDF file was begun. */

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
/** Date that stands for none in files made anonymous (EDF+, additional specification 3). */
const NO_DATE = "1985-01-01";

/**
 * ISO 8601 local time from "dd.mm.yy" and "hh.mm.ss"; undefined where they are none.
 * @param recording the field of EDF+ that has the date with the whole year: "Startdate dd-MMM-yyyy ..."
 */
export function startOf(
  date: string,
  time: string,
  recording: string,
  warnings: string[],
): string | undefined {
  const clock = /^(\d{1,2})\D(\d{1,2})\D(\d{1,2})/.exec(time);
  const day = shortDate(date);
  const [, long] = /^Startdate (\S+)/i.exec(recording) ?? [];
  const full = long && longDate(long);
  if (long === "X" && day === NO_DATE) return undefined;
  if (full && day && full !== day) {
    warnings.push(`the header gives two dates, "${date}" and "${long}": the second is taken`);
  }
  const taken = full ?? day;
  const [hours, minutes, seconds] = clock ? clock.slice(1).map(Number) : [0, 0, 0];
  if (!taken || hours > 23 || minutes > 59 || seconds > 59) {
    if (date !== "") warnings.push(`no start time: the header gives "${date}" and "${time}"`);
    return undefined;
  }
  if (!clock) return taken;
  return `${taken}T${[hours, minutes, seconds].map((n) => String(n).padStart(2, "0")).join(":")}`;
}

/** Years 85 to 99 are of the last century (EDF+, additional specification 2). */
function shortDate(text: string): string | undefined {
  const found = /^(\d{1,2})\D(\d{1,2})\D(\d{4}|\d{2})$/.exec(text);
  if (!found) return undefined;
  const [day, month, year] = found.slice(1).map(Number);
  return isoDate(year >= 100 ? year : year >= 85 ? 1900 + year : 2000 + year, month, day);
}

function longDate(text: string): string | undefined {
  const found = /^(\d{1,2})-([A-Za-z]{3})-(\d{4})$/.exec(text);
  if (!found) return undefined;
  return isoDate(
    Number(found[3]),
    MONTHS.indexOf(found[2].toLowerCase()) + 1,
    Number(found[1]),
  );
}

function isoDate(year: number, month: number, day: number): string | undefined {
  const date = new Date(Date.UTC(year, month - 1, day));
  const isDate = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day;
  return isDate ? date.toISOString().slice(0, 10) : undefined;
}
