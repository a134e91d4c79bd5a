/** The descriptors that come with the program, each on a small file of the shape it is for. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { useDescriptor } from "../decoders/mapping/descriptor.ts";
import { DESCRIPTORS } from "../decoders/mapping/descriptors/mod.ts";
import {
  descriptorsOf,
  shippedDescriptor,
  shippedDescriptors,
} from "../decoders/mapping/shipped.ts";
import { FORMATS } from "../decoders/registry.ts";
import { globMatcher } from "../src/commands/glob.ts";
import { openDataset } from "../src/identify.ts";
import type { Dataset } from "../src/model/dataset.ts";
import { MemorySource } from "../src/source/memory.ts";
import { mappingSchema } from "../tools/mapping-schema.ts";
import { hdf5Fixture } from "./support/hdf5-fixtures.ts";
import { goodFiles } from "./support/hostile-files.ts";
import { storedObjects } from "./support/mapping-use.ts";
import { doubles, matFile, text } from "./support/mat-files.ts";
import { nsxFile } from "./support/blackrock-files.ts";
import { lines, utf16, wave } from "./support/tables.ts";

/** Opens a file as a conversion of a dataset does: a descriptor that does not fit is passed over. */
async function open(dataset: number, name: string, content: string | Uint8Array): Promise<Dataset> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const descriptor = descriptorsOf(dataset).find((d) => globMatcher(d.files)!(name));
  assert(descriptor, `no descriptor for ${name} of ${dataset}`);
  const mapping = { ...await useDescriptor(descriptor, "shipped"), lenient: "all" as const };
  const opened = await openDataset(new MemorySource(name, bytes), { mapping });
  assert.equal(opened.mapping?.descriptor.name, descriptor.name, opened.dataset.warnings.join());
  assert.match(JSON.stringify(opened.dataset.metadata.mapping), /"by":"descriptor"/);
  assert.equal(opened.dataset.metadata.autoMapped, false);
  // What is planned can be converted, too.
  await storedObjects(opened.dataset);
  return opened.dataset;
}

const steps = (n: number, by: number) => Array.from({ length: n }, (_, i) => i * by);
const cosine = (n: number) => steps(n, 0.1).map(Math.cos);
const summary = ({ recordings }: Dataset) =>
  recordings.map((r) => [r.channels.map((c) => c.name).join(), r.samplingFrequency, r.sampleCount]);

Deno.test("shipped: UTF-16 with tabs and no header (108)", async () => {
  const rows = lines(60, (i) => `${(i / 200).toFixed(3)}\t${wave(i)}\t${wave(i + 3)}`);
  const dataset = await open(108, "a.csv", utf16(rows));
  assert.deepEqual(summary(dataset), [["column 2,column 3", 200, 60]]);
});

Deno.test("shipped: a clock of twelve hours, channels from the fourth column (142, 323)", async () => {
  const clock = (i: number) =>
    `11:59:${String(50 + Math.floor(i / 10)).padStart(2, "0")}.${i % 10}00 AM`;
  const rows = lines(90, (i) => `${i}, ${clock(i)},7,${wave(i)},${wave(i + 9)}`);
  for (const id of [142, 323]) {
    const dataset = await open(
      id,
      "sub-1/b.csv",
      " Record, Time,Step,Stretch (mm),Pressure (mmHg)\n" + rows,
    );
    assert.deepEqual(summary(dataset), [["Stretch,Pressure", 10, 90]]);
    assert.deepEqual(dataset.recordings[0].channels.map((c) => c.units), ["mm", "mmHg"]);
    assert.deepEqual(dataset.arrays.map((a) => a.path), ["source/Record", "source/Step"]);
  }
});

Deno.test("shipped: time and channels (301), sensors over TimeStamp(sec) (350, 351)", async () => {
  const plain = await open(
    301,
    "c.csv",
    "x,a,b\n" + lines(50, (i) => `${(i / 100).toFixed(2)},${i},${wave(i)}`),
  );
  assert.deepEqual(summary(plain), [["a,b", 100, 50]]);
  const rows = lines(50, (i) => `${wave(i)},${(i / 25).toFixed(2)},${wave(i)}`);
  for (const id of [350, 351]) {
    const dataset = await open(id, "d.csv", "AccX,TimeStamp(sec),AccY\n" + rows);
    assert.deepEqual(summary(dataset), [["AccX,AccY", 25, 50]]);
  }
});

