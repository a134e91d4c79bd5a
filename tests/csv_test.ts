import assert from "node:assert/strict";
import { csv } from "../decoders/tables/csv.ts";
import { isFuseError } from "../src/errors.ts";
import { MemorySource } from "../src/source/memory.ts";
import { pipeSource } from "../src/source/pipe.ts";
import {
  array,
  channel,
  events,
  latin1,
  lines,
  openTable,
  times,
  utf16,
  wave,
} from "./support/tables.ts";

const comma = (text: string) => text.replace(".", ",");
const expected = (n: number, from = 0) =>
  Array.from({ length: n }, (_, i) => Number(wave(i + from)));

Deno.test("csv: units in round and square brackets, time in seconds", async () => {
  const opened = await openTable(
    "Time (s),Pressure (mmHg),Flow [mL/min],Side (left)\n" +
      lines(50, (i) => `${(5 + i * 0.01).toFixed(2)},${wave(i)},${i},1`),
  );
  const [recording] = opened.dataset.recordings;
  assert.deepEqual(recording.channels.map((c) => [c.name, c.units]), [
    ["Pressure", "mmHg"],
    ["Flow", "mL/min"],
    ["Side (left)", ""],
  ]);
  assert.equal(recording.samplingFrequency, 100);
  assert.equal(recording.sampleCount, 50);
  assert.deepEqual(recording.segments, [{ startIndex: 0, length: 50, startSeconds: 5 }]);
  assert.deepEqual(channel(opened, 0), expected(50));
  assert.equal(times(opened)[1], 5.01);
  assert.deepEqual(opened.dataset.warnings, []);
});

Deno.test("csv: a second header row of units", async () => {
  for (const units of ["ms;mV;mmHg", "(ms);[mV];(mmHg)", "[ms];[mV];[mmHg]"]) {
    const opened = await openTable(
      `t;EMG;P\n${units}\n` + lines(30, (i) => `${i * 2};${wave(i)};1`),
    );
    const [recording] = opened.dataset.recordings;
    assert.deepEqual(recording.channels.map((c) => [c.name, c.units]), [["EMG", "mV"], [
      "P",
      "mmHg",
    ]]);
    assert.equal(recording.samplingFrequency, 500, units);
    assert.equal(times(opened)[3], 0.006);
  }
});

Deno.test("csv: semicolons, decimal commas, comments, CRLF, Latin-1", async () => {
  const opened = await openTable(latin1(
    "# Device: X1\r\n# Rate: 10 Hz\r\nt [ms];EMG [\xb5V];T (\xb0C)\r\n" +
      lines(40, (i) => `${i * 100},0;${comma(wave(i))};36,6`, "\r\n"),
  ));
  const [recording] = opened.dataset.recordings;
  assert.deepEqual(recording.channels.map((c) => c.units), ["µV", "°C"]);
  assert.deepEqual(channel(opened, 0), expected(40));
  assert.equal(recording.samplingFrequency, 10);
  const header = opened.dataset.metadata.header!;
  assert.deepEqual(header.comments, ["Device: X1", "Rate: 10 Hz"]);
  assert.deepEqual([header.encoding, header.decimal, header.line_end], [
    "windows-1252",
    ",",
    "CRLF",
  ]);
});

Deno.test("csv: UTF-16 in both orders, with and without a mark, and UTF-8 with one", async () => {
  const text = "time_s\tµ\tn\r\n" + lines(60, (i) => `${i / 10}\t${wave(i)}\tü${i}`, "\r\n");
  const forms = [
    utf16(text),
    utf16(text, { big: true }),
    utf16(text, { mark: false }),
    utf16(text, { big: true, mark: false }),
    new TextEncoder().encode("\ufeff" + text),
  ];
  for (const bytes of forms) {
    const opened = await openTable(bytes, "x.tsv");
    assert.equal(opened.dataset.recordings[0].channels[0].name, "µ");
    assert.deepEqual(channel(opened, 0), expected(60));
    assert.equal(array(opened, "source/n")[59], "ü59");
    assert.equal(opened.dataset.recordings[0].samplingFrequency, 10);
  }
});

Deno.test("csv: no header and no time gives numbered columns and a sample index", async () => {
  const opened = await openTable(lines(100, (i) => `${wave(i)},${wave(i + 7)}`));
  const [recording] = opened.dataset.recordings;
  assert.deepEqual(recording.channels.map((c) => c.name), ["column 1", "column 2"]);
  assert.equal(recording.timeGenerated, true);
  assert.equal(recording.samplingFrequency, null);
  assert.deepEqual(channel(opened, 1), expected(100, 7));
});

