/**
 * A small look-alike of SPARC dataset 224 (tension of the mouse colon while neurons are silenced by
 * light): the same tree, names and tables, made-up data. Beside the published .acq recordings it holds
 * other formats, a file nothing reads and a damaged one, to show what happens to them.
 */
import { biopacFile } from "../tests/support/biopac-files.ts";
import { experiment } from "../tests/support/blackrock-files.ts";
import { traditionalFile } from "../tests/support/intan-files.ts";
import type { DemoDataset, DemoFile } from "./demo-discover.ts";
import { omeTiffFile } from "./demo-files/micrograph.ts";
import { wavFile } from "./demo-files/sound.ts";
import { type DemoCell, xlsxBytes } from "./demo-files/tables.ts";

/** A subject of the demo. */
interface Subject {
  id: string;
  group: string;
  sex: string;
  age: string;
  weightGrams: number;
}

const SUBJECTS: Subject[] = [
  { id: "sub-ChAT-Male-Subject-1", group: "ChAT", sex: "Male", age: "12 weeks", weightGrams: 27 },
  { id: "sub-ChAT-Male-Subject-2", group: "ChAT", sex: "Male", age: "13 weeks", weightGrams: 28 },
  {
    id: "sub-ChAT-Female-Subject-1",
    group: "ChAT",
    sex: "Female",
    age: "12 weeks",
    weightGrams: 22,
  },
  { id: "sub-nNOS-Male-Subject-1", group: "nNOS", sex: "Male", age: "14 weeks", weightGrams: 29 },
  {
    id: "sub-nNOS-Female-Subject-1",
    group: "nNOS",
    sex: "Female",
    age: "11 weeks",
    weightGrams: 21,
  },
];

/** Seconds of a tension recording; 100 Hz as in the published ones. */
const TENSION_SECONDS = 300;

/** Makes the dataset. The bytes are the same on every run. */
export async function demoDataset(): Promise<DemoDataset> {
  const [one, two, three, four, five] = SUBJECTS.map((subject) => `files/primary/${subject.id}`);
  const recordings: DemoFile[] = [
    // The same file name in several subjects: none may overwrite another.
    { path: `${one}/20 1021.acq`, bytes: await tension(1) },
    { path: `${two}/20 1021.acq`, bytes: await tension(2) },
    { path: `${three}/20 1021.acq`, bytes: await tension(3) },
    { path: `${three}/20 1022.acq`, bytes: await tension(4) },
    { path: `${two}/myenteric plexus.ome.tiff`, bytes: micrograph() },
    { path: `${two}/light pulses.wav`, bytes: lightPulses() },
    { path: `${three}/motility (manual count).csv`, bytes: motility() },
    { path: `${four}/colon slice 1.rhd`, bytes: slice(1) },
    ...Object.entries(experiment({ base: "array run 1", seconds: 1, channels: 4 })).map((
      [name, bytes],
    ) => ({ path: `${four}/array/${name}`, bytes })),
    { path: `${five}/colon slice 2.rhd`, bytes: damaged(slice(2)) },
    {
      path: `${five}/template.gtl`,
      bytes: template(),
    },
  ];
  const files = [
    ...recordings,
    { path: "files/primary/manifest.xlsx", bytes: await xlsxBytes(manifestRows(recordings)) },
    { path: "files/dataset_description.xlsx", bytes: await xlsxBytes(DESCRIPTION) },
    { path: "files/subjects.xlsx", bytes: await xlsxBytes(subjectRows()) },
    { path: "files/samples.xlsx", bytes: await xlsxBytes(sampleRows()) },
    { path: "files/submission.xlsx", bytes: await xlsxBytes(SUBMISSION) },
    {
      path: "files/derivative/sub-ChAT-Male-Subject-1/20 1021.txt",
      bytes: encode("sec\tpC\n0\t0.4\n"),
    },
    { path: "files/protocol/tension recording.md", bytes: encode("# Tension recording\n") },
    { path: "metadata/records/animal_subject.csv", bytes: encode(recordsCsv()) },
    { path: "metadata/schema.json", bytes: encode('{"models":["animal_subject"]}\n') },
    { path: "readme.md", bytes: encode("A look-alike of SPARC dataset 224, with made-up data.\n") },
  ];
  return {
    id: 224,
    name:
      "Optogenetic inhibition of nitrergic and cholinergic neurons of murine colonic myenteric " +
      "plexus (demo)",
    description: "Made-up data in the shape of dataset 224: tension of the proximal (pC), middle " +
      "(mC) and distal colon (dC) during light.",
    doi: "10.26275/demo-0224",
    license: "Creative Commons Attribution",
    tags: ["Optogenetics", "myenteric plexus", "motility"],
    contributors: [
      { firstName: "Ada", lastName: "Example", orcid: null },
      { firstName: "Ben", lastName: "Sample", orcid: "0000-0000-0000-0000" },
    ],
    versions: [files],
  };
}