Deno.test("shipped: long tables, without times (305) and by subject (425)", async () => {
  const responses = "Stimulation Configuration,Stimulation Channel,delta\n" +
    lines(24, (i) => `mono,Channel ${1 + i % 6},${wave(i)}`);
  const long = await open(305, "e.csv", responses);
  assert.deepEqual(summary(long), [
    [[1, 2, 3, 4, 5, 6].map((i) => `Channel ${i}`).join(), null, 4],
  ]);
  assert.equal(long.recordings[0].timeGenerated, true);
  const header =
    "subject,sex,age (weeks),weight (g),bin,bin duration (s),time since start (s),dose," +
    "volume (mL),pressure (mmHg)\n";
  const binned = await open(
    425,
    "f.csv",
    header +
      lines(
        40,
        (i) =>
          `${i < 20 ? "A" : "B"},f,9,250,${i % 20},5,${5 * (i % 20)},0,${wave(i)},${wave(i + 1)}`,
      ),
  );
  assert.deepEqual(summary(binned), [["volume A,pressure A,volume B,pressure B", 0.2, 20]]);
  assert.deepEqual(binned.recordings[0].channels.map((c) => c.units), ["mL", "mmHg", "mL", "mmHg"]);
});

Deno.test("shipped: MAT-files (309, 310, 327, 357, 375, 376, 400)", async () => {
  const force = await open(
    309,
    "a.mat",
    await matFile({
      t_sim: doubles([1, 80], steps(80, 0.005)),
      force: doubles([1, 80], cosine(80)),
      stimvect: doubles([1, 2], [0.1, 0.3]),
      forceAvgNorm: doubles([1, 30], cosine(30)),
    }),
  );
  assert.deepEqual(summary(force), [["force", 200, 80]]);
  assert.equal(force.events[0].name, "stimulation");
  assert(force.arrays.some((a) => a.path === "source/forceAvgNorm"));
  const cells = await open(
    310,
    "b.mat",
    await matFile({
      t: doubles([1, 60], steps(60, 0.1)),
      v: doubles([5, 60], cosine(300)),
    }),
  );
  assert.deepEqual(summary(cells), [["v_1,v_2,v_3,v_4,v_5", 10, 60]]);
  const beats = await open(
    327,
    "c.mat",
    await matFile({
      timePlot05: doubles([40, 1], steps(40, 0.16).map((t, i) => t + (i % 3) / 100)),
      RRint05: doubles([40, 1], cosine(40)),
    }),
  );
  assert.deepEqual(summary(beats), [["RR Interval", null, 40]]);
  assert.equal(beats.recordings[0].channels[0].units, "s");
  const any = await open(
    357,
    "d.mat",
    await matFile({
      data: doubles([100, 2], cosine(200)),
      fs: doubles([1, 1], [50]),
    }),
  );
  assert.deepEqual(summary(any), [["data_1,data_2", 50, 100]]);
  for (const [id, name] of [[375, "ecg"], [376, "emg"]] as const) {
    const dataset = await open(
      id,
      "e.mat",
      await matFile({
        t: doubles([90, 1], steps(90, 0.001)),
        [name]: doubles([90, 1], cosine(90)),
        freq: doubles([1, 1], [20]),
      }),
    );
    assert.deepEqual(summary(dataset), [[name, 1000, 90]]);
  }
  const chart = await open(
    400,
    "f.mat",
    await matFile({
      data: doubles([1, 500], cosine(500)),
      datastart: doubles([1, 1], [1]),
      dataend: doubles([1, 1], [500]),
      samplerate: doubles([1, 1], [1000]),
      titles: text("Nerve"),
      unittext: text("uV"),
      unittextmap: doubles([1, 1], [1]),
    }),
  );
  assert.deepEqual(summary(chart), [["Nerve", 1000, 500]]);
  assert.equal(chart.recordings[0].channels[0].units, "uV");
});