Deno.test("csv: quoted names and cells with separators, quotes and newlines; empty cells are NaN", async () => {
  const opened = await openTable(
    '"Time, elapsed (s)","Force, ""left""\nhand (N)",Gap,Note\n' +
      lines(30, (i) => `${i * 0.5},"${wave(i)}",${i % 3 ? i : ""},"a, b\n${i}"`),
  );
  const [recording] = opened.dataset.recordings;
  assert.deepEqual(recording.channels.map((c) => [c.name, c.units]), [
    ['Force, "left" hand', "N"],
    ["Gap", ""],
  ]);
  assert.deepEqual(channel(opened, 0), expected(30));
  assert.deepEqual(channel(opened, 1).slice(0, 4), [NaN, 1, 2, NaN]);
  assert.equal(array(opened, "source/Note")[29], "a, b\n29");
});

Deno.test("csv: a preamble of unequal width and a trailing empty column", async () => {
  const opened = await openTable(
    "LabVIEW Measurement\nWriter_Version,2\nDate,2021/03/17\nTime,14:25:36.789\n" +
      "***End_of_Header***\n\nX_Value,Voltage,Comment\n" +
      lines(40, (i) => `${(i * 0.01).toFixed(6)},${wave(i)},`),
  );
  const { metadata, recordings: [recording], leftOut } = opened.dataset;
  assert.deepEqual(metadata.header!.preamble, {
    Writer_Version: "2",
    Date: "2021/03/17",
    Time: "14:25:36.789",
  });
  assert.equal(metadata.startTime, "2021-03-17T14:25:36.789");
  assert.deepEqual(recording.channels.map((c) => c.name), ["Voltage"]);
  assert.equal(recording.samplingFrequency, 100);
  assert.match(leftOut[0].what, /Comment/);
});

Deno.test("csv: LabVIEW files without times take rate and units from their lines", async () => {
  const opened = await openTable(
    "LabVIEW Measurement\t\nSeparator\tTab\n***End_of_Header***\t\n\t\nChannels\t2\t\n" +
      "Samples\t50\t50\t\nY_Unit_Label\tVolts\tAmps\t\nX0\t2.0\t2.0\t\nDelta_X\t0.001\t0.001\t\n" +
      "***End_of_Header***\t\t\t\nX_Value\tU\tI\tComment\n" +
      lines(50, (i) => `\t${wave(i)}\t${wave(i + 2)}`),
    "x.txt",
  );
  const [recording] = opened.dataset.recordings;
  assert.equal(recording.samplingFrequency, 1000);
  assert.equal(recording.timeGenerated, undefined);
  assert.equal(recording.segments[0].startSeconds, 2);
  assert.deepEqual(recording.channels.map((c) => [c.name, c.units]), [["U", "Volts"], [
    "I",
    "Amps",
  ]]);
  assert.match(opened.dataset.warnings.join(), /Delta_X/);
});

Deno.test("csv: LabChart text exports name their channels above the table", async () => {
  const opened = await openTable(
    "Interval=\t0.001 s\nExcelDateTime=\t4.4e+04\t2021-03-17 14:25:36.789\n" +
      "ChannelTitle=\tPressure\tFlow\nRange=\t10.000 mmHg\t5.000 mV\n" +
      lines(50, (i) => `${(i * 0.001).toFixed(3)}\t${wave(i)}\t1${i === 7 ? "\t#* stim" : ""}`),
    "x.txt",
  );
  const { recordings: [recording], metadata } = opened.dataset;
  assert.deepEqual(recording.channels.map((c) => [c.name, c.units]), [
    ["Pressure", "mmHg"],
    ["Flow", "mV"],
  ]);
  assert.equal(metadata.startTime, "2021-03-17T14:25:36.789");
  assert.deepEqual(events(opened, "Comments"), { time: [0.007], label: ["#* stim"] });
});

Deno.test("csv: sparse text columns are events, full ones stay beside the data", async () => {
  for (const blank of ["", "NaN"]) {
    const opened = await openTable(
      "Subject,time_s,value,marker\n" +
        lines(60, (i) => `rat1,${i / 10},${wave(i)},${i % 25 === 10 ? `stim ${i}` : blank}`),
    );
    assert.deepEqual(events(opened, "marker"), { time: [1, 3.5], label: ["stim 10", "stim 35"] });
    assert.equal(array(opened, "source/Subject").length, 60);
    assert.equal(opened.dataset.recordings[0].samplingFrequency, 10);
  }
});

