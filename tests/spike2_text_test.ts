import assert from "node:assert/strict";
import { splitFields } from "../decoders/ephys/spike2-export-lines.ts";
import { spike2Export } from "../decoders/ephys/spike2-export.ts";
import { isFuseError } from "../src/errors.ts";
import type { Dataset, EventTable } from "../src/model/dataset.ts";
import { openBytes } from "./support/convert-memory.ts";
import { channelSamples } from "./support/materialize.ts";
import { exportBytes, type ExportSpec, exportText } from "./support/spike2-text-files.ts";

const open = (spec: ExportSpec) => openBytes("export.txt", exportBytes(spec));

async function column(dataset: Dataset, name: string, field: string): Promise<unknown[]> {
  const table = dataset.events.find((t) => t.name === name);
  assert.ok(table, `no table ${name} among ${dataset.events.map((t) => t.name)}`);
  const { layout } = table.columns.find((c) => c.name === field)!;
  if (layout.kind === "values") return [...layout.values];
  const out: unknown[] = [];
  const { stream } = layout as { stream: string };
  for await (const block of dataset.openStream!(stream, {})) {
    if (block.field === field) { for (const value of block.values) out.push(value); }
  }
  return out;
}

const names = ({ columns }: EventTable) => columns.map((c) => c.name);
const wave = (number: number, title: string, body: string[], more = {}) => ({
  number,
  kind: "Waveform",
  title,
  units: " volt",
  idealRate: 256,
  rate: "255.754476",
  body,
  ...more,
});

Deno.test("spike2 text: known by its words, above plain tables", () => {
  const score = (text: string) =>
    spike2Export.probe({ head: new TextEncoder().encode(text), name: "x", size: 1 }).score;
  const spec = { channels: [wave(1, "a", ['"START"\t0\t0.1', "1"])] };
  assert.equal(score(exportText(spec)), 240);
  assert.equal(score("\ufeff" + exportText(spec)), 240);
  assert.ok(score(exportText({ ...spec, information: false })) > 200);
  assert.ok(score(exportText({ ...spec, information: false, summary: false })) > 200);
  assert.equal(score('"INFORMATION"\n"Spike2 text export"\n"CHANNEL","HR","Sync"\n0.0,350,0\n'), 0);
  assert.equal(score('"SUMMARY"\n"of sales",1,2\n'), 0);
  assert.equal(score("CHANNEL 1\n2\n"), 0);
  assert.equal(score(""), 0);
});

Deno.test("spike2 text: waveforms with pauses, rates of the summary, units and comments", async () => {
  const dataset = await open({
    file: "Prova2.smr",
    comments: ["first", "", "third"],
    channels: [
      wave(1, "Force", ['"START"\t0.00000\t0.00391', "0.00000", "-0.11088", " 1e3", ".5"]),
      wave(2, "Kraft \xb5", ['"START"\t0.00000\t0.00391', "1", "2", "3", "+4"], {
        units: " \xb5V",
        comment: "load cell",
      }),
      wave(3, "Paused", [
        '"START"\t0.50000\t0.00100',
        "1",
        "2",
        "",
        '"GAP"\t1.25000\t0.00100',
        "3",
        '"START"\t2.00000\t0.00100',
        "4",
        "5",
      ], { idealRate: 1000, rate: "1000.000000" }),
      wave(4, "Empty", []),
    ],
  });
  assert.deepEqual(dataset.warnings, []);
  assert.deepEqual(dataset.recordings.map((r) => [r.name, r.samplingFrequency, r.rawType]), [
    ["waveform_255.7545hz", 255.754476, "float64"],
    ["waveform_1000hz", 1000, "float64"],
  ]);
  const [first, paused] = dataset.recordings;
  assert.deepEqual(first.channels.map((c) => [c.name, c.units]), [
    ["Force", "volt"],
    ["Kraft \xb5", "\xb5V"],
  ]);
  assert.equal(first.channels[1].attributes!.comment, "load cell");
  assert.equal(first.channels[0].attributes!.comment, "");
  assert.deepEqual(await channelSamples(dataset, first, 0), [0, -0.11088, 1000, 0.5]);
  assert.deepEqual(await channelSamples(dataset, first, 1), [1, 2, 3, 4]);
  assert.deepEqual(paused.segments, [
    { startIndex: 0, length: 2, startSeconds: 0.5 },
    { startIndex: 2, length: 1, startSeconds: 1.25 },
    { startIndex: 3, length: 2, startSeconds: 2 },
  ]);
  assert.deepEqual(await channelSamples(dataset, paused, 0), [1, 2, 3, 4, 5]);
  assert.equal(dataset.leftOut[0].what, 'channel 4 "Empty"');
  assert.equal(dataset.metadata.notes, "first\nthird");
  assert.equal(dataset.metadata.header!.exported_from, "Prova2.smr");
});

