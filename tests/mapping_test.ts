/** Which arrays of a container are signals: evidence, scores, and what stays a plain array. */
import assert from "node:assert/strict";
import { findRecordings } from "../decoders/mapping/map.ts";
import { readMoment, secondsBetween } from "../decoders/mapping/evidence.ts";
import { type Mapping, sizeOf, type Variable } from "../decoders/mapping/variables.ts";
import type { Attributes } from "../src/model/dataset.ts";
import type { DType, NumericArray } from "../src/model/dtype.ts";

type Values = NumericArray | string[];

function variable(
  path: string,
  shape: number[],
  dtype: DType,
  attributes: Attributes = {},
  values?: Values,
): Variable {
  const all = () => values ?? new Float64Array(sizeOf(shape));
  return {
    path,
    shape,
    dtype,
    attributes,
    streamable: dtype !== "string",
    values: () => Promise.resolve(all()),
    slice: (from, count) => Promise.resolve((all() as Float64Array).subarray(from, from + count)),
  };
}

const steps = (n: number, by: number, from = 0) =>
  Float64Array.from({ length: n }, (_, i) => from + i * by);

async function map(
  variables: Variable[],
  groups: Record<string, Attributes> = {},
): Promise<Mapping | null> {
  return await findRecordings({
    variables,
    groups: new Map(Object.entries({ "": {}, ...groups })),
  });
}

async function rateOf(attributes: Attributes, group: Attributes = {}): Promise<number | null> {
  const mapping = await map([variable("g/signal", [5000], "float32", attributes)], { g: group });
  return mapping?.recordings[0].samplingFrequency ?? null;
}

Deno.test("rates are read under the names programs give them, with their units", async () => {
  for (
    const [name, value, expected] of [
      ["fs", 1000, 1000],
      ["Sampling Rate", "2000", 2000],
      ["sampling_frequency_khz", 30, 30000],
      ["SampleRate(Hz)", [250], 250],
      ["srate", 512.5, 512.5],
      ["dt", 0.001, 1000],
      ["sampling_interval_ms", 2, 500],
      ["sample_period_us", 50, 20000],
    ] as const
  ) {
    assert.equal(await rateOf({ [name]: value as never }), expected, name);
    assert.equal(await rateOf({}, { [name]: value as never }), expected, `${name} of the group`);
  }
  assert.equal(await rateOf({ rate: 2, rate_units: "kHz" }), 2000);
  assert.equal(await rateOf({ sampling_rate: "250 Hz" }), 250);
  const late = await map([variable("lfp", [5000], "float32", { rate: 100, starting_time: 1.5 })]);
  assert.equal(late!.recordings[0].segments[0].startSeconds, 1.5);
  // Not rates of sampling, not numbers, not possible.
  const bad: Attributes[] = [{ stimulation_frequency: 20 }, { fs: "fast" }, { fs: 0 }, { fs: -5 }, {
    dt: 5,
  }];
  for (const attributes of bad) {
    assert.equal(await rateOf(attributes), null, JSON.stringify(attributes));
  }
});

Deno.test("the nearest rate counts; a scalar beside the signal is as good as an attribute", async () => {
  const near = variable("a/fs", [1], "float64", {}, Float64Array.of(100));
  const far = variable("fs", [1], "float64", {}, Float64Array.of(5));
  const mapping = await map([variable("a/data", [5000], "int16"), near, far]);
  assert.equal(mapping!.recordings[0].samplingFrequency, 100);
  assert.match(mapping!.recordings[0].why.join(), /100 Hz by the scalar a\/fs/);
  const settings = await map([
    variable("a/raw", [4, 5000], "uint16"),
    variable("a/settings/sampling", [1], "float64", {}, Float64Array.of(20_000)),
  ]);
  assert.equal(settings!.recordings[0].samplingFrequency, 20_000);
});

