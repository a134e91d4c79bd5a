/** How the parts of a table's columns were found out, for the outputs and for `inspect`. */
import type { Json } from "../../src/model/dataset.ts";
import { type Choice, explanation } from "../mapping/explain.ts";
import type { EvenStep } from "./csv-rate.ts";
import type { Roles } from "./csv-roles.ts";
import type { TimeChoice } from "./csv-time.ts";

/** Names of columns that are listed. */
const LISTED = 16;

/** The choices: what the table is, its time, its rate; rivals are other columns that may be the time. */
export function explainRoles(roles: Roles, rate: EvenStep | null): Json {
  const { time, rivals, shape, why, columns, statedRate } = roles;
  const signals = columns.filter((c) => c.role === "signal").map((c) => c.uniqueName);
  const names = signals.slice(0, LISTED).join(", ") + (signals.length > LISTED ? ", ..." : "");
  const chosen: Choice[] = [{
    what: shape === "series"
      ? `channels over time: ${names}`
      : shape === "events"
      ? "events, a row each"
      : "plain columns",
    score: time ? 100 * time.score : shape === "series" ? 50 : 40,
    why: [why],
  }];
  if (time) chosen.push(timeChoice(time));
  else if (shape === "series" && !statedRate) {
    chosen.push({
      what: "time: the sample index",
      score: 0,
      why: ["nothing in the file gives it"],
    });
  }
  if (rate) {
    chosen.push({ what: `sampling frequency: ${rate.rateHz} Hz`, score: 100, why: [rate.why] });
  } else if (statedRate && !time) {
    chosen.push({
      what: `sampling frequency: ${statedRate.hz} Hz`,
      score: 90,
      why: [`the line "${statedRate.from}"`],
    });
  }
  return explanation(chosen, rivals.map(timeChoice));
}

function timeChoice({ header, units, score, why, assumed }: TimeChoice): Choice {
  return {
    what: `time: column "${header}", ${units}`,
    score: 100 * score,
    why: [why, ...(assumed ? [`assumed: ${assumed}`] : [])],
  };
}
