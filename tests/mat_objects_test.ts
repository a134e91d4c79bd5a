/** Objects of MATLAB's class system: texts, times, tables and classes of users, found behind their references. */
import assert from "node:assert/strict";
import { openMat } from "../decoders/containers/mat-reader.ts";
import type { Dataset } from "../src/model/dataset.ts";
import { MemorySource } from "../src/source/memory.ts";
import {
  doubles,
  matFile,
  type MatFileOptions,
  type MatValue,
  objectReference,
  objectTable,
  struct,
  text,
  texts,
} from "./support/mat-files.ts";

const NAMES = [
  ...["string", "datetime", "table", "timetable", "Point", "Colour", "any", "data", "tz", "fmt"],
  ...["varnames", "props", "x", "y", "red", "blue", "duration", "millis", "categorical", "codes"],
  ...["categoryNames"],
];
const CLASSES = [
  ...["string", "datetime", "table", "timetable", "Point", "Colour", "duration", "categorical"],
];
const nameOf = (name: string) => NAMES.indexOf(name) + 1;
const classOf = (name: string) => CLASSES.indexOf(name) + 1;
const NOTHING = doubles([0, 0], []);

/** A text array as MATLAB saves it: words of 64 bits, four UTF-16 code units each. */
function stringWords(shape: number[], values: (string | null)[]): MatValue {
  const units = values.flatMap((v) => [...v ?? ""].flatMap((c) => c.split(""))).map((c) =>
    BigInt(c.charCodeAt(0))
  );
  const words: bigint[] = [];
  units.forEach((u, i) => words[i >> 2] = (words[i >> 2] ?? 0n) | (u << BigInt(16 * (i % 4))));
  const lengths = values.map((v) => v === null ? 2n ** 64n - 1n : BigInt(v.length));
  const all = [1n, BigInt(shape.length), ...shape.map(BigInt), ...lengths, ...words];
  return { kind: "numbers", class: "uint64", shape: [1, all.length], values: all };
}

/** Cells of a file with an object of each kind; `own` lists their properties by name. */
class Objects {
  readonly cells: MatValue[] = [];
  readonly objects: [number, number, number][] = [];
  readonly saved: number[][][] = [];
  readonly own: number[][][] = [];

  /** Adds an object; its reference. */
  add(type: string, properties: Record<string, MatValue>, custom = false): MatValue {
    const block = Object.entries(properties).map(([name, value]) => {
      this.cells.push(value);
      return [nameOf(name), 1, this.cells.length - 1];
    });
    const list = custom ? this.saved : this.own;
    list.push(block);
    this.objects.push([classOf(type), custom ? list.length : 0, custom ? 0 : list.length]);
    return objectReference(classOf(type), this.objects.length);
  }

  async open(
    variables: Record<string, MatValue>,
    options: MatFileOptions = {},
    change = (cells: MatValue[]) => cells,
  ): Promise<Dataset> {
    const table = objectTable(
      { ...this, names: NAMES, classes: CLASSES.map(nameOf) },
      options.littleEndian,
    );
    const usual = CLASSES.map((name) =>
      name === "Point" ? struct({ y: doubles([1, 1], [7]) }) : {
        kind: "struct" as const,
        shape: [1, 1],
        fields: {},
      }
    );
    const defaults: MatValue = {
      kind: "cell",
      shape: [usual.length + 1, 1],
      items: [NOTHING, ...usual],
    };
    const aliases: MatValue = { kind: "numbers", class: "int32", shape: [1, 1], values: [0] };
    const empty: MatValue = { kind: "cell", shape: [1, 1], items: [NOTHING] };
    const objects = change([table, NOTHING, ...this.cells, empty, aliases, defaults]);
    const bytes = await matFile(variables, { ...options, objects });
    return await openMat(new MemorySource("test.mat", bytes), {});
  }
}

const opaque = (type: string, reference: MatValue): MatValue => ({
  kind: "opaque",
  type,
  reference,
});