Deno.test("a time vector says which axis is time, whatever the axes' lengths", async () => {
  const time = variable("time", [300], "float64", {}, steps(300, 0.01));
  const mapping = await map([variable("data", [512, 300], "float32"), time]);
  const [recording] = mapping!.recordings;
  assert.deepEqual([recording.signals[0].timeAxis, recording.signals[0].channelAxis], [1, 0]);
  assert.deepEqual([recording.channelCount, recording.sampleCount], [512, 300]);
  assert.equal(recording.samplingFrequency, 100);
  assert.equal(recording.time!.variable.path, "time");
  assert.deepEqual([...mapping!.used].sort(), ["data", "time"]);
});

Deno.test("times in other units, since a moment, or of the calendar", async () => {
  const signal = () => variable("ecg", [500], "float32");
  const ms = await map([signal(), variable("time_ms", [500], "float64", {}, steps(500, 4))]);
  assert.equal(ms!.recordings[0].samplingFrequency, 250);
  assert.equal(ms!.recordings[0].time!.secondsPerUnit, 1e-3);
  const since = await map([
    signal(),
    variable(
      "time",
      [500],
      "float64",
      { units: "seconds since 2020-05-01 10:00:00" },
      steps(500, 1),
    ),
  ]);
  assert.equal(since!.startTime, "2020-05-01T10:00:00");
  const epoch = await map([
    signal(),
    variable("timestamps", [500], "float64", { units: "s" }, steps(500, 1, 1.6e9)),
  ]);
  assert.equal(epoch!.startTime, "2020-09-13T12:26:40.000Z");
  assert.equal(epoch!.recordings[0].time!.zero, 1.6e9);
});

Deno.test("uneven times give no rate, falling ones no time", async () => {
  const uneven = steps(500, 0.01);
  for (let i = 250; i < 500; i++) uneven[i] += 3;
  const signal = () => variable("ecg", [500], "float32");
  const paused = await map([signal(), variable("time", [500], "float64", { units: "s" }, uneven)]);
  assert.equal(paused!.recordings[0].samplingFrequency, null);
  assert.equal(
    await map([signal(), variable("time", [500], "float64", {}, uneven.toReversed())]),
    null,
  );
});

Deno.test("a rate that contradicts the times is said", async () => {
  const mapping = await map([
    variable("ecg", [500], "float32", { fs: 1000 }),
    variable("time", [500], "float64", { units: "s" }, steps(500, 0.01)),
  ]);
  assert.match(mapping!.warnings.join(), /1000 Hz .* but the times of time step by 0.01 s/);
});

Deno.test("arrays of one clock are channels of one recording; other types and lengths are apart", async () => {
  const mapping = await map([
    variable("r/ecg", [5000], "float32", { units: "mV" }),
    variable("r/emg", [5000], "float32", { units: "uV" }),
    variable("r/adc", [5000], "int16"),
    variable("r/slow_signal", [500], "float32"),
    variable("r/labels", [2], "string", {}, ["x", "y"]),
  ], { r: { sampling_rate: 500 } });
  assert.deepEqual(
    mapping!.recordings.map((r) => [r.name, r.signals.flatMap((s) => s.names)]),
    [["r", ["ecg", "emg"]], ["r_adc", ["adc"]], ["r_slow_signal", ["slow_signal"]]],
  );
  assert.deepEqual(mapping!.recordings[0].signals.map((s) => s.units[0]), ["mV", "uV"]);
});

Deno.test("channel names come from attributes, from texts beside the signal, or from its own name", async () => {
  const names = async (attributes: Attributes, ...others: Variable[]) => {
    const mapping = await map([
      variable("data", [5000, 3], "int16", { fs: 100, ...attributes }),
      ...others,
    ]);
    return mapping!.recordings[0].signals[0].names;
  };
  assert.deepEqual(await names({ channel_names: ["a", "b", "c"] }), ["a", "b", "c"]);
  assert.deepEqual(await names({ columns: "a,b, c" }), ["a", "b", "c"]);
  assert.deepEqual(await names({}, variable("labels", [3], "string", {}, ["x ", "y", "z"])), [
    "x",
    "y",
    "z",
  ]);
  assert.deepEqual(await names({}, variable("labels", [2], "string", {}, ["x", "y"])), [
    "data_0",
    "data_1",
    "data_2",
  ]);
});

