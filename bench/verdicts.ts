/** The project's promises of speed and memory, and what a run made of them. */

/** One promise and what was measured. */
export interface Verdict {
  work: string;
  value: number;
  /** `times` wants much, the others little. */
  form: "times" | "share" | "seconds" | "MiB";
  floor: number;
  aim: number;
}

const SHOWN: Record<Verdict["form"], (value: number) => string> = {
  times: (v) => `${v < 10 ? v.toFixed(2) : v.toFixed(0)}x`,
  share: (v) => `${v.toFixed(2)}x`,
  seconds: (v) => `${v.toFixed(2)} s`,
  MiB: (v) => `${v.toFixed(0)} MiB`,
};

/** Whether `value` is as good as `bound`. */
function reaches({ form, value }: Verdict, bound: number): boolean {
  return form === "times" ? value >= bound : value <= bound;
}

/** A Markdown table: what was measured, the floor, the aim, and which of them holds. */
export function verdictTable(verdicts: Verdict[]): string {
  const rows = verdicts.map((v) => {
    const shown = SHOWN[v.form];
    const sign = v.form === "times" ? "≥" : "≤";
    const holds = reaches(v, v.aim) ? "aim" : reaches(v, v.floor) ? "floor" : "neither";
    return `| ${v.work} | ${shown(v.value)} | ${sign} ${shown(v.floor)} | ${sign} ${
      shown(v.aim)
    } | ${holds} |`;
  });
  return ["| work | measured | floor | aim | holds |", "|---|---|---|---|---|", ...rows].join("\n");
}