Deno.test("spike2 text: a run that goes on where the one before it ended is no pause", async () => {
  const dataset = await open({
    channels: [
      wave(1, "a", ['"START"\t0.00000\t0.00391', "1", "2", '"START"\t0.00782\t0.00391', "3"]),
    ],
  });
  assert.deepEqual(dataset.recordings[0].segments, [
    { startIndex: 0, length: 3, startSeconds: 0 },
  ]);
});

Deno.test("spike2 text: events, levels, markers and text marks", async () => {
  const dataset = await open({
    channels: [
      { number: 3, kind: "Evt-", title: "Stim", body: ["0.10000", "0.31700"] },
      { number: 4, kind: "Evt+", title: "None", body: [] },
      {
        number: 5,
        kind: "Level",
        title: "Door",
        body: ['"LOW"', '"HIGH"\t0.5', '"LOW"\t1.25'],
      },
      {
        number: 30,
        kind: "Marker",
        title: "Keyboard",
        body: ['0.5\t"A???"\t65\t0\t0\t0', '0.75\t"B\x7f??"\t66\t1\t2\t255'],
      },
      { number: 6, kind: "Marker", title: "Codes", body: ["1.5\t67\t0\t0\t0"] },
      { number: 8, kind: "Evt+", title: "DigMark", body: ['0.5\t"B???"\t66\t0\t0\t0'] },
      {
        number: 31,
        kind: "TextMark",
        title: "Notes",
        body: ['0.50000\t1\t0\t0\t0\t"base ""line"""', '1.25000\t2\t0\t0\t0\t"10 \xb5M\tdrug"'],
      },
      {
        number: 7,
        kind: "RealMark",
        title: "params",
        units: " au",
        idealRate: 1,
        body: ["0.1\t9\t0\t0\t0\t0.5\t-7", "0.2\t8\t0\t0\t0\t1.5\t8"],
      },
    ],
  });
  assert.deepEqual(dataset.warnings, []);
  assert.deepEqual(dataset.recordings, []);
  assert.deepEqual(await column(dataset, "Stim", "time"), [0.1, 0.317]);
  assert.equal(dataset.events[0].attributes!.edge, "falling");
  assert.equal(dataset.events[1].count, 0);
  assert.deepEqual(await column(dataset, "Door", "time"), [0.5, 1.25]);
  assert.deepEqual(await column(dataset, "Door", "label"), ["rise", "fall"]);
  assert.equal(dataset.events[2].attributes!.initial_level, "low");
  assert.deepEqual(names(dataset.events[3]), ["time", "code", "label", "character"]);
  assert.deepEqual(await column(dataset, "Keyboard", "label"), ["A???", "B\x7f??"]);
  assert.deepEqual(await column(dataset, "Keyboard", "character"), ["A", "B"]);
  assert.deepEqual(await column(dataset, "Keyboard", "code"), [65, 0, 0, 0, 66, 1, 2, 255]);
  assert.deepEqual(await column(dataset, "Codes", "label"), ["67"]);
  assert.deepEqual(names(dataset.events[5]), ["time", "code", "label", "character"]);
  assert.deepEqual(await column(dataset, "DigMark", "code"), [66, 0, 0, 0]);
  assert.deepEqual(names(dataset.events[6]), ["time", "code", "label"]);
  assert.deepEqual(await column(dataset, "Notes", "label"), ['base "line"', "10 \xb5M\tdrug"]);
  assert.deepEqual(await column(dataset, "params", "value"), [0.5, -7, 1.5, 8]);
  assert.deepEqual(dataset.events[7].columns[2].innerShape, [2]);
  assert.equal(dataset.events[7].attributes!.units, "au");
});

