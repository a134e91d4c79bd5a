/** MAT and HDF5 files under descriptors: drafts that change nothing, descriptors that do, and misfits. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { checkDescriptor } from "../decoders/mapping/descriptor.ts";
import { matchesOf } from "../decoders/mapping/patterns.ts";
import { resolveMapping } from "../decoders/mapping/resolve.ts";
import type { ArrayMapping } from "../decoders/mapping/descriptor-types.ts";
import { sizeOf, type Variable } from "../decoders/mapping/variables.ts";
import { isFuseError } from "../src/errors.ts";
import type { Attributes } from "../src/model/dataset.ts";
import type { DType, NumericArray } from "../src/model/dtype.ts";
import { hdf5Fixture } from "./support/hdf5-fixtures.ts";
import { convertDataset } from "./support/convert-memory.ts";
import { openMapped, storedObjects } from "./support/mapping-use.ts";
import { readArray } from "./support/read-store.ts";
import { doubles, matFile, type MatValue, struct, text, texts } from "./support/mat-files.ts";

const steps = (n: number, by = 1, from = 0) => Array.from({ length: n }, (_, i) => from + i * by);
const cosine = (n: number) => steps(n).map((i) => Math.cos(i / 9));

const MAT: Record<string, Record<string, MatValue>> = {
  "t_sim and force": {
    t_sim: doubles([1, 300], steps(300, 0.002)),
    force: doubles([1, 300], cosine(300)),
    stimvect: doubles([1, 2], [0.1, 0.2]),
    force_norm: doubles([1, 1], [2]),
    forceAvgNorm: doubles([1, 30], cosine(30)),
  },
  "t and v, many cells": {
    t: doubles([400, 1], steps(400, 0.05)),
    v: doubles([25, 400], cosine(10_000)),
    Ncell: doubles([1, 1], [25]),
    achDensity: doubles([1, 1], [0.1]),
  },
  "timePlot05 and RRint05": {
    timePlot05: doubles([200, 1], steps(200).map((i) => i * 0.16 + (i % 3) * 0.01)),
    RRint05: doubles([200, 1], cosine(200)),
  },
  "t and ecg": { t: doubles([500, 1], steps(500, 1e-3)), ecg: doubles([500, 1], cosine(500)) },
  "a struct with a rate": {
    rec: struct({
      data: doubles([3, 600], cosine(1800)),
      fs: doubles([1, 1], [250]),
      labels: texts("a", "b", "c"),
      units: text("mV"),
    }),
    subject: text("S1"),
  },
  "an interval": { emg: doubles([1, 2000], cosine(2000)), dt: doubles([1, 1], [0.0005]) },
  "vectors of one clock": {
    time: doubles([1, 100], steps(100, 0.1, 5)),
    hr: doubles([1, 100], cosine(100)),
    bp: doubles([1, 100], cosine(100)),
  },
  "a matrix with its times in a column": {
    data: doubles([90, 3], [...steps(90, 4), ...cosine(90), ...cosine(90)]),
    headers: texts("Time (ms)", "EMG (uV)", "ECG"),
  },
  "a matrix with its times in a row": {
    data: doubles([2, 90], steps(90).flatMap((i) => [i / 50, Math.cos(i)])),
    labels: texts("t", "emg"),
  },
  "sweeps in a cell": {
    sweeps: {
      kind: "cell",
      shape: [1, 3],
      items: [0, 1, 2].map((k) => doubles([1, 64], steps(64, 1, 100 * k))),
    },
    Fs: doubles([1, 1], [500]),
  },
  "epochs of two channels": {
    epochs: {
      kind: "cell",
      shape: [1, 2],
      items: [0, 1].map((k) => doubles([2, 64], steps(128, 1, 1000 * k))),
    },
    srate: doubles([1, 1], [100]),
    labels: texts("l", "r"),
  },
  "LabChart": {
    data: doubles([1, 700], cosine(700)),
    datastart: doubles([2, 1], [1, 401]),
    dataend: doubles([2, 1], [400, 700]),
    samplerate: doubles([2, 1], [1000, 750]),
    titles: text("ECG  ", "Press"),
    unittext: text("mV"),
    unittextmap: doubles([2, 1], [1, 1]),
    tickrate: doubles([1, 1], [1000]),
    blocktimes: doubles([1, 1], [738232.5]),
  },
};

async function sameUnderDraft(name: string, bytes: Uint8Array): Promise<void> {
  const found = await openMapped(name, bytes);
  assert(found.recordings.length > 0, "nothing found");
  const draft = JSON.parse(JSON.stringify(found.draftMapping!()));
  const drafted = await openMapped(name, bytes, draft);
  assert.deepEqual([found.metadata.autoMapped, drafted.metadata.autoMapped], [true, false]);
  assert.deepEqual(await storedObjects(drafted), await storedObjects(found));
}

Deno.test("mapping: drafts of MAT-files give the same stores", async (t) => {
  for (const [name, variables] of Object.entries(MAT)) {
    for (const compress of [false, true]) {
      await t.step(`${name}${compress ? ", compressed" : ""}`, async () => {
        await sameUnderDraft("x.mat", await matFile(variables, { compress }));
      });
    }
  }
});

Deno.test("mapping: drafts of HDF5 files give the same stores", async (t) => {
  for (const name of ["flat", "moments", "trials"]) {
    await t.step(name, async () => await sameUnderDraft(`${name}.h5`, await hdf5Fixture(name)));
  }
});

Deno.test("mapping: any JSON is a descriptor or refused in words, any pattern is one", () => {
  const known = fc.constantFrom("table", "mat", "hdf5", "flat", "format", "other");
  const value = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.constantFrom("x", 1, true, ["a"], {}));
  const keys = fc.constantFrom(
    ...[
      "name",
      "time",
      "signals",
      "recordings",
      "events",
      "dtype",
      "channels",
      "group_by",
      "files",
    ],
  );
  const descriptors = fc.tuple(known, fc.dictionary(keys, value)).map(([kind, rest]) => ({
    name: "n",
    ...rest,
    kind,
  }));
  fc.assert(fc.property(fc.oneof(descriptors, fc.jsonValue()), (json) => {
    try {
      checkDescriptor(json, "file");
    } catch (error) {
      assert(isFuseError(error, "Usage") && error.message.startsWith("file: "), String(error));
    }
  }));
  const path = fc.string({ unit: fc.constantFrom(..."ab/{}*()[]\\.+?$^"), maxLength: 12 });
  fc.assert(fc.property(path, path, (pattern, name) => {
    const found = matchesOf(pattern, [variable(name, [4], "float64")]);
    assert(found.length <= 1);
    assert.equal(matchesOf(name, [variable(name, [4], "float64")]).length, 1);
  }));
});

Deno.test("mapping: where nothing is sure enough, what came near is said", async () => {
  const bytes = await matFile({
    weights: doubles([1, 500], cosine(500)),
    fs: doubles([1, 1], [100]),
  });
  const { metadata, recordings } = await openMapped("x.mat", bytes);
  assert.deepEqual([recordings.length, metadata.autoMapped], [0, undefined]);
  const { chosen, rivals } = metadata.mapping as { chosen: unknown[]; rivals: { what: string }[] };
  assert.deepEqual([chosen, rivals.map((r) => r.what)], [[], ["signal weights"]]);
});

Deno.test("mapping: variables are chosen, turned, named and timed as a descriptor says", async () => {
  const bytes = await matFile({
    m: doubles([40, 50], steps(2000)),
    clock: doubles([1, 50], steps(50, 20)),
    stim: doubles([2, 1], [100, 300]),
    what: texts("on", "off"),
    n: struct({ rate: doubles([1, 1], [2]) }),
  });
  const dataset = await openMapped("x.mat", bytes, {
    name: "mine",
    kind: "mat",
    recordings: [{
      name: "chosen",
      signals: [{ variable: "m", time_axis: 1, units: "uV", gain: 2, offset: 1 }],
      time: { variable: "clock", unit: "ms" },
    }, {
      name: "other",
      signals: [{ variable: "m", time_axis: 0 }],
      time: { rate: { variable: "n/rate" }, unit: "kHz", start_s: -1 },
    }],
    events: [{
      name: "stim",
      time: { variable: "stim", unit: "ms" },
      labels: { variable: "what" },
    }],
    start_time: "2020-01-01T00:00:00",
  });
  const [chosen, other] = dataset.recordings;
  assert.deepEqual([chosen.channels.length, chosen.sampleCount, chosen.samplingFrequency], [
    40,
    50,
    50,
  ]);
  assert.deepEqual(chosen.channels[1], { name: "m_2", units: "uV", gain: 2, offset: 1 });
  assert.deepEqual([other.channels.length, other.sampleCount, other.samplingFrequency], [
    50,
    40,
    2000,
  ]);
  assert.equal(other.segments[0].startSeconds, -1);
  const [time, label] = dataset.events[0].columns.map((c) =>
    (c.layout as { values: ArrayLike<unknown> }).values
  );
  assert.deepEqual([[...time as Float64Array], label], [[0.1, 0.3], ["on", "off"]]);
  assert.equal(dataset.metadata.startTime, "2020-01-01T00:00:00");
  assert.equal(Object.keys(await storedObjects(dataset)).includes("chosen/signals/c/0/0"), true);
});

Deno.test("mapping: cells of equal arrays are sweeps in turn", async () => {
  const sweeps = await openMapped("x.mat", await matFile(MAT["sweeps in a cell"]));
  const [recording] = sweeps.recordings;
  assert.deepEqual([recording.segments.length, recording.samplingFrequency], [3, 500]);
  assert.deepEqual(recording.segments.map((s) => s.startSeconds), [0, 0.128, 0.256]);
  assert.match(sweeps.warnings.join(), /nothing says when each of its 3 sweeps began/);
  const signals = await readArray(await convertDataset(sweeps), "signals");
  assert.deepEqual(signals.shape, [1, 192]);
  assert.deepEqual([signals.data[0], signals.data[64], signals.data[191]], [0, 100, 263]);
  const epochs = await openMapped("x.mat", await matFile(MAT["epochs of two channels"]));
  assert.deepEqual(epochs.recordings[0].channels.map((c) => c.name), ["l", "r"]);
  const { data, shape } = await readArray(await convertDataset(epochs), "signals");
  assert.deepEqual(shape, [2, 128]);
  assert.deepEqual([data[0], data[1], data[64], data[128], data[192]], [0, 2, 1000, 1, 1001]);
});

Deno.test("mapping: what MAT-files say of rates, units, rounding and orientation", async () => {
  const found = async (variables: Record<string, MatValue>) => {
    const { recordings } = await openMapped("x.mat", await matFile(variables));
    return recordings.map((r) => [
      r.channels.map((c) => `${c.name}[${c.units}]`).join(),
      r.samplingFrequency,
      r.sampleCount,
    ]);
  };
  const t = doubles([1, 300], steps(300, 0.004));
  assert.deepEqual(
    await found({
      time: t,
      ECG_mV: doubles([1, 300], cosine(300)),
      P_mmHg: doubles([1, 300], cosine(300)),
    }),
    [["ECG_mV[mV],P_mmHg[mmHg]", 250, 300]],
  );
  assert.deepEqual(
    await found({
      data: doubles([900, 2], cosine(1800)),
      isi: doubles([1, 1], [5]),
      isi_units: text("ms"),
      labels: texts("ECG", "RSP"),
      units: texts("mV", "V"),
    }),
    [["ECG[mV],RSP[V]", 200, 900]],
  );
  assert.deepEqual(
    await found({ AD01: doubles([1, 400], cosine(400)), adfreq: doubles([1, 1], [40]) }),
    [
      ["AD01[]", 40, 400],
    ],
  );
  assert.deepEqual(
    await found({ Data: doubles([2, 900], cosine(1800)), Labels: texts("I", "II") }),
    [
      ["I[],II[]", null, 900],
    ],
  );
  assert.deepEqual(await found(MAT["a matrix with its times in a column"]), [
    ["Time (ms)[],EMG (uV)[uV],ECG[]", 250, 90],
  ]);
  assert.deepEqual(await found(MAT["a matrix with its times in a row"]), [["t[],emg[]", 50, 90]]);
  const rounded = steps(300).map((i) => Math.round(i / 0.256) / 1000);
  assert.deepEqual(
    await found({ t: doubles([300, 1], rounded), emg: doubles([300, 1], cosine(300)) }),
    [["emg[]", 256, 300]],
  );
  assert.deepEqual(
    await found({ data: doubles([2, 900], cosine(1800)), samplerate: doubles([2, 1], [40, 40]) }),
    [["data_1[],data_2[]", 40, 900]],
  );
  assert.deepEqual(await found({ ecg: doubles([1, 900], cosine(900)) }), [["ecg[]", null, 900]]);
  assert.deepEqual(await found({ x: doubles([1, 900], cosine(900)) }), []);
  assert.deepEqual(
    await found({ t, data: doubles([300, 300], cosine(90_000)) }).then((r) => r.length),
    1,
  );
  assert.deepEqual(
    await found({
      spike_times: doubles([1, 300], steps(300, 0.1)),
      spike_amp: doubles([1, 300], cosine(300)),
    }),
    [],
  );
});

function variable(path: string, shape: number[], dtype: DType, values?: NumericArray): Variable {
  const all = () => values ?? new Float64Array(sizeOf(shape));
  return {
    path,
    shape,
    dtype,
    attributes: path.endsWith("ecg") ? { fs: 500 } : {},
    streamable: true,
    values: () => Promise.resolve(all()),
    slice: (from, count) => Promise.resolve((all() as Float64Array).subarray(from, from + count)),
  };
}

function resolve(
  variables: Variable[],
  mapping: Omit<ArrayMapping, "kind" | "name">,
  groups: Record<string, Attributes> = {},
) {
  const tree = { variables, groups: new Map(Object.entries({ "": {}, ...groups })) };
  return resolveMapping(tree, { name: "t", kind: "hdf5", ...mapping }, "x.h5");
}

Deno.test("mapping: names in paths make recordings, moments among them segments", async () => {
  const variables = ["s1", "s2"].flatMap((s) => [
    variable(`${s}/2020-01-01T00:00:10/ecg`, [100, 3], "float64"),
    variable(`${s}/2020-01-01T00:00:00/ecg`, [200, 3], "float64"),
  ]);
  const { recordings, startTime } = await resolve(variables, {
    recordings: [{
      name: "ECG of {subject}",
      signals: [{ variable: "{subject}/{when}/ecg", names: ["I", "II", "III"], time_axis: 0 }],
      time: { rate_hz: 1000 },
      segments_by: "when",
    }],
  });
  assert.deepEqual(recordings.map((r) => [r.name, r.sampleCount]), [
    ["ECG of s1", 300],
    ["ECG of s2", 300],
  ]);
  assert.deepEqual(recordings[0].segments, [
    { startIndex: 0, length: 200, startSeconds: 0 },
    { startIndex: 200, length: 100, startSeconds: 10 },
  ]);
  assert.equal(startTime, "2020-01-01T00:00:00");
});

Deno.test("mapping: wildcards gather channels; types that differ stay apart; attributes give the rate", async () => {
  const { recordings } = await resolve([
    variable("a/w_1", [50], "float32"),
    variable("a/w_2", [50], "float32"),
    variable("a/w_3", [50], "int16"),
    variable("a/level", [3], "float64", Float64Array.of(1, 2, 3)),
  ], {
    recordings: [{
      signals: [{ variable: "{trial}/w_*" }],
      time: { rate: { attribute: "fs", of: "{trial}" } },
      attributes: { levels: "{trial}/level" },
    }],
  }, { a: { fs: "250" } });
  assert.deepEqual(
    recordings.map((r) => [r.name, r.channelCount, r.samplingFrequency, r.attributes.levels]),
    [["a_float32", 2, 250, [1, 2, 3]], ["a_int16", 1, 250, [1, 2, 3]]],
  );
});

Deno.test("mapping: what does not fit is refused by name, with names that are near", async () => {
  const variables = [
    variable("rec/ecg", [100], "float64"),
    variable("rec/emg", [90], "float64"),
    variable("rec/time", [100], "float64", Float64Array.from(steps(100, 0.1))),
  ];
  const fails = (recording: unknown, message: RegExp) =>
    assert.rejects(resolve(variables, { recordings: [recording as never] }), message);
  const time = { rate_hz: 1 };
  await fails({ signals: [{ variable: "rec/eccg" }], time }, /"rec\/eccg".*"rec\/ecg"/);
  await fails({ signals: [{ variable: "rec/ecg" }], time: { variable: "rec/tme" } }, /"rec\/time"/);
  await fails(
    { signals: [{ variable: "rec/ecg" }, { variable: "rec/emg" }], time },
    /different lengths.*90 samples in rec\/emg/,
  );
  await fails(
    { signals: [{ variable: "rec/emg" }], time: { variable: "rec/time" } },
    /100 times.*90 samples/,
  );
  await fails({ signals: [{ variable: "rec/ecg", names: ["a", "b"] }], time }, /text for each/);
  await fails(
    { signals: [{ variable: "rec/ecg" }], time: { rate: { attribute: "f", of: "rec/ecg" } } },
    /"f".*"fs"/,
  );
  await fails({ signals: [{ variable: "{x}/ecg" }], time, segments_by: "x" }, /no moment.*rec/);
  const bytes = await matFile(MAT["t and ecg"]);
  await assert.rejects(
    openMapped("x.mat", bytes, { name: "m", kind: "mat", layout: "labchart" }),
    /layout.*"labchart"/,
  );
});
