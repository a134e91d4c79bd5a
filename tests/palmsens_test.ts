import assert from "node:assert/strict";
import { palmsens } from "../decoders/tables/palmsens.ts";
import { reader } from "../decoders/tables/palmsens-reader.ts";
import { isFuseError } from "../src/errors.ts";
import type { Dataset } from "../src/model/dataset.ts";
import { MemorySource } from "../src/source/memory.ts";
import { channelSamples } from "./support/materialize.ts";
import { utf16 } from "./support/tables.ts";

const open = (name: string, text: string): Promise<Dataset> =>
  reader.open(new MemorySource(name, utf16(text)), {});

const array = (description: string, type: number, unit: string, values: unknown[]) => ({
  Description: description,
  ArrayType: type,
  Unit: { Type: `PalmSens.Units.${unit}`, S: "A", Q: "quantity" },
  DataValues: values.map((V) => ({ V })),
});

/** A session with one measurement; the marks stand at both ends, as PSTrace writes them. */
function session(measurement: unknown, change = (text: string) => text): string {
  const text = JSON.stringify({
    Type: "PalmSens.DataFiles.SessionFile",
    CoreVersion: "5.11",
    Measurements: [measurement],
  });
  return change(text.replace('"TICKS"', "638881791267491192")) + "\ufeff";
}

const timed = {
  Title: "noise",
  UTCTimeStamp: "TICKS",
  DataSet: {
    Values: [
      array("time", 0, "Time", [0, 0.5, 1.5]),
      array("current", 2, "MicroAmpere", [1, "NaN", -3]),
      array("other", 2, "Volt", [7]),
    ],
  },
  Curves: [{
    Title: "curve",
    XAxisDataArray: array("potential", 1, "Volt", [1, 2]),
    YAxisDataArray: array("current", 2, "NanoAmpere", [3, 4]),
  }],
};

Deno.test("sessions and methods are known by their text", () => {
  const score = (name: string, text: string) => {
    const head = utf16(text);
    return palmsens.probe({ head, name, size: head.length }).score;
  };
  assert.equal(score("a.bin", session({})), 250);
  assert.equal(score("a.bin", "#PSTrace\r\nMETHOD_ID=cv\r\n"), 240);
  assert.equal(score("a.pss", "something"), 15);
  assert.equal(score("a.txt", "something"), 0);
});

Deno.test("arrays over a time are a recording, others and curves arrays; units by their type", async () => {
  const dataset = await open("a.pssession", session(timed));
  const [recording] = dataset.recordings;
  assert.deepEqual(recording.channels.map((c) => [c.name, c.units]), [["current", "uA"]]);
  assert.deepEqual(await channelSamples(dataset, recording, 0), [1, NaN, -3]);
  assert.deepEqual(recording.time, { kind: "values", values: Float64Array.of(0, 0.5, 1.5) });
  assert.deepEqual(dataset.arrays.map((a) => [a.path, a.units]), [
    ["measurement_1/data/other", "V"],
    ["measurement_1/curve_1/x", "V"],
    ["measurement_1/curve_1/y", "nA"],
  ]);
  assert.equal(dataset.metadata.startTime, "2025-07-15T12:25:26.7491192Z");
});

Deno.test("keys in lower case, and a time that does not rise", async () => {
  const flat = {
    DataSet: { Values: [array("time", 0, "Time", [0, 0]), array("Z", 5, "Ohm", [1, 2])] },
  };
  const lower = (text: string) => text.replace(/"(\w+)":/g, (key) => key.toLowerCase());
  const dataset = await open("a.pssession", session(flat, lower));
  assert.equal(dataset.recordings.length, 0);
  assert.deepEqual(dataset.arrays.map((a) => [a.path, a.units]), [
    ["measurement_1/data/time", "s"],
    ["measurement_1/data/Z", "Ohm"],
  ]);
});

Deno.test("methods are settings; what is neither is named", async () => {
  const dataset = await open("a.psmethod", "#PSTrace\r\nMETHOD_ID=cv\r\nNOTES=a%20note\r\n\ufeff");
  assert.equal(dataset.metadata.notes, "a note");
  assert.deepEqual(dataset.arrays.map((a) => a.path), ["method/setting", "method/value"]);
  const fails = (text: string, tag: string) =>
    assert.rejects(open("a.pss", text), (e) => isFuseError(e) && e.tag === tag);
  await fails("anything", "Unsupported");
  await fails(session(timed).slice(0, 100), "Corrupt");
});

Deno.test("impedance scans inside each other keep their titles; readings keep their marks", async () => {
  const value = (name: string, v: number) => ({
    ...array(name, 1, "Ohm", [v]),
    DataValues: [{ V: v, C: 7, S: 2 }],
  });
  const dataset = await open(
    "a.pssession",
    session({
      ...timed,
      EISDataList: [{
        Title: "CH 3",
        DataSet: { Values: [value("Z", 1)] },
        SubScans: [
          { Title: "E=0 V", DataSet: { Values: [value("Z", 2)] } },
          { Title: "E=1 V", DataSet: { Values: [value("Z", 3)] } },
        ],
      }],
    }),
  );
  const at = (path: string) => {
    const { layout } = dataset.arrays.find((a) => a.path === `measurement_1/impedance_1/${path}`)!;
    return [...(layout as { values: Float64Array }).values];
  };
  assert.deepEqual([at("Z"), at("scan_1/Z"), at("scan_2/Z")], [[1], [2], [3]]);
  assert.deepEqual([at("scan_2/Z_status"), at("scan_2/Z_current_range")], [[2], [7]]);
  const scan = dataset.groups?.find((g) => g.path.endsWith("impedance_1/scan_2"));
  assert.equal(scan?.attributes.title, "E=1 V");
});