Deno.test("shipped: HDF5 files (349, 380, 391)", async () => {
  for (const id of [349, 380]) {
    const dataset = await open(id, "subject-3.hdf5", await hdf5Fixture("moments"));
    assert.deepEqual(
      dataset.recordings.map((r) => [r.name, r.samplingFrequency, r.segments.length]),
      [["subject-3_ecg", 1000, 2], ["subject-3_hr", 500, 2], ["subject-3_neural", 30_000, 2]],
    );
    assert.deepEqual(dataset.recordings[0].channels.map((c) => [c.name, c.units]), [
      ["ECG1", "mV"],
      ["ECG2", "mV"],
      ["ECG3", "mV"],
    ]);
    assert.equal(dataset.recordings[0].segments[1].startSeconds, 2.25);
  }
  const trials = await open(391, "eps.hdf5", await hdf5Fixture("trials"));
  assert.equal(trials.recordings.length, 2);
  assert(trials.recordings.every((r) => r.timeGenerated));
});

Deno.test("shipped: formats that say all themselves", async () => {
  const good = await goodFiles();
  const bytesOf = (main: string) => good.find((f) => f.main === main)!.files[main];
  const ns5 = nsxFile({
    version: "2.3",
    channels: [{ electrode: 1, label: "a" }],
    period: 1,
    packets: [{ ticks: 0n, samples: Array.from({ length: 50 }, (_, i) => [i]) }],
  });
  const files: [number[], string, Uint8Array][] = [
    [[126, 148, 224], "a.acq", bytesOf("r84.acq")],
    [[149, 150], "a.smr", bytesOf("son9.smr")],
    [[315, 338], "a.smrx", bytesOf("son64.smrx")],
    [[297, 430], "a.abf", bytesOf("gapfree.abf")],
    [[316, 436], "a.rhd", bytesOf("all.rhd")],
    [[378, 400], "a.adicht", bytesOf("chart.adicht")],
    [[406], "a.wav", bytesOf("tone.wav")],
    [[435], "a.ns5", ns5],
  ];
  for (const [ids, name, bytes] of files) {
    for (const id of ids) assert((await open(id, name, bytes)).recordings.length > 0, name);
  }
});

Deno.test("shipped: one that does not fit is passed over, and said so", async () => {
  const descriptor = shippedDescriptor("sparc-305")!;
  const mapping = { ...await useDescriptor(descriptor, "shipped"), lenient: "all" as const };
  const bytes = new TextEncoder().encode("time,v\n" + lines(30, (i) => `${i / 10},${wave(i)}`));
  const { dataset, mapping: used } = await openDataset(new MemorySource("x.csv", bytes), {
    mapping,
  });
  assert.equal(used, undefined);
  assert.equal(dataset.metadata.autoMapped, true);
  assert.match(dataset.warnings.join(), /sparc-305 does not fit.*"delta"/);
});

Deno.test("shipped: the index has every file, names are theirs, the schema is that of the code", () => {
  const files = readdirSync(new URL("../decoders/mapping/descriptors/", import.meta.url))
    .filter((f) => f.endsWith(".json")).sort();
  assert.deepEqual(shippedDescriptors().map((d) => `${d.name}.json`), files);
  assert.equal(DESCRIPTORS.length, files.length);
  for (const d of shippedDescriptors()) {
    assert(d.about && d.datasets?.length && d.files?.length, d.name);
    if (d.kind === "format") assert(FORMATS.some((f) => f.id === d.format), d.name);
  }
  assert.equal(shippedDescriptor("sparc-350")!.name, "sparc-350-351");
  assert.throws(
    () => shippedDescriptor("sparc-400"),
    /several.*sparc-378-400-adicht or sparc-400-mat/,
  );
  assert.equal(shippedDescriptor("sparc-1"), undefined);
  const schema = new URL("../schemas/mapping.schema.json", import.meta.url);
  assert.equal(
    Deno.readTextFileSync(schema),
    mappingSchema(),
    "deno run -A tools/mapping-schema.ts",
  );
});
