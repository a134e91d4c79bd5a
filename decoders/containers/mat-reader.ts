/** MAT-files of any version -> Dataset. */
import { FuseError } from "../../src/errors.ts";
import { type Dataset, emptyDataset } from "../../src/model/dataset.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { pullStream } from "../ephys/pull-stream.ts";
import type { OpenOptions } from "../format.ts";
import type { MappingUse } from "../mapping/descriptor-types.ts";
import { draftArrays } from "../mapping/draft.ts";
import { explanation } from "../mapping/explain.ts";
import { findRecordings } from "../mapping/map.ts";
import { missing } from "../mapping/near.ts";
import { resolveMapping } from "../mapping/resolve.ts";
import { ArrayWriter, type Passes } from "./mat-arrays.ts";
import { eeglabCandidate } from "./mat-eeglab.ts";
import { fieldTripCandidate } from "./mat-fieldtrip.ts";
import { readLevelSeven } from "./mat-hdf5.ts";
import { labChartCandidate } from "./mat-labchart.ts";
import { buildMapped } from "./mat-mapped.ts";
import { elementsOf, type MatNode, type MatVariables } from "./mat-model.ts";
import { runPass } from "./mat-passes.ts";
import type { MatBuild, MatCandidate } from "./mat-recordings.ts";
import { spike2Candidate } from "./mat-spike2.ts";
import { treeOf } from "./mat-tree.ts";
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
  await mapVariables(build, found.variables, options.mapping);
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

/** Recordings: of an export that is known, else of arrays that names, sizes and values speak for. */
async function mapVariables(
  build: MatBuild,
  variables: readonly MatNode[],
  use?: MappingUse,
): Promise<void> {
  const { dataset, signal } = build;
  const descriptor = use?.descriptor.kind === "mat" ? use.descriptor : undefined;
  const stated = descriptor && descriptor.layout === undefined;
  const known = stated ? [] : knownLayouts(variables);
  const [best] = known.toSorted((a, b) => b.score - a.score)
    .filter((c) => !descriptor || c.id === descriptor.layout);
  if (descriptor && !stated && !best) {
    throw missing("layout", descriptor.layout!, known.map((c) => c.id), {
      source: dataset.sources[0].name,
      field: "layout",
    });
  }
  const name = dataset.sources[0].name;
  if (best) {
    await best.build(build);
    dataset.draftMapping = () => draftArrays("mat", name, undefined, best.id);
    if (dataset.recordings.length || dataset.events.length) {
      const choice = ({ layout, score, why }: MatCandidate) => ({ what: layout, score, why });
      dataset.metadata.autoMapped = true;
      dataset.metadata.mapping = explanation(
        [choice(best)],
        known.filter((c) => c !== best).map(choice),
        { method: "known export" },
      );
    }
    return;
  }
  const tree = treeOf(variables, dataset.sources, signal);
  const mapping = stated
    ? await resolveMapping(tree, descriptor, name)
    : await findRecordings(tree);
  if (!mapping) {
    if (tree.unmapped !== undefined) dataset.metadata.mapping = tree.unmapped;
    return;
  }
  dataset.draftMapping = () => draftArrays("mat", name, mapping);
  await buildMapped(build, mapping, tree);
  dataset.metadata.autoMapped = true;
  dataset.metadata.mapping = mapping.explanation;
}

/** Exports of known programs. */
function knownLayouts(variables: readonly MatNode[]): MatCandidate[] {
  const [all, ...structs] = scopesOf(variables);
  const candidates = [labChartCandidate(all.fields), spike2Candidate(all.fields)];
  for (const scope of [all, ...structs]) {
    candidates.push(eeglabCandidate(scope.fields), fieldTripCandidate(scope.fields, scope.name));
  }
  return candidates.filter((c) => c !== undefined);
}

/** The variables of the file, or the fields of a struct. */
interface Scope {
  name: string;
  fields: ReadonlyMap<string, MatNode>;
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
