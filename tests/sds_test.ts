import assert from "node:assert/strict";
import { sparcAttributes } from "../src/sparc/attributes.ts";
import { findAmong, SdsTables } from "../src/sparc/sds.ts";
import { readCells, tableRows, verticalValues } from "../src/sparc/tables.ts";
import { type DemoCell, xlsxBytes } from "../tools/demo-files/tables.ts";

const text = (lines: string) => new TextEncoder().encode(lines);

function tables(files: Record<string, Uint8Array>) {
  const reads: string[] = [];
  const sds = new SdsTables({
    find: findAmong(Object.keys(files)),
    read: (path) => {
      reads.push(path);
      return Promise.resolve(files[path]);
    },
  });
  return { sds, reads };
}

const SUBJECTS: DemoCell[][] = [
  [
    "subject id",
    "pool id",
    "Subject_Experimental  Group",
    "age",
    "sex",
    "species",
    "strain",
    "date of birth",
  ],
  [
    "sub-ChAT-Male-Subject-1",
    null,
    "ChAT",
    "12 weeks",
    "Male",
    "Mus musculus",
    "C57BL/6",
    new Date(0),
  ],
  ["sub-1", null, "nNOS", 12, "not-asked", "Rattus norvegicus", null, null],
];
const SAMPLES: DemoCell[][] = [
  ["sample id", "subject id", "sample anatomical location"],
  ["sam-1", "sub-ChAT-Male-Subject-1", "proximal colon"],
];
const DESCRIPTION: DemoCell[][] = [
  ["Metadata element", "Description", "Example", "Value", "Value 2"],
  ["Metadata Version", "x", "2.1.0", "2.1.0"],
  ["Contributor", "", ""],
  ["    Contributor name", "Last, First", "Doe, Jane", "Heredia, Dante", "Gould, Thomas"],
  ["    Contributor affiliation", "", "", "University of Nevada", "University of Nevada"],
  ["    Study approach", "", "", "electrophysiology", "optogenetics"],
  ["    Study organ system", "", "", "colon"],
  ["    Funding", "", "", "N/A"],
];

Deno.test("tables: xlsx, csv, tsv and json give the same rows", async () => {
  const csv =
    '\ufeffsubject id,age,"note, with ""quotes"""\r\nsub-1, 12 ,"a\nb"\r\n\r\nsub-2,,\r\n';
  const rows = [{ "subject id": "sub-1", age: "12", 'note, with "quotes"': "a\nb" }, {
    "subject id": "sub-2",
  }];
  assert.deepEqual(tableRows(await readCells("subjects.csv", text(csv))), rows);
  const tsv = "subject_id\tAge\nsub-1\t12\n";
  const two = [{ "subject id": "sub-1", age: "12" }];
  assert.deepEqual(tableRows(await readCells("s.TSV", text(tsv))), two);
  const utf16 = new Uint8Array(2 + tsv.length * 2);
  utf16.set([0xff, 0xfe]);
  [...tsv].forEach((c, i) => utf16[2 + 2 * i] = c.charCodeAt(0));
  assert.deepEqual(tableRows(await readCells("s.tsv", utf16)), two);
  for (
    const json of [
      '[{"subject_id":"sub-1","age":12}]',
      '{"subjects":[{"subject_id":"sub-1","age":12}]}',
    ]
  ) {
    assert.deepEqual(tableRows(await readCells("s.json", text(json))), two);
  }
  const sheet = await readCells("s.xlsx", await xlsxBytes(SUBJECTS));
  assert.equal(tableRows(sheet)[0]["date of birth"], "1970-01-01");
  assert.equal(tableRows(sheet)[0]["subject experimental group"], "ChAT");
  assert.equal(tableRows(sheet)[1]["age"], "12");
  const json = await readCells("d.json", text('{"Title":"T","Study approach":"e"}'));
  assert.deepEqual(verticalValues([["element", "value"], ...json]).get("title"), ["T"]);
  await assert.rejects(readCells("s.xlsx", text("no")), /s\.xlsx: not a readable spreadsheet/);
  await assert.rejects(readCells("s.json", text("{")), /not JSON/);
  await assert.rejects(readCells("s.doc", text("")), /not a kind of table/);
});