Deno.test("csv: cells that do not fit are kept word for word", async () => {
  const opened = await openTable(
    "time,a\n" +
      lines(60, (i) => i === 7 ? "0.7,ERR 5" : i === 9 ? "0.9" : `${i / 10},${wave(i)}`) +
      "# the end\n",
  );
  assert.equal(Number.isNaN(channel(opened, 0)[7]), true);
  assert.equal(Number.isNaN(channel(opened, 0)[9]), true);
  assert.deepEqual(array(opened, "source/unparsed_cells/row"), [7, 60]);
  assert.deepEqual(array(opened, "source/unparsed_cells/column"), ["a", "(comment line)"]);
  assert.deepEqual(array(opened, "source/unparsed_cells/text"), ["ERR 5", "# the end"]);
  assert.match(opened.dataset.warnings.join("\n"), /1 cell does not fit[^]*1 row ends before/);
});

Deno.test("csv: names that come twice stay apart", async () => {
  const opened = await openTable("t,v,v,v\n" + lines(30, (i) => `${i / 10},${i},2,x`));
  assert.deepEqual(opened.dataset.recordings[0].channels.map((c) => c.name), ["v", "v (2)"]);
  assert.deepEqual(opened.dataset.arrays.map((a) => a.path), ["source/v (3)"]);
});

Deno.test("csv: long format is sorted by its key, and kept as it is", async () => {
  const blocks = await openTable(
    "subject,time_s,value\n" + lines(30, (i) => `rat1,${i / 10},${wave(i)}`) +
      lines(20, (i) => `rat2,${i / 5},${wave(i + 5)}`),
  );
  assert.deepEqual(
    blocks.dataset.recordings.map((r) => [r.name, r.sampleCount, r.samplingFrequency]),
    [["rat1", 30, 10], ["rat2", 20, 5]],
  );
  assert.deepEqual(channel(blocks, 0, 1), expected(20, 5));
  assert.equal(array(blocks, "source/value").length, 50);
  assert.equal(array(blocks, "source/subject")[30], "rat2");

  const rows = await openTable(
    "time,channel,value,unit\n" +
      lines(30, (i) => `${Math.floor(i / 2) / 100},${["EMG", "ECG"][i % 2]},${wave(i)},mV`),
  );
  const [recording] = rows.dataset.recordings;
  assert.deepEqual(recording.channels.map((c) => [c.name, c.units]), [["EMG", "mV"], [
    "ECG",
    "mV",
  ]]);
  assert.equal(recording.samplingFrequency, 100);
  assert.deepEqual(channel(rows, 1), expected(30).filter((_, i) => i % 2));
});

Deno.test("csv: tables that are no time series become plain columns", async () => {
  const opened = await openTable(
    "id,sex,age,Dose (mg/kg)\n" + lines(12, (i) => `rat${i},${i % 2 ? "M" : "F"},${8 + i % 5},0.5`),
  );
  const { dataset } = opened;
  assert.equal(dataset.recordings.length, 0);
  assert.deepEqual(dataset.arrays.map((a) => [a.path, a.dtype, a.dims[0], a.shape[0]]), [
    ["id", "string", "row", 12],
    ["sex", "string", "row", 12],
    ["age", "float64", "row", 12],
    ["Dose", "float64", "row", 12],
  ]);
  assert.equal(dataset.arrays[3].units, "mg/kg");
  assert.deepEqual(array(opened, "age").slice(0, 3), [8, 9, 10]);
  assert.match(dataset.warnings.join(), /plain columns/);
});

Deno.test("csv: onsets, durations and labels become events", async () => {
  const opened = await openTable(
    "onset\tduration\ttrial_type\n" + lines(10, (i) => `${i * 2.5}\t0.5\t${i % 2 ? "go" : "stop"}`),
    "task.tsv",
  );
  const { time, duration, label } = events(opened, "task");
  assert.deepEqual([time[3], duration[3], label[3]], [7.5, 0.5, "go"]);
  assert.equal(opened.dataset.recordings.length, 0);
});

Deno.test("csv: integers beyond 2^53 keep their digits as text", async () => {
  const opened = await openTable(
    "time,v,id\n" + lines(20, (i) => `${i / 10},${wave(i)},${9007199254740993n + 2n * BigInt(i)}`),
  );
  assert.equal(array(opened, "source/id")[1], "9007199254740995");
});