function valuesAt(dataset: Dataset, path: string): unknown[] {
  const found = dataset.arrays.find((a) => a.path === path);
  assert.ok(found, `${path} among ${dataset.arrays.map((a) => a.path)}`);
  assert.equal(found.layout.kind, "values");
  return Array.from((found.layout as { values: ArrayLike<unknown> }).values);
}

Deno.test("texts, moments and durations, in both byte orders, compressed or not", async () => {
  for (const options of [{}, { compress: true }, { littleEndian: false }]) {
    const objects = new Objects();
    const words = objects.add("string", {
      any: stringWords([2, 2], ["a", null, "größe", "😀!"]),
    }, true);
    const one = objects.add("string", { any: stringWords([1, 1], [""]) }, true);
    const moment = objects.add("datetime", {
      data: {
        kind: "numbers",
        class: "double",
        shape: [1, 2],
        values: [1743508800000, 0.5],
        imaginary: [0.25, 0],
      },
      tz: text("Europe/Vienna"),
    });
    const span = objects.add("duration", { millis: doubles([1, 1], [1500]), fmt: text("s") });
    const dataset = await objects.open({
      words: opaque("string", words),
      one: opaque("string", one),
      moment: opaque("datetime", moment),
      held: struct({ span: opaque("duration", span) }),
    }, options);
    assert.deepEqual(dataset.warnings, []);
    assert.deepEqual(dataset.leftOut, []);
    assert.deepEqual(valuesAt(dataset, "source/words"), ["a", "größe", "<missing>", "😀!"]);
    assert.deepEqual(valuesAt(dataset, "source/one"), [""]);
    assert.deepEqual(valuesAt(dataset, "source/moment/text"), [
      "2025-04-01T12:00:00.00025Z",
      "1970-01-01T00:00:00.0005Z",
    ]);
    assert.deepEqual(valuesAt(dataset, "source/held/span/millis"), [1500]);
  }
});

Deno.test("a table is its columns, with units; objects in it are followed", async () => {
  const objects = new Objects();
  const who = objects.add("categorical", {
    codes: { kind: "numbers", class: "uint8", shape: [3, 1], values: [2, 0, 1] },
    categoryNames: texts("rest", "run"),
  });
  const table = objects.add("table", {
    data: { kind: "cell", shape: [1, 2], items: [doubles([3, 1], [1, 2, 3]), who] },
    varnames: texts("force", "who"),
    props: struct({ VariableUnits: texts("mN", ""), VariableDescriptions: texts("left", "") }),
  });
  const dataset = await objects.open({ t: opaque("table", table) });
  const force = dataset.arrays.find((a) => a.path === "source/t/force");
  assert.equal(force?.units, "mN");
  assert.equal(force?.attributes?.long_name, "left");
  assert.deepEqual(valuesAt(dataset, "source/t/who/text"), ["run", "<undefined>", "rest"]);
});

Deno.test("a timetable with a rate has the times the rate gives", async () => {
  const objects = new Objects();
  const origin = objects.add("duration", { millis: doubles([1, 1], [2000]) });
  const count = 64;
  const table = objects.add("timetable", {
    any: struct({
      data: {
        kind: "cell",
        shape: [1, 1],
        items: [doubles([count, 1], Array.from({ length: count }, (_, i) => Math.sin(i)))],
      },
      dimNames: texts("Time", "Variables"),
      varNames: texts("voltage"),
      varUnits: texts("mV"),
      numRows: doubles([1, 1], [count]),
      rowTimes: struct({
        origin,
        specifiedAsRate: { kind: "numbers", class: "uint8", shape: [1, 1], values: [1] },
        sampleRate: doubles([1, 1], [250]),
        stepSize: NOTHING,
      }),
    }),
  }, true);
  const dataset = await objects.open({ recorded: opaque("timetable", table) });
  const [recording] = dataset.recordings;
  assert.equal(recording.sampleCount, count);
  assert.equal(recording.samplingFrequency, 250);
  assert.equal(recording.segments[0].startSeconds, 2);
  assert.match(recording.channels[0].name, /voltage/);
  assert.equal(recording.channels[0].units, "mV");
  assert.deepEqual(dataset.warnings, []);
});