/** Numbers in 0..1, the same on every run. */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Tension of three places of the colon and the light, 100 Hz, with markers for the light. */
async function tension(seed: number): Promise<Uint8Array> {
  const random = randomNumbers(seed);
  const count = TENSION_SECONDS * 100;
  const places = ["pC", "mC", "dC"].map((name, place) => {
    const values = new Int16Array(count);
    const period = 45 + 8 * random();
    const delay = place * 6;
    for (let i = 0; i < count; i++) {
      const phase = ((i / 100 - delay) / period) % 1;
      const contraction = phase > 0 && phase < 0.3 ? Math.sin(Math.PI * phase / 0.3) ** 2 : 0;
      const ripple = 0.06 * Math.sin(2 * Math.PI * i / 100 * 0.23 + place);
      values[i] = Math.round(3000 + 14_000 * (contraction + ripple) + 40 * (random() - 0.5));
    }
    return { name, units: "g", values, scale: 0.0001, offset: 0 };
  });
  const light = Int16Array.from({ length: count }, (_, i) => i % 6000 >= 3000 ? 10_000 : 0);
  const markers = [{ sample: 0, text: "Segment 1" }];
  for (let at = 3000; at < count; at += 6000) {
    markers.push({ sample: at, text: "light on" }, { sample: at + 3000, text: "light off" });
  }
  return await biopacFile({
    revision: 84,
    littleEndian: true,
    sampleTimeMs: 10,
    channels: [...places, {
      name: "Light",
      units: "Volts",
      values: light,
      scale: 0.0005,
      offset: 0,
    }],
    markers: markers.filter((marker) => marker.sample < count),
    journal: "Colon, organ bath, 37 degrees",
  });
}

/** Extracellular signals of a slice: noise and spikes on eight channels. */
function slice(seed: number): Uint8Array {
  const random = randomNumbers(seed);
  const spikes = Array.from({ length: 8 }, () => 900 + Math.floor(2000 * random()));
  return traditionalFile({
    version: [1, 5],
    rate: 20_000,
    blocks: 200,
    amplifiers: 8,
    digitalIn: [0],
    notes: ["demo slice", `seed ${seed}`, ""],
    word: (kind, channel, sample) => {
      if (kind === "digital_in") return Math.floor(sample / 3000) % 2;
      if (kind !== "amplifier") return undefined;
      const since = sample % spikes[channel];
      const spike = since < 40 ? -900 * Math.sin(Math.PI * since / 20) * Math.exp(-since / 12) : 0;
      return 32_768 + Math.round(spike + 60 * (random() - 0.5));
    },
  });
}

/** A recording whose channel list was overwritten and whose end was lost. */
function damaged(bytes: Uint8Array): Uint8Array {
  const random = randomNumbers(99);
  const broken = bytes.slice(0, bytes.length - 12_345);
  for (let i = 48; i < 700; i++) broken[i] = Math.floor(256 * random());
  return broken;
}

/** Settings of the recording program, in a form of its own: nothing to convert. */
function template(): Uint8Array {
  const random = randomNumbers(42);
  return Uint8Array.from({ length: 640 }, (_, i) => i % 4 === 3 ? 0 : Math.floor(256 * random()));
}

/** Two channels of cells on a mesh of ganglia. */
function micrograph(): Uint8Array {
  const width = 320, height = 256;
  const random = randomNumbers(5);
  const cells = Array.from({ length: 60 }, () => ({
    x: width * random(),
    y: height * random(),
    radius: 3 + 4 * random(),
    channel: random() < 0.6 ? 0 : 1,
  }));
  const plane = (channel: number) =>
    Uint16Array.from({ length: width * height }, (_, i) => {
      const x = i % width, y = Math.floor(i / width);
      let light = 300 + 80 * random() + 250 * Math.max(0, Math.sin(x / 23) * Math.sin(y / 31));
      for (const cell of cells) {
        if (cell.channel !== channel) continue;
        const distance = ((x - cell.x) ** 2 + (y - cell.y) ** 2) / cell.radius ** 2;
        if (distance < 9) light += 9000 * Math.exp(-distance);
      }
      return Math.round(light);
    });
  return omeTiffFile({
    width,
    height,
    pixelMicrometres: 0.65,
    channels: [
      { name: "ChAT-tdTomato", color: -16776961, pixels: plane(0) },
      { name: "nNOS-GFP", color: 16711935, pixels: plane(1) },
    ],
  });
}

