/** Which tables or arrays of a plan an output holds. */
import { FuseError } from "../../errors.ts";
import type { Plan, TaskSet } from "../../plan/plan.ts";
import type { TableDefinition } from "./definition.ts";

/** Choices named in a message before the rest is only counted. */
const NAMED = 20;

/** Names by which a user may ask for a table. */
function names(table: TableDefinition): string[] {
  const { name } = table.head;
  return table.kind === "recording"
    ? [name, name.replace(/\/?signals$/, "")]
    : [name, name.replace(/^events\//, "")];
}

/**
 * The tables an output holds: the one that is asked for, else all of them, or with `single` the only
 * recording (or, without recordings, the only table).
 * @throws FuseError `Usage` that names the choices.
 */
export function chooseTables(
  tables: TableDefinition[],
  wanted: string | undefined,
  options: { source: string; single: boolean },
): TableDefinition[] {
  const choices = tables.map((t) => t.head.name);
  if (wanted !== undefined) {
    const found = tables.filter((t) => names(t).includes(wanted));
    if (found.length === 1) return found;
    throw noSuch(wanted, choices, options.source);
  }
  if (!options.single) return tables;
  const recordings = tables.filter((t) => t.kind === "recording");
  const candidates = recordings.length ? recordings : tables;
  if (candidates.length === 1) return candidates;
  throw choose(candidates.map((t) => t.head.name), options.source);
}

/**
 * The array an `.npy` holds: the one that is asked for, else the signals of the only recording, the first
 * level of the only image, or the only array.
 * @returns its index in the plan
 * @throws FuseError `Usage` that names the choices.
 */
export function chooseArray(plan: Plan, wanted: string | undefined): number {
  const { arrays } = plan;
  const source = plan.input.name;
  if (wanted !== undefined) {
    const index = arrays.findIndex((a) => a.path === wanted || a.path === `${wanted}/signals`);
    if (index < 0) throw noSuch(wanted, arrays.map((a) => a.path), source);
    return index;
  }
  const first = (test: (path: string, kind: string) => boolean) =>
    arrays.flatMap((a, i) => (test(a.path, a.origin.kind) ? [i] : []));
  const signals = first((path) => /(^|\/)signals$/.test(path));
  const candidates = signals.length ? signals : first((_, kind) => kind === "image");
  if (candidates.length === 1) return candidates[0];
  if (candidates.length === 0 && arrays.length === 1) return 0;
  // The levels of one image are one array in several sizes.
  const levels = candidates.filter((i) => /(^|\/)0$/.test(arrays[i].path));
  if (!signals.length && levels.length === 1) return levels[0];
  const choices = candidates.length ? candidates.map((i) => arrays[i]) : arrays;
  throw choose(choices.map((a) => a.path), source);
}

function list(choices: string[]): string {
  const more = choices.length - NAMED;
  return choices.slice(0, NAMED).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

function choose(choices: string[], source: string): FuseError {
  return new FuseError("Usage", "several arrays, and this output holds one", {
    source,
    expected: `--array with one of: ${list(choices)}`,
  });
}

function noSuch(wanted: string, choices: string[], source: string): FuseError {
  return new FuseError("Usage", "no such array", {
    source,
    found: wanted,
    expected: `--array with one of: ${list(choices)}`,
  });
}

/**
 * A plan with only the tasks that some arrays need. Running it changes nothing of the plan it was made
 * from.
 */
export function onlyArrays(plan: Plan, indexes: number[]): Plan {
  const wanted = new Set(indexes);
  for (const index of indexes) {
    const { origin, path, shape } = plan.arrays[index];
    if (origin.kind === "edges") wanted.add(origin.words);
    // A time axis whose length only the pass tells is as long as its signals.
    if (origin.kind === "clock" && shape[0] === null) {
      const signals = path.replace(/time$/, "signals");
      wanted.add(plan.arrays.findIndex((a) => a.path === signals));
    }
  }
  const tasks = plan.tasks.flatMap((set): TaskSet[] => {
    switch (set.kind) {
      case "frames":
      case "stream": {
        const arrays = set.arrays.filter((a) => wanted.has(a));
        return arrays.length ? [{ ...set, arrays }] : [];
      }
      case "image":
        return set.levels.some((a) => wanted.has(a)) ? [set] : [];
      default:
        return wanted.has(set.array) ? [set] : [];
    }
  });
  return {
    ...plan,
    tasks,
    groups: [...plan.groups],
    arrays: plan.arrays.map((a) => ({ ...a })),
  };
}