Deno.test("csv: R row names, numbers as names, blanks, bars, CR line ends, commented headers", async () => {
  const r = await openTable('"time","v"\n' + lines(20, (i) => `"r${i}",${i / 10},${wave(i)}`));
  assert.deepEqual(r.dataset.recordings[0].channels.map((c) => c.name), ["v"]);
  const numbers = await openTable("time,1,2\n" + lines(20, (i) => `${i / 10},${wave(i)},${i}`));
  assert.deepEqual(numbers.dataset.recordings[0].channels.map((c) => c.name), ["1", "2"]);
  const blanks = await openTable(
    "# t  x\n" + lines(20, (i) => `  ${i / 10}   ${wave(i)} `),
    "x.txt",
  );
  assert.deepEqual(blanks.dataset.recordings[0].channels.map((c) => c.name), ["x"]);
  const bars = await openTable("time|v\r" + lines(20, (i) => `${i / 10}|${wave(i)}`, "\r"));
  for (const opened of [r, numbers, blanks, bars]) {
    assert.deepEqual(channel(opened, 0), expected(20));
    assert.equal(opened.dataset.recordings[0].samplingFrequency, 10);
  }
  const single = await openTable("ECG (mV)\n" + lines(50, wave));
  assert.deepEqual(single.dataset.recordings[0].channels[0].units, "mV");
});

Deno.test("csv: a pipe is read in one pass", async () => {
  const bytes = new TextEncoder().encode(
    "time_s,v\n" + lines(30_000, (i) => `${i / 1000},${wave(i)}`),
  );
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0; at < bytes.length; at += 10_000) {
        controller.enqueue(bytes.subarray(at, at + 10_000));
      }
      controller.close();
    },
  });
  const opened = await openTable(pipeSource(stream, { name: "stdin.csv" }));
  assert.deepEqual(channel(opened, 0), expected(30_000));
  assert.equal(opened.dataset.recordings[0].sampleCount, null);
});

Deno.test("csv: what is no table is refused in words", async () => {
  const cases: [string | Uint8Array, RegExp][] = [
    ["", /empty/],
    [Uint8Array.from({ length: 4000 }, (_, i) => (i * 7919) & 255), /NUL|control/],
    [
      "This is a text, with some words.\nIt has lines, of text, and more.\n\nReally.\nThe end.\n",
      /./,
    ],
    ["just\nsome\nwords\n", /0 % of the cells/],
  ];
  for (const [content, pattern] of cases) {
    await assert.rejects(openTable(content, "odd.txt"), (error) => {
      assert(isFuseError(error, "UnknownFormat"));
      assert.match(error.message, /odd\.txt/);
      assert.match(error.message, pattern);
      return true;
    });
  }
});

Deno.test("csv: the probe weighs content and extension, and stays below magic bytes", () => {
  const score = (text: string, name: string) => {
    const head = new TextEncoder().encode(text);
    return csv.probe({ head, name, size: head.length }).score;
  };
  const numbers = "a,b\n" + lines(20, (i) => `${i},${wave(i)}`);
  assert(score(numbers, "x.csv") > 140 && score(numbers, "x.csv") <= 160);
  assert(score(numbers, "x.dat") >= 60 && score(numbers, "x.dat") <= 80);
  assert.equal(score('{"a": [1, 2, 3],\n"b": [4, 5, 6],\n"c": 1}\n', "x.txt"), 0);
  assert.equal(score("Dear reader,\nthis is prose, nothing else.\nBye.\n", "readme.txt"), 0);
  assert.equal(score("dat_path = 'x'\nn_channels = 4\nrate = 30000\n", "params.py"), 0);
  assert.equal(score("\0\x01\x02\x03", "x.csv"), 0);
});

Deno.test("csv: lines longer than the head of a file", async () => {
  const width = 30_000;
  const row = (text: (i: number) => string) =>
    Array.from({ length: width }, (_, i) => text(i)).join();
  const text = row((i) => `s${i}`) + "\n" + lines(3, (r) => row((i) => wave(i + r)));
  const head = new TextEncoder().encode(text);
  const { score } = csv.probe({ head: head.subarray(0, 16_384), name: "x.csv", size: head.length });
  assert(score >= 40, String(score));
  const opened = await openTable(text);
  const [recording] = opened.dataset.recordings;
  assert.deepEqual([recording.channels.length, recording.sampleCount], [width, 3]);
  assert.equal(recording.channels[width - 1].name, "s29999");
  assert.deepEqual(channel(opened, 7), expected(3, 7));
});

Deno.test("csv: a stream may be opened again and cancelled early", async () => {
  const bytes = new TextEncoder().encode(
    "time,v\n" + lines(200_000, (i) => `${i / 1000},${wave(i)}`),
  );
  const dataset = await (await csv.load()).open(new MemorySource("x.csv", bytes), {});
  for (let round = 0; round < 70; round++) {
    const stream = dataset.openStream!("table", {}).getReader();
    const { value } = await stream.read();
    assert(value && value.count > 0);
    await stream.cancel();
  }
});