/** The shutter's clicks, as a microphone heard them. */
function lightPulses(): Uint8Array {
  const rate = 8000;
  const click = (offset: number) =>
    Float64Array.from({ length: 4 * rate }, (_, i) => {
      const since = (i + offset) % rate / rate;
      return 0.7 * Math.exp(-since * 60) * Math.sin(2 * Math.PI * 440 * since);
    });
  return wavFile([click(0), click(12)], rate);
}

/** Contractions counted by hand, with times and units in the headers. */
function motility(): Uint8Array {
  const random = randomNumbers(6);
  const rows = ["Time (s),pC (mN),mC (mN),dC (mN)"];
  for (let i = 0; i < 600; i++) {
    const t = i / 10;
    const value = (place: number) =>
      (2 + Math.sin(2 * Math.PI * (t - 3 * place) / 20) + 0.05 * random()).toFixed(4);
    rows.push([t.toFixed(1), value(0), value(1), value(2)].join(","));
  }
  return encode(`${rows.join("\n")}\n`);
}

function subjectRows(): DemoCell[][] {
  return [
    [
      "subject id",
      "pool id",
      "subject experimental group",
      "age",
      "sex",
      "species",
      "strain",
      "body mass",
    ],
    ...SUBJECTS.map(({ id, group, age, sex, weightGrams }) => [
      id,
      null,
      group,
      age,
      sex,
      "Mus musculus",
      "C57BL/6J",
      `${weightGrams} g`,
    ]),
  ];
}

function sampleRows(): DemoCell[][] {
  return [
    ["sample id", "subject id", "was derived from", "sample type", "sample anatomical location"],
    ["sam-colon-1", "sub-ChAT-Male-Subject-2", null, "tissue", "myenteric plexus"],
  ];
}

function manifestRows(recordings: DemoFile[]): DemoCell[][] {
  const about: Record<string, [description: string, modality: string]> = {
    acq: ["Tension of proximal, middle and distal colon", "tension recording"],
    rhd: ["Extracellular recording of a slice", "electrophysiology"],
    ns5: ["Multi-electrode array", "electrophysiology"],
    nev: ["Spikes of the multi-electrode array", "electrophysiology"],
    tiff: ["Myenteric plexus", "microscopy"],
  };
  return [
    ["filename", "timestamp", "description", "file type", "entity", "data modality"],
    ...recordings.map(({ path }) => {
      const filename = path.slice("files/primary/".length);
      const extension = path.split(".").pop()!;
      const [description, modality] = about[extension] ?? [null, null];
      const entity = extension === "tiff" ? "sam-colon-1" : filename.split("/")[0];
      return [
        filename,
        "2022-03-24T10:00:00,123456Z",
        description,
        `.${extension}`,
        entity,
        modality,
      ];
    }),
  ];
}

const DESCRIPTION: DemoCell[][] = [
  ["Metadata element", "Description", "Example", "Value", "Value 2"],
  ["Metadata Version", "SDS version number", "2.1.0", "2.1.0", null],
  ["Type", "Type of dataset", "experimental", "experimental", null],
  ["Basic information", null, null, null, null],
  ["    Title", "Descriptive title", "My title", "Tension of the mouse colon (demo)", null],
  ["    Keywords", "Keywords", "kw", "Optogenetics", "motility"],
  ["Study information", null, null, null, null],
  ["    Study organ system", "Organ systems", "heart", "colon", null],
  ["    Study approach", "Approach", "electrophysiology", "physiology", "optogenetics"],
  ["Contributor information", null, null, null, null],
  ["    Contributor name", "Last, First", "Doe, Jane", "Example, Ada", "Sample, Ben"],
  ["    Contributor affiliation", "Institution", "University", "University of Nowhere", null],
  ["    Contributor role", "Role", "Creator", "PrincipalInvestigator", "Creator"],
];

const SUBMISSION: DemoCell[][] = [
  ["Submission Item", "Definition", "Value"],
  ["SPARC Award number", "Grant number", "OT2OD000000"],
  ["Milestone achieved", "Milestone", "N/A"],
];

function recordsCsv(): string {
  const rows = SUBJECTS.map(({ id, sex, age }) => `${id},${sex},${age}`);
  return ["subject_id,sex,age", ...rows].join("\n") + "\n";
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