Deno.test("spike2 text: WaveMarks", async () => {
  const dataset = await open({
    channels: [{
      number: 2,
      kind: "WaveMark",
      title: "nw-1",
      units: " uV",
      idealRate: 20_000,
      rate: "20000",
      body: [
        '"WAVMK"\t0.006526\t0.00005\t1\t0\t0\t0',
        "0.5",
        "-0.25",
        "3",
        "",
        '"WAVMK"\t0.5\t0.00005\t2\t1\t0\t0',
        "7",
        "8",
        "",
        '"WAVMK"\t0.75\t2\t1\t0\t9',
        "1",
        "2",
        "3",
        "4",
      ],
    }],
  });
  const [table] = dataset.events;
  assert.equal(table.count, 3);
  assert.deepEqual(await column(dataset, "nw-1", "time"), [0.006526, 0.5, 0.75]);
  assert.deepEqual(await column(dataset, "nw-1", "unit"), [1, 2, 2]);
  assert.deepEqual(await column(dataset, "nw-1", "code"), [1, 0, 0, 0, 2, 1, 0, 0, 2, 1, 0, 9]);
  const waveform = table.columns.find((c) => c.name === "waveform")!;
  assert.deepEqual(waveform.innerShape, [3, 1]);
  assert.deepEqual([waveform.units, waveform.attributes!.sampling_frequency], ["uV", 20_000]);
  assert.deepEqual(
    await column(dataset, "nw-1", "waveform"),
    [0.5, -0.25, 3, 7, 8, NaN, 1, 2, 3],
  );
});

Deno.test("spike2 text: without information, summary or heads", async () => {
  const body = ['"START"\t0.00000\t0.00004', "1", "2"];
  for (const newline of ["\r\n", "\n", "\r"]) {
    const dataset = await open({
      information: false,
      summary: false,
      newline,
      separator: newline === "\n" ? "," : "\t",
      channels: [
        wave(1, "fast", newline === "\n" ? ['"START",0.00000,0.00004', "1", "2"] : body, {
          idealRate: 26_000,
        }),
        { number: 2, kind: "", title: "", bare: true, body: ["894.0746375", "894.2245475"] },
        { number: 3, kind: "", title: "", bare: true, body: [] },
      ],
    });
    const [recording] = dataset.recordings;
    // 26 kHz would be printed as 0.00004, too, and is what was asked for.
    assert.equal(recording.samplingFrequency, 26_000);
    assert.match(dataset.warnings.join(), /its rate is the one asked for/);
    assert.deepEqual(await channelSamples(dataset, recording, 0), [1, 2]);
    assert.deepEqual(await column(dataset, "channel_2", "time"), [894.0746375, 894.2245475]);
    assert.equal(dataset.events[1].count, 0);
  }
  const other = await open({
    summary: false,
    channels: [wave(1, "a", body, { idealRate: 10_000 })],
  });
  assert.equal(other.recordings[0].samplingFrequency, 25_000);
  assert.deepEqual(other.warnings, []);
});

Deno.test("spike2 text: a program that puts the rate before the unit", async () => {
  const text = exportText({ channels: [wave(1, "EMG", ['"START"\t0\t0.0002', "1"])] })
    .replace(/" volt"\t256\t255.754476\t1\t0/, '5000\t" mV"')
    .replace(/" volt"\t256\r\n/, "");
  const dataset = await openBytes("x.txt", new TextEncoder().encode(text));
  const [recording] = dataset.recordings;
  assert.equal(recording.samplingFrequency, 5000);
  assert.equal(recording.channels[0].units, "mV");
});

