/** What a pass over a table met, in words. */
import type { TableReport } from "./csv-parser.ts";
import type { EvenStep } from "./csv-rate.ts";

const plural = (n: number, one: string, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

/** Warnings of a whole pass; `rate` is given when the pass checked it step by step. */
export function reportWarnings(
  report: TableReport,
  timed: boolean,
  strays: string,
  rate?: EvenStep | null,
): string[] {
  const warnings: string[] = [];
  const say = (n: number, text: string) => {
    if (n > 0) warnings.push(text);
  };
  say(
    report.strayCells,
    `${plural(report.strayCells, "cell does", "cells do")} not fit the column: no value there, ` +
      `the text is kept in ${strays}${report.strayCells > 1000 ? " (the first 1000)" : ""}`,
  );
  say(
    report.commentLines,
    `${
      plural(report.commentLines, "comment line stands", "comment lines stand")
    } among the rows: ` +
      `kept in ${strays}`,
  );
  say(
    report.shortRows,
    `${plural(report.shortRows, "row ends", "rows end")} before the last column`,
  );
  say(
    report.longRows,
    `${plural(report.longRows, "row has", "rows have")} more cells than columns`,
  );
  say(
    report.emptyRecords,
    `${plural(report.emptyRecords, "row")} without any value left out`,
  );
  say(
    report.openQuotes,
    `${plural(report.openQuotes, "quote is", "quotes are")} never closed and taken as text`,
  );
  say(
    report.roundedIntegers,
    `${plural(report.roundedIntegers, "integer")} beyond 2^53 rounded to the nearest double`,
  );
  if (!timed) return warnings;
  say(report.missingTimes, `${plural(report.missingTimes, "row has", "rows have")} no time`);
  say(
    report.midnights,
    `the clock passes midnight ${plural(report.midnights, "time")}: a day is added each time`,
  );
  say(
    report.backwardSteps,
    `time goes backwards ${plural(report.backwardSteps, "time")}, first at row ` +
      `${report.firstBackward}: the rows are kept in the order of the file`,
  );
  if (rate) {
    say(
      report.stepViolations,
      `the sampling frequency of ${rate.rateHz} Hz was taken from the start and the end of the ` +
        `file, but ${plural(report.stepViolations, "step is", "steps are")} not ` +
        `${rate.stepSeconds} s (first at row ${report.firstViolation}, off by at most ` +
        `${report.worstStepSeconds} s): trust the time array`,
    );
  }
  return warnings;
}