Deno.test("classes of users: own properties above the class's, arrays of objects, members of enumerations", async () => {
  const objects = new Objects();
  const first = objects.add("Point", { x: doubles([1, 1], [1]) });
  objects.add("Point", { x: doubles([1, 1], [2]), y: doubles([1, 1], [3]) });
  const number = (value: number): MatValue => ({
    kind: "numbers",
    class: "uint32",
    shape: [1, 1],
    values: [value],
  });
  const colours = struct({
    EnumerationInstanceTag: number(0xdd000000),
    ClassName: number(classOf("Colour")),
    ValueNames: {
      kind: "numbers",
      class: "uint32",
      shape: [2, 1],
      values: [nameOf("red"), nameOf("blue")],
    },
    ValueIndices: { kind: "numbers", class: "uint32", shape: [1, 3], values: [1, 0, 1] },
  });
  const dataset = await objects.open({
    one: opaque("Point", first),
    two: opaque("Point", objectReference(classOf("Point"), 1, 2)),
    colours: opaque("Colour", colours),
  });
  assert.deepEqual(valuesAt(dataset, "source/one/x"), [1]);
  assert.deepEqual(valuesAt(dataset, "source/one/y"), [7]);
  assert.deepEqual(valuesAt(dataset, "source/two/2/y"), [3]);
  assert.deepEqual(valuesAt(dataset, "source/colours"), ["blue", "red", "blue"]);
  const group = dataset.groups?.find((g) => g.path === "source/one");
  assert.equal(group?.attributes.matlab_object, "Point");
});

Deno.test("what is missing or damaged is said, and the other variables stay", async () => {
  const objects = new Objects();
  const reference = opaque("Point", objects.add("Point", { x: doubles([1, 1], [1]) }));
  const variables = { point: reference, plain: doubles([1, 2], [4, 5]) };
  const gone = await objects.open(variables, {}, ([table]) => [table, NOTHING]);
  assert.match(gone.warnings.join(), /not in the file.*property x of object 1/);
  const damaged = await objects.open(variables, {}, ([table, ...rest]) => {
    const values = [...(table as { values: number[] }).values];
    values[10] = 0xff;
    return [{ ...table, values } as MatValue, ...rest];
  });
  assert.match(damaged.warnings.join(), /properties of the file's objects could not be read/);
  assert.deepEqual(damaged.leftOut.map((l) => l.what), ["point"]);
  assert.deepEqual(valuesAt(damaged, "source/plain"), [4, 5]);
  const loop = new Objects();
  loop.add("Point", { x: objectReference(classOf("Point"), 1) });
  const turning = await loop.open({ p: opaque("Point", objectReference(classOf("Point"), 1)) });
  assert.match(turning.leftOut.map((l) => l.why).join(), /without end/);
});

Deno.test("moments and durations are times of the arrays beside them", async () => {
  const objects = new Objects();
  const steps = Array.from({ length: 50 }, (_, i) => 4 * i);
  const moments = objects.add("datetime", {
    data: doubles([50, 1], steps.map((ms) => 1.6e12 + ms)),
  });
  const spans = objects.add("duration", { millis: doubles([50, 1], steps) });
  for (
    const [type, reference, start] of [["datetime", moments, 0], ["duration", spans, 0]] as const
  ) {
    const dataset = await objects.open({
      t: opaque(type, reference),
      emg: doubles([50, 1], steps.map(Math.sin)),
    });
    const [recording] = dataset.recordings;
    assert.equal(recording.samplingFrequency, 250, type);
    assert.equal(recording.segments[0].startSeconds, start);
    assert.equal(
      dataset.metadata.startTime,
      type === "datetime" ? "2020-09-13T12:26:40.000Z" : undefined,
    );
  }
});