Deno.test("spike2 text: many events are streamed, many samples come in blocks", async () => {
  const n = 240_000;
  const times = Array.from({ length: n }, (_, i) => (i / 100).toFixed(16));
  const dataset = await open({
    channels: [
      { number: 1, kind: "Evt+", title: "Beats", body: times },
      wave(2, "long", ['"START"\t0\t0.001', ...times.slice(0, 100_000)], { rate: "1000" }),
    ],
  });
  const [table] = dataset.events;
  assert.deepEqual([table.count, table.columns[0].layout.kind], [n, "stream"]);
  for (let pass = 0; pass < 2; pass++) {
    let at = 0;
    for await (const block of dataset.openStream!("channel-1", {})) {
      assert.ok(block.count <= 65_536);
      assert.equal(block.values[0], Number(times[at]));
      at += block.count;
    }
    assert.equal(at, n);
  }
  assert.equal(dataset.recordings[0].sampleCount, 100_000);
  assert.throws(() => dataset.openStream!("channel-9", {}), /no stream/);
});

Deno.test("spike2 text: what does not fit is said", async () => {
  const dataset = await open({
    channels: [
      wave(1, "odd", ['"START"\t0.0\t0.00391', "1", '"a stray line"', "2", "12abc", "1.#QNAN"]),
      wave(1, "odd", ['"START"\t9.0\t0.00391', "5"]),
      { number: 2, kind: "Evt-", title: "e", body: ["1", '"text"\t"more"', "2"] },
    ],
  });
  const warnings = dataset.warnings.join("\n");
  assert.match(warnings, /channel 1 "odd" comes several times/);
  assert.match(warnings, /channel 1 "odd": 1 lines among its samples are no numbers/);
  assert.match(warnings, /channel 2 "e": 1 lines among its events/);
  const [recording] = dataset.recordings;
  assert.deepEqual(await channelSamples(dataset, recording, 0), [1, 2, NaN, NaN, 5]);
  const told: string[] = [];
  for await (const block of dataset.openStream!("channel-1", {})) {
    if (block.field === "warnings") told.push(...block.values as string[]);
  }
  assert.match(told.join(), /1 samples are no numbers; they became NaN/);
  assert.deepEqual(await column(dataset, "e", "time"), [1, 2]);
  const refused: [RegExp, ExportSpec][] = [
    [/nothing tells its sampling rate/, {
      summary: false,
      channels: [wave(1, "a", ['"START"\t0', "1"], { idealRate: 0 })],
    }],
    [/a run of samples without its time/, { channels: [wave(1, "a", ['"START"', "1"])] }],
    [/a spike without its time/, {
      channels: [{ number: 1, kind: "WaveMark", title: "w", body: ['"WAVMK"', "1"] }],
    }],
    [/without channels/, { channels: [] }],
  ];
  for (const [message, spec] of refused) {
    const reader = await spike2Export.load();
    const { MemorySource } = await import("../src/source/memory.ts");
    await assert.rejects(
      reader.open(new MemorySource("bad.txt", exportBytes(spec)), {}),
      (error) => isFuseError(error, "Corrupt") && message.test(error.message),
    );
  }
  const several = await open({ channels: [wave(1, "a", ['"START"\t0\t1', "1\t2", "3\t4"])] });
  await assert.rejects(
    channelSamples(several, several.recordings[0], 0),
    /channel 1 "a": not one sample a line/,
  );
});

Deno.test("spike2 text: fields of a line", () => {
  const fields = (line: string) => splitFields(line).fields;
  assert.deepEqual(fields('"a"\t" b, c"\t-1.5'), ["a", " b, c", "-1.5"]);
  assert.deepEqual(fields('"",1;"x""y"'), ["", "1", 'x"y']);
  assert.deepEqual(fields("CHANNEL 1"), ["CHANNEL", "1"]);
  assert.deepEqual(fields('"open'), ["open"]);
  assert.deepEqual(fields(""), []);
});
