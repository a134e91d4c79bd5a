/** MAT-files of any version -> Dataset. */
import { FuseError } from "../../src/errors.ts";
import { type Dataset, emptyDataset } from "../../src/model/dataset.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { pullStream } from "../ephys/pull-stream.ts";
import type { OpenOptions } from "../format.ts";
import { choose, describeChoice } from "../mapping/choice.ts";
import { ArrayWriter, type Passes } from "./mat-arrays.ts";
import { eeglabCandidate } from "./mat-eeglab.ts";
import { fieldTripCandidate } from "./mat-fieldtrip.ts";
import { genericCandidates, type Scope } from "./mat-generic.ts";
import { readLevelSeven } from "./mat-hdf5.ts";
import { labChartCandidate } from "./mat-labchart.ts";
import { elementsOf, type MatNode, type MatVariables } from "./mat-model.ts";
import { runPass } from "./mat-passes.ts";
import type { MatBuild, MatCandidate } from "./mat-recordings.ts";
import { spike2Candidate } from "./mat-spike2.ts";
import { levelFour, readLevelFour } from "./mat-v4.ts";
import { levelFive, readLevelFive } from "./mat-v5.ts";

/** Bytes that tell the versions apart. */
const HEAD_BYTES = 128;
/** Structs in structs whose fields may be recordings. */
const SCOPE_DEPTH = 3;
/** Elements of a struct array that are looked at one by one. */
const SCOPE_ELEMENTS = 256;
/** Scopes of one file. */
const MOST_SCOPES = 4096;

/**
 * Opens a MAT-file.
 * @throws FuseError `UnknownFormat` when it is none, `Corrupt`, `Truncated` or `Limit` for what is wrong with it.
 */
export async function openMat(source: ByteSource, options: OpenOptions): Promise<Dataset> {
  const { signal } = options;
  if (source.access !== "random") {
    throw new FuseError("NeedsRandomAccess", "MAT-files are read by ranges", {
      source: source.name,
    });
  }
  const found = await readVariables(source, options);
  const dataset = emptyDataset("mat", [source]);
  dataset.warnings.push(...found.warnings);
  dataset.metadata.header = {
    mat_version: found.version,
    ...(found.header ? { mat_header: found.header } : {}),
  };
  const passes: Passes = new Map();
  const build: MatBuild = { dataset, passes, used: new Set(), signal };
  const candidates = candidatesOf(found.variables);
  const chosen = choose(candidates);
  if (chosen) {
    await chosen.build(build);
    if (dataset.recordings.length || dataset.events.length) {
      Object.assign(dataset.metadata.header, describeChoice(chosen, candidates));
    }
  }
  const writer = new ArrayWriter(dataset, passes, build.used);
  for (const node of found.variables) {
    writer.add(node, `source/${(node.name || "unnamed").replaceAll("/", "_")}`);
  }
  dataset.openStream = (id, { signal: own }) =>
    pullStream(runPass(dataset.sources, passes.get(id) ?? [], own));
  return dataset;
}

async function readVariables(source: ByteSource, options: OpenOptions): Promise<MatVariables> {
  const head = await source.readUpTo(0, HEAD_BYTES, { purpose: "header", signal: options.signal });
  const level = levelFive(head);
  if (level && level.version >> 8 === 2) return await readLevelSeven(source, head, options);
  if (level) return await readLevelFive(source, options.signal);
  if (levelFour(head)) return await readLevelFour(source, options.signal);
  throw new FuseError("UnknownFormat", "not a MAT-file", { source: source.name, offset: 0 });
}

function candidatesOf(variables: readonly MatNode[]): MatCandidate[] {
  const scopes = scopesOf(variables);
  const [all] = scopes;
  const candidates: (MatCandidate | undefined)[] = [
    labChartCandidate(all.fields),
    spike2Candidate(all.fields),
  ];
  for (const scope of scopes) {
    candidates.push(eeglabCandidate(scope.fields), fieldTripCandidate(scope.fields, scope.name));
  }
  candidates.push(...genericCandidates(scopes));
  return candidates.filter((c) => c !== undefined);
}

/** The variables of the file, and the fields of every struct among them. */
function scopesOf(variables: readonly MatNode[]): Scope[] {
  const scopes: Scope[] = [{ name: "", fields: new Map(variables.map((v) => [v.name, v])) }];
  const visit = (node: MatNode, name: string, depth: number): void => {
    if (node.kind !== "struct" || depth > SCOPE_DEPTH) return;
    const count = elementsOf(node.shape);
    for (let i = 0; i < Math.min(count, SCOPE_ELEMENTS) && scopes.length < MOST_SCOPES; i++) {
      const own = count === 1 ? name : `${name}_${i + 1}`;
      const fields = new Map([...node.fields].map(([field, items]) => [field, items[i]]));
      scopes.push({ name: own, fields });
      for (const [field, item] of fields) visit(item, `${own}_${field}`, depth + 1);
    }
  };
  for (const node of variables) visit(node, node.name, 1);
  return scopes;
}