Deno.test("what is not clearly a signal stays an array, and is named as a rival", async () => {
  assert.equal(await map([variable("data", [5000], "float32")]), null, "no rate, no time");
  const mapping = await map([
    variable("ecg", [5000], "float32"),
    variable("electrode_positions", [64, 3], "float64"),
    variable("spike_times_index", [900], "int64"),
    variable("mask", [40, 30], "uint8"),
  ], { "": { sampling_rate: 1000 } });
  assert.deepEqual(mapping!.recordings.flatMap((r) => r.signals.map((s) => s.variable.path)), [
    "ecg",
  ]);
  const { rivals } = mapping!.explanation as { rivals: { what: string; score: number }[] };
  assert.deepEqual(
    new Set(rivals.map((r) => r.what.replace("signal ", ""))),
    new Set([
      "electrode_positions",
      "spike_times_index",
      "mask",
    ]),
  );
  assert(rivals.every((r) => r.score < 60));
});

Deno.test("rates in settings beside, under the signal's own name, and times that are axes", async () => {
  const settings = await map([variable("data/ecg", [5000], "float32")], {
    data: {},
    metadata: { sampling_rate: 200 },
  });
  assert.equal(settings!.recordings[0].samplingFrequency, 200);
  const scalar = (path: string, value: number) =>
    variable(path, [1], "float64", {}, Float64Array.of(value));
  const own = await map([
    variable("emg", [4000], "float32"),
    scalar("fs_emg", 2000),
    variable("ecg", [1000], "float32"),
    scalar("ecg_fs", 500),
  ]);
  assert.deepEqual(own!.recordings.map((r) => [r.name, r.samplingFrequency]), [
    ["emg", 2000],
    ["ecg", 500],
  ]);
  const axis = variable("x", [500], "float64", { units: "ms" }, steps(500, 5));
  const scaled = await map([{ ...variable("trace", [500, 2], "float32"), axes: ["x", ""] }, axis]);
  assert.equal(scaled!.recordings[0].samplingFrequency, 200);
  assert.equal(scaled!.recordings.length, 1);
});

Deno.test("moments are read with all their digits", () => {
  const a = readMoment("2022-03-28 20:03:52.303544")!,
    b = readMoment("2022-03-28 20:04:23.921393")!;
  assert.equal(a.iso, "2022-03-28T20:03:52.303544");
  assert.equal(secondsBetween(a, b), 31.617849);
  const zoned = readMoment("2022-09-22T20:19:58+0200")!;
  assert.equal(zoned.iso, "2022-09-22T20:19:58+02:00");
  assert.equal(secondsBetween(readMoment("2022-09-22T18:19:58Z")!, zoned), 0);
  for (const bad of ["2022-13-01T00:00:00", "today", "2022-01-01", ""]) {
    assert.equal(readMoment(bad), undefined, bad);
  }
});

Deno.test("published rates are believed only where the lengths bear them out", async () => {
  const take = (moment: string, ecg: number, hr: number) => [
    variable(`s/${moment}/ecg`, [ecg, 3], "float64"),
    variable(`s/${moment}/hr`, [hr, 2], "float64"),
  ];
  const good = await map([
    ...take("2022-01-01T00:00:00", 2000, 1001),
    ...take("2022-01-01T00:00:09", 1000, 500),
  ]);
  assert.deepEqual(good!.recordings.map((r) => r.samplingFrequency), [1000, 500]);
  assert.deepEqual(good!.recordings[0].segments[1], {
    startIndex: 2000,
    length: 1000,
    startSeconds: 9,
  });
  const odd = await map(take("2022-01-01T00:00:00", 2000, 2000));
  assert.deepEqual(odd!.recordings.map((r) => [r.samplingFrequency, r.timeGenerated]), [
    [null, true],
    [null, true],
  ]);
});
