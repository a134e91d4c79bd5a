/**
 * What a file becomes does not depend on how its bytes arrive: cut at any place, late, through a pipe, in
 * blocks of another size, or by several tasks at once.
 */
import assert from "node:assert/strict";
import { openDataset } from "../src/identify.ts";
import type { Dataset } from "../src/model/dataset.ts";
import { buildPlan, type PlanOptions } from "../src/plan/build.ts";
import type { Plan } from "../src/plan/plan.ts";
import { executePlan } from "../src/pool/execute.ts";
import { TaskRunner } from "../src/pool/task-runner.ts";
import { MemoryTarget } from "../src/sinks/targets/memory.ts";
import { MemorySource } from "../src/source/memory.ts";
import { openSpec } from "../src/source/open.ts";
import { pipeSource } from "../src/source/pipe.ts";
import type { ByteSource } from "../src/source/source.ts";
import { PROVENANCE } from "./support/convert-memory.ts";
import { hashOf, randomNumbers } from "./support/hostile.ts";
import { type GoodFile, goodFiles } from "./support/hostile-files.ts";
import { readArray } from "./support/read-store.ts";
import { pieceSizes, piecesOf, SplitSource } from "./support/split-source.ts";

/** Another seed cuts at other places: SPLIT_SEED=7 deno test -A tests/splits_test.ts. */
const SEED = Number(Deno.env.get("SPLIT_SEED") ?? 1);
/** Longest pieces of each pass over a file. */
const LONGEST = [3, 100, 5000];

interface Store {
  plan: Plan;
  target: MemoryTarget;
  dataset: Dataset;
}

/** Converts with `runners` that take turns, each with buffers of its own. */
async function store(source: ByteSource, options: PlanOptions = {}, runners = 1): Promise<Store> {
  const { dataset } = await openDataset(source);
  try {
    const plan = buildPlan(dataset, options, PROVENANCE);
    const target = new MemoryTarget();
    const host = { openSource: openSpec, dataset };
    const sink = {
      create: (key: string) => target.create(key),
      put: (key: string, bytes: Uint8Array) => target.put(key, bytes),
    };
    const all = Array.from({ length: runners }, () => new TaskRunner(plan, sink, host));
    await executePlan(plan, target, {
      concurrency: runners,
      run: (i) => all[i % runners].run(i),
    });
    for (const runner of all) await runner.close();
    return { plan, target, dataset };
  } finally {
    for (const member of dataset.sources) await member.close();
  }
}

function memory({ main, files }: GoodFile): MemorySource {
  const { [main]: bytes, ...siblings } = files;
  return new MemorySource(main, bytes, siblings);
}

function sameObjects(found: MemoryTarget, wanted: MemoryTarget, how: string): void {
  assert.deepEqual([...found.objects.keys()].sort(), [...wanted.objects.keys()].sort(), how);
  for (const [key, bytes] of wanted.objects) {
    const other = found.objects.get(key)!;
    assert.ok(
      other.length === bytes.length && other.every((b, i) => b === bytes[i]),
      `${key} differs ${how}`,
    );
  }
}

/** Shapes and values of all arrays; `NaN` equals itself, and zero is not minus zero. */
async function sameArrays(found: Store, wanted: Store, how: string): Promise<void> {
  const paths = ({ plan }: Store) => plan.arrays.map((a) => a.path).sort();
  assert.deepEqual(paths(found), paths(wanted), how);
  for (const { path, dtype } of wanted.plan.arrays) {
    // zarrita knows no complex numbers.
    if (dtype.startsWith("complex")) continue;
    const [a, b] = [await readArray(found.target, path), await readArray(wanted.target, path)];
    assert.deepEqual(a.shape, b.shape, `${path} ${how}`);
    for (let i = 0; i < b.data.length; i++) {
      if (!Object.is(a.data[i], b.data[i])) {
        assert.fail(`${path}[${i}] is ${a.data[i]}, not ${b.data[i]}, ${how}`);
      }
    }
  }
}

const all = await goodFiles();
const names = new Map<string, number>();
for (const good of all) {
  const nth = (names.get(good.main) ?? 0) + 1;
  names.set(good.main, nth);
  const random = randomNumbers(SEED ^ hashOf(good.main + nth));
  Deno.test(`same whatever the pieces: ${good.main}`, async (t) => {
    const wanted = await store(memory(good));
    const said = JSON.stringify(wanted.dataset.warnings);
    for (const distance of ["local", "remote"] as const) {
      for (const longest of LONGEST) {
        const how = `in pieces of up to ${longest} from a ${distance} source (SPLIT_SEED=${SEED})`;
        await t.step(how, async () => {
          const source = new SplitSource(memory(good), pieceSizes(random, longest), distance);
          const found = await store(source);
          assert.ok(source.given > 1, "read past the source");
          sameObjects(found.target, wanted.target, how);
          assert.equal(JSON.stringify(found.dataset.warnings), said, how);
        });
      }
    }
    await t.step("by three tasks at once", async () => {
      const small = { targets: { chunkBytes: 4096, shardBytes: 8192, windowBytes: 1500 } };
      const one = await store(memory(good), small);
      const three = await store(memory(good), small, 3);
      sameObjects(three.target, one.target, "by three tasks at once");
      await sameArrays(one, wanted, "in chunks of 4 KiB");
    });
    if (Object.keys(good.files).length > 1) return;
    await t.step(`through a pipe (SPLIT_SEED=${SEED})`, async () => {
      const [bytes] = Object.values(good.files);
      const pieces = piecesOf(bytes, pieceSizes(random, 300));
      const found = await store(pipeSource(pieces, { name: good.main }));
      await sameArrays(found, wanted, `through a pipe (SPLIT_SEED=${SEED})`);
    });
  });
}