Deno.test("sds: the subject is that of the nearest folder, in the table's spelling", async () => {
  const { sds, reads } = tables({ "subjects.xlsx": await xlsxBytes(SUBJECTS) });
  const facts = await sds.facts("primary/SUB-chat-male-subject-1/20 1021.acq");
  assert.equal(facts.subjectId, "sub-ChAT-Male-Subject-1");
  assert.equal(facts.subject!.sex, "Male");
  assert.equal(facts.subject!.species, "Mus musculus");
  assert.equal((await sds.facts("primary/ChAT-Male-Subject-1/x.acq")).subject!.age, "12 weeks");
  assert.equal((await sds.facts("primary/subj-1/x.acq")).subject!.species, "Rattus norvegicus");
  // A missing-value code is no value.
  assert.equal((await sds.facts("primary/sub-1/x.acq")).subject!.sex, undefined);
  // A run number is no subject, and a subject unknown to the table is still the folder's.
  assert.equal((await sds.facts("primary/sub-7/1/x.acq")).subjectId, "sub-7");
  assert.equal((await sds.facts("primary/1/x.acq")).subjectId, undefined);
  assert.equal((await sds.facts("primary/sub-9_task-rest_ieeg.edf")).subjectId, "sub-9");
  assert.equal((await sds.facts("primary/x.acq")).subjectId, undefined);
  assert.deepEqual(reads, ["subjects.xlsx"]);
});

Deno.test("sds: samples and manifests lead to subjects", async () => {
  const { sds } = tables({
    "subjects.xlsx": await xlsxBytes(SUBJECTS),
    "samples.csv": text(SAMPLES.map((row) => row.join(",")).join("\n")),
    "primary/manifest.xlsx": await xlsxBytes([
      ["filename", "timestamp", "description", "file type", "entity", "data modality"],
      [
        "runs/20 1021.acq",
        "2022-03-24T10:00:00,123456Z",
        "tension",
        ".acq",
        "sam-1",
        "electromyography",
      ],
      ["runs", null, "all runs", null, "sub-1", null],
    ]),
    "manifest.csv": text("filename,description\nprimary/other/x.acq,by root\n"),
  });
  const sample = await sds.facts("primary/sam-1/x.acq");
  assert.equal(sample.subjectId, "sub-ChAT-Male-Subject-1");
  assert.equal(sample.sample!["sample anatomical location"], "proximal colon");
  // The manifest names the file, the published tree its key.
  const file = await sds.facts("primary/runs/20_1021.acq");
  assert.equal(file.sampleId, "sam-1");
  assert.equal(file.subjectId, "sub-ChAT-Male-Subject-1");
  assert.equal(file.manifest!.description, "tension");
  const folder = await sds.facts("primary/runs/deeper/x.acq");
  assert.equal(folder.subjectId, "sub-1");
  assert.equal(folder.manifest!.description, "all runs");
  assert.equal((await sds.facts("primary/other/x.acq")).manifest!.description, "by root");
});

Deno.test("sds: broken and absent tables become warnings, never failures", async () => {
  const { sds } = tables({ "subjects.xlsx": text("PK no"), "samples.json": text("[1,2") });
  const facts = await sds.facts("primary/sub-1/x.acq");
  assert.equal(facts.subjectId, "sub-1");
  assert.equal(facts.subject, undefined);
  assert.equal(sds.warnings.length, 2);
  assert.match(sds.warnings.join(), /subjects\.xlsx cannot be read/);
  const failing = new SdsTables({
    find: findAmong(["subjects.xlsx"]),
    read: () => Promise.reject(new Error("HTTP 503")),
  });
  assert.equal((await failing.facts("primary/sub-1/x.acq")).subjectId, "sub-1");
  assert.match(failing.warnings[0], /HTTP 503/);
  const empty = tables({});
  assert.deepEqual(await sparcAttributes({ tables: empty.sds, path: "x.acq" }), {
    attributes: {},
    provenance: {},
  });
});

Deno.test("sds: a local tree gives the attributes it knows", async () => {
  const { sds } = tables({
    "subjects.xlsx": await xlsxBytes(SUBJECTS),
    "samples.xlsx": await xlsxBytes(SAMPLES),
    "dataset_description.xlsx": await xlsxBytes(DESCRIPTION),
  });
  const path = "primary/sub-ChAT-Male-Subject-1/sam-1/20 1021.acq";
  const { attributes, provenance } = await sparcAttributes({ tables: sds, path });
  assert.deepEqual(attributes, {
    sparc_subject_id: "sub-ChAT-Male-Subject-1",
    species: "Mus musculus",
    anatomical_location: "proximal colon",
    modality: "electrophysiology; optogenetics",
    experimenter: "Heredia, Dante; Gould, Thomas",
    institution: "University of Nevada",
  });
  assert.equal((provenance.subject as Record<string, string>).strain, "C57BL/6");
  assert.equal(provenance.organ_system, "colon");
});
