import assert from "node:assert/strict";
import { evenStep } from "../decoders/tables/csv-rate.ts";
import { isUnit, splitHeader, timeFactor } from "../decoders/tables/csv-units.ts";
import { array, channel, events, lines, openTable, times, wave } from "./support/tables.ts";

const two = (n: number) => String(n).padStart(2, "0");

async function timed(header: string, cell: (i: number) => string, count = 30) {
  const opened = await openTable(`${header},v\n` + lines(count, (i) => `${cell(i)},${wave(i)}`));
  const { recordings: [recording], metadata, warnings } = opened.dataset;
  assert.deepEqual(channel(opened, 0).length, count);
  return {
    rate: recording.samplingFrequency,
    time: times(opened),
    start: metadata.startTime,
    header: metadata.header!,
    warnings,
  };
}

Deno.test("csv time: units by bracket, suffix or name", async () => {
  const cases: [string, number, number][] = [
    ["Time (ms)", 10, 0.01],
    ["time_ms", 10, 0.01],
    ["Time_us", 10, 1e-5],
    ["t [µs]", 10, 1e-5],
    ["Time (min)", 1, 60],
    ["elapsed hours", 1, 3600],
    ["TimeStamp(sec)", 2, 2],
    ["seconds", 2, 2],
    ["X_Value", 2, 2],
  ];
  for (const [header, step, seconds] of cases) {
    const { time, rate } = await timed(header, (i) => String(i * step));
    assert.equal(time[1], seconds, header);
    assert(Math.abs(rate! * seconds - 1) < 1e-12, header);
  }
});

Deno.test("csv time: ISO stamps become seconds since the first row", async () => {
  const { time, rate, start } = await timed(
    "timestamp",
    (i) => `2021-03-17T14:25:36.${String(i * 10).padStart(3, "0")}Z`,
  );
  assert.deepEqual([time[0], time[29], rate], [0, 0.29, 100]);
  assert.equal(start, "2021-03-17T14:25:36.000Z");
  const irregular = await timed("timestamp", (i) => `2026-03-23T09:48:${two(i + (i > 9 ? 7 : 0))}`);
  assert.equal(irregular.rate, null);
  assert.equal(irregular.start, "2026-03-23T09:48:00");
});

Deno.test("csv time: date orders", async () => {
  const month = await timed("Timestamp", (i) => `3/17/2021 2:25:${two(i)} PM`);
  assert.deepEqual([month.start, month.rate], ["2021-03-17T14:25:00", 1]);
  const day = await timed("Timestamp", (i) => `17.03.2021 14:25:${two(i)}`);
  assert.equal(day.start, "2021-03-17T14:25:00");
  // Nothing tells 03/04 apart but that days change.
  const changing = await timed("Date", (i) => `03/${two(1 + i)}/2021`, 12);
  assert.deepEqual([changing.start, changing.time[1]], ["2021-03-01", 86_400]);
});

Deno.test("csv time: date and clock in two columns", async () => {
  const { time, start, rate } = await timed(
    "Date,Time",
    (i) => i < 15 ? `17/03/2021,23:59:${45 + i}` : `18/03/2021,00:00:${two(i - 15)}`,
  );
  assert.deepEqual([time[29], rate, start], [29, 1, "2021-03-17T23:59:45"]);
});

Deno.test("csv time: clocks, past midnight and from zero", async () => {
  const day = await timed("Time", (i) => {
    const s = 86_390 + i;
    return `${two(Math.floor(s / 3600) % 24)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
  });
  assert.deepEqual([day.time[0], day.time[29], day.rate], [0, 29, 1]);
  assert.equal(day.header.start_time_of_day, "23:59:50");
  assert.match(day.warnings.join(), /midnight/);
  const elapsed = await timed("Elapsed", (i) => `00:00:${(5 + i / 4).toFixed(2).padStart(5, "0")}`);
  assert.deepEqual([elapsed.time[0], elapsed.rate], [5, 4]);
});

Deno.test("csv time: counts since 1970 keep every digit", async () => {
  const seconds = await timed("timestamp", (i) => (1616000000 + i * 0.004).toFixed(3));
  assert.deepEqual([seconds.time[7], seconds.rate], [0.028, 250]);
  assert.equal(seconds.start, "2021-03-17T16:53:20.000Z");
  const nano = await timed("timestamp", (i) => `${1616000000123456789n + 4000001n * BigInt(i)}`);
  assert.deepEqual([nano.time[1], nano.start], [0.004000001, "2021-03-17T16:53:20.123456789Z"]);
  assert.match(nano.warnings.join(), /nanoseconds since 1970/);
});

Deno.test("csv time: measured times are no time axis, and a named one is no channel", async () => {
  const opened = await openTable(
    "trial,reaction time (ms),v\n" + lines(20, (i) => `${i},${300 + (i * 37) % 90},${wave(i)}`),
  );
  assert.equal(opened.dataset.recordings.every((r) => r.timeGenerated), true);
});

Deno.test("csv time: a rate needs steps that are even within their printed digits", () => {
  const rate = (values: number[], seconds: number, significantDigits?: number) =>
    evenStep(Float64Array.from(values), { seconds, significantDigits })?.rateHz ?? null;
  const n = (count: number, f: (i: number) => number) =>
    Array.from({ length: count }, (_, i) => f(i));
  const round = (v: number, digits: number) => Number(v.toFixed(digits));
  assert.equal(rate(n(400, (i) => round(i * 0.01, 2)), 0.01), 100);
  assert.equal(rate(n(2000, (i) => round(i / 30000, 6)), 1e-6), 30000);
  assert.equal(rate(n(2000, (i) => round(i / 3, 4)), 1e-4), 3);
  assert.equal(rate(n(500, (i) => i * 0.1), 1e-17, 17), 10);
  assert.equal(rate(n(100, (i) => round(i * 0.007, 3)), 1e-3), 1 / 0.007);
  // Too few and too coarse, uneven, standing still, going back.
  assert.equal(rate([0, 0.1, 0.3], 0.1), null);
  assert.equal(rate(n(100, (i) => i + (i === 50 ? 0.3 : 0)), 0.1), null);
  assert.equal(rate(n(100, (i) => i + (i > 50 ? 20 : 0)), 0.1), null);
  assert.equal(rate(n(100, () => 5), 1), null);
  assert.equal(rate([0, 1], 1), null);
  assert.equal(rate([0, 1, NaN, 3], 1), null);
});

/** More than the 8 MiB that are gone through before converting. */
const ROWS = 620_000;

Deno.test("csv time: large files are judged at both ends and checked on the way", async () => {
  const even = await openTable(
    "Time (s),a\n" + lines(ROWS, (i) => `${(i / 1000).toFixed(3)},${i % 977}.25`),
  );
  const [recording] = even.dataset.recordings;
  assert.equal(recording.sampleCount, null);
  assert.equal(recording.samplingFrequency, 1000);
  assert.equal(times(even).length, ROWS);
  assert.equal(even.fields.has("table:warnings"), false);

  const odd = await openTable(
    "Time (s),a,mark\n" +
      lines(ROWS, (i) => {
        const t = ((i + (i > 300_000 ? 70 : 0)) / 1000).toFixed(3);
        return `${t},${i === 5e5 ? "off" : `${i % 97}.25`},${i % 2e5 === 7 ? "x" : ""}`;
      }),
  );
  assert.equal(odd.dataset.recordings[0].samplingFrequency, 1000);
  const warnings = odd.fields.get("table:warnings")!.flatMap((b) => b.values as string[]);
  assert.match(warnings.join("\n"), /1 cell does not fit[^]*first at row 300001/);
  assert.deepEqual(array(odd, "source/unparsed_cells/text"), ["off"]);
  assert.deepEqual(events(odd, "mark").time, [0.007, 200.007, 400.077, 600.077]);
});

Deno.test("csv time: large files with a break or another step at the end get no rate", async () => {
  const hole = await openTable(
    "t (ms),a\n" + lines(ROWS, (i) => `${i + (i > ROWS / 2 ? 9_000_000 : 0)},${i % 97}.125`),
  );
  assert.equal(hole.dataset.recordings[0].samplingFrequency, null);
  assert.match(hole.dataset.warnings.join(), /no sampling frequency.*tell of/);
  const slower = await openTable(
    "t (ms),a\n" + lines(ROWS, (i) => `${i < ROWS / 2 ? i : 2 * i - ROWS / 2},${i % 97}.125`),
  );
  assert.equal(slower.dataset.recordings[0].samplingFrequency, null);
  assert.match(slower.dataset.warnings.join(), /0\.001 s at the start and 0\.002 s at the end/);
});

Deno.test("csv time: since the start, beside a date, of events, and other axes", async () => {
  const since = await openTable(
    "subject,time since start (s),amp (mV)\n" +
      lines(40, (i) => `${i < 20 ? "a" : "b"},${5 * (i % 20)},${wave(i)}`),
  );
  assert.deepEqual(since.dataset.recordings[0].channels.map((c) => c.name), ["amp a", "amp b"]);
  const dated = await openTable(
    "Timestamp,Elapsed (s),EMG\n" +
      lines(40, (i) => `2021-01-01 10:00:${String(i).padStart(2, "0")},${i},${wave(i)}`),
  );
  assert.deepEqual(dated.dataset.recordings[0].channels.map((c) => c.name), ["EMG"]);
  assert.deepEqual(array(dated, "source/Elapsed").slice(0, 2), [0, 1]);
  const spikes = await openTable("spike_time,unit\n" + lines(40, (i) => `${i * i / 7},${i % 3}`));
  assert.equal(spikes.dataset.recordings.length, 0);
  assert.equal(spikes.dataset.events.length, 1);
  const spectrum = await openTable(
    "Frequency (Hz),Power (dB)\n" + lines(90, (i) => `${i},${wave(i)}`),
  );
  assert.equal(spectrum.dataset.recordings.length, 0);
});

Deno.test("csv units: what is a unit and what is not", () => {
  const yes = [
    "mV",
    "µV",
    "μV",
    "mmHg",
    "mL/min",
    "m/s^2",
    "m/s²",
    "°C",
    "%",
    "a.u.",
    "kΩ",
    "N",
    "bpm",
  ];
  for (const unit of [...yes, "V/√Hz".slice(0, 1), "mg/kg", "1/s", "dF/F", "Volts"]) {
    assert.equal(isUnit(unit), true, unit);
  }
  for (const word of ["left", "Ch1", "raw", "1", "", "x", "since first row", "EMG"]) {
    assert.equal(isUnit(word), false, word);
  }
  assert.deepEqual(splitHeader("U / mV"), { name: "U", units: "mV" });
  assert.deepEqual(splitHeader("t/ms"), { name: "t", units: "ms" });
  assert.deepEqual(splitHeader("mL/min"), { name: "mL/min", units: "" });
  assert.deepEqual(splitHeader("EMG_mV"), { name: "EMG_mV", units: "mV" });
  assert.deepEqual(splitHeader("Group (A1)"), { name: "Group (A1)", units: "" });
  assert.deepEqual(splitHeader("Odd [furlong]"), { name: "Odd", units: "furlong" });
  assert.deepEqual(timeFactor("µs"), { multiply: 1, divide: 1e6 });
  assert.equal(timeFactor("mV"), null);
});
