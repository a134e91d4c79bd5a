/** Small good recordings of every time-series reader, for tests that damage them. */
import { acquisitionFiles } from "./acquisition-files.ts";
import { buildAbf1, buildAbf2 } from "./abf-files.ts";
import { buildAdibin } from "./adibin-files.ts";
import { buildAdicht } from "./adicht-files.ts";
import { biopacFile } from "./biopac-files.ts";
import {
  comment,
  digital,
  experiment,
  nevFile,
  nsxFile,
  oldNsxFile,
  samplePackets,
  spike,
} from "./blackrock-files.ts";
import { buildBrainVision, packed } from "./brainvision-files.ts";
import { buildEdf, tal } from "./edf-files.ts";
import type { GoodFile } from "./hostile-files.ts";
import {
  filesPerChannel,
  filesPerSignalType,
  intanHeader,
  type IntanSpec,
  spikeFile,
  traditionalFile,
} from "./intan-files.ts";
import { buildMacDocument } from "./labchart-mac-files.ts";
import { wavFile } from "./sample-files.ts";
import { buildSmrx } from "./smrx-files.ts";
import { buildSon } from "./spike2-files.ts";
import { exportBytes } from "./spike2-text-files.ts";

const ramp = (n: number, k: number) =>
  Int16Array.from({ length: n }, (_, i) => (i * k) % 997 - 400);
const single = (main: string, bytes: Uint8Array): GoodFile => ({ main, files: { [main]: bytes } });

/** Recordings of every format. */
export async function goodRecordings(): Promise<GoodFile[]> {
  return [
    single("tone.wav", wavFile({ channels: 2, rate: 8000, samples: 2000 })),
    ...await biopacFiles(),
    ...spike2Files(),
    ...intanFiles(),
    ...blackrockFiles(),
    ...axonFiles(),
    ...clinicalFiles(),
    ...acquisitionFiles(),
    ...labchartFiles(),
    ...otherLabchartFiles(),
    ...spike2Variants(),
  ];
}

async function biopacFiles(): Promise<GoodFile[]> {
  const made = [];
  for (
    const [revision, littleEndian, compressed] of [
      [38, false, false],
      [84, true, false],
      [132, true, true],
    ] as const
  ) {
    const main = `r${revision}${compressed ? "-c" : ""}.acq`;
    const bytes = await biopacFile({
      revision,
      littleEndian,
      compressed,
      sampleTimeMs: 1,
      channels: [
        { name: "ECG", units: "mV", values: ramp(1203, 7), scale: 0.01, offset: 0 },
        { name: "Resp", units: "V", values: ramp(301, 3), divider: 4, scale: 0.5, offset: -1 },
      ],
      markers: [{ sample: 0, text: "start" }, { sample: 600, text: "dose", channel: 1 }],
      journal: "An account of the day.",
    });
    made.push({ main, files: { [main]: bytes } });
  }
  return made;
}

function spike2Files(): GoodFile[] {
  return [9, 5].map((systemId) => {
    const { bytes } = buildSon({
      systemId,
      bigEndian: systemId === 5,
      timeBase: 1e-5,
      channels: [
        {
          number: 1,
          kind: 1,
          title: "Force",
          units: "N",
          divide: 10,
          blocks: [0, 3000, 9000].map((start) => ({ start, samples: [...ramp(200, 5)] })),
        },
        { number: 2, kind: 3, title: "Pulse", blocks: [{ ticks: [10, 520] }, { ticks: [1700] }] },
        {
          number: 3,
          kind: 8,
          title: "Notes",
          extraBytes: 16,
          blocks: [{ marks: [{ tick: 40, text: new TextEncoder().encode("begin") }] }],
        },
        {
          number: 4,
          kind: 6,
          title: "Units",
          extraBytes: 16,
          divide: 10,
          traces: 1,
          blocks: [{ marks: [{ tick: 70, codes: [1, 0, 0, 0], values: [...ramp(8, 50)] }] }],
        },
      ],
    });
    const main = `son${systemId}.smr`;
    return { main, files: { [main]: bytes } };
  });
}

function intanFiles(): GoodFile[] {
  const rhd: IntanSpec = {
    version: [1, 5],
    rate: 20_000,
    blocks: 6,
    amplifiers: 2,
    auxiliary: 1,
    supply: 1,
    temperature: 1,
    analogIn: 1,
    digitalIn: [0, 2],
    jumps: { 3: 500 },
  };
  const rhs: IntanSpec = {
    rhs: true,
    version: [3, 0],
    rate: 30_000,
    blocks: 4,
    amplifiers: 2,
    dc: true,
    analogOut: 1,
    digitalOut: [1],
  };
  const split: IntanSpec = { ...rhd, version: [3, 1], temperature: 0, boardMode: 13 };
  const spikes = spikeFile(
    ["A-000", "A-001"],
    20_000,
    [{ channel: "A-000", timestamp: 100, id: 1, snapshot: [...Array(20).keys()] }],
    10,
    10,
  );
  return [
    { main: "all.rhd", files: { "all.rhd": traditionalFile(rhd) } },
    { main: "all.rhs", files: { "all.rhs": traditionalFile(rhs) } },
    {
      main: "info.rhd",
      files: {
        "info.rhd": intanHeader(split),
        ...filesPerSignalType(split),
        "spike.dat": spikes,
      },
    },
    { main: "info.rhs", files: { "info.rhs": intanHeader(rhs), ...filesPerChannel(rhs) } },
  ];
}

function blackrockFiles(): GoodFile[] {
  const channels = [{ electrode: 1, label: "left" }, { electrode: 2, label: "right" }];
  const samples = Array.from({ length: 300 }, (_, i) => [i - 150, -i]);
  const ptp = nsxFile({
    version: "3.0",
    channels,
    timeResolution: 1_000_000_000,
    packets: samplePackets(
      samples,
      (i) => BigInt(Math.round(i * 1e9 / 30_000) + (i > 99 ? 1e9 : 0)),
    ),
  });
  const nev = nevFile({
    version: "3.0",
    electrodes: [{ id: 1, label: "left" }],
    packets: [
      spike(300n, 1, 1, [...ramp(48, 5)]),
      digital(700n, 5),
      comment(900n, "note"),
    ],
  });
  return [
    { main: "rec.nev", files: experiment({ base: "rec", seconds: 0.05, channels: 2 }) },
    { main: "old.ns3", files: { "old.ns3": oldNsxFile([1, 2], samples) } },
    { main: "ptp.ns6", files: { "ptp.ns6": ptp, "ptp.nev": nev } },
  ];
}

function axonFiles(): GoodFile[] {
  const common = {
    inputs: [{ name: "Im", units: "pA", scale: 0.01 }, { name: "Vm", units: "mV", scale: 0.1 }],
    values: [...ramp(800, 7)],
    interval: 50,
    samplesPerEpisode: 400,
    episodes: 2,
    tags: [[100, "drug", 1]] as [number, string, number][],
  };
  return [
    single("one.abf", buildAbf1({ ...common, version: 1.8, mode: 5 })),
    single("two.abf", buildAbf2({ ...common, mode: 5, comment: "cell 3" })),
    single("gapfree.abf", buildAbf2({ ...common, mode: 3 })),
  ];
}

function clinicalFiles(): GoodFile[] {
  const signals = [
    { label: "EEG Fpz-Cz", samplesPerRecord: 100, samples: [...ramp(300, 7)], units: "uV" },
    { label: "Resp", samplesPerRecord: 10, samples: [...ramp(30, 3)], units: "mV" },
    {
      label: "EDF Annotations",
      samplesPerRecord: 20,
      tals: [0, 1, 2].map((t) => tal(`+${t}`, [""]) + tal(`+${t}.5`, [`mark ${t}`])),
    },
  ];
  const values = [...ramp(600, 11)];
  return [
    single("plus.edf", buildEdf({ reserved: "EDF+C", records: 3, recordSeconds: 1, signals })),
    single(
      "plain.bdf",
      buildEdf({ bdf: true, records: 3, recordSeconds: 1, signals: signals.slice(0, 2) }),
    ),
    {
      main: "rec.vhdr",
      files: buildBrainVision({
        channels: ["Fp1,,0.5,\u00b5V", "Fp2,,0.5,\u00b5V", "Cz,,0.1,\u00b5V"],
        markers: ["New Segment,,1,1,0,20240102030405000000", "Stimulus,S  1,90,1,0"],
        data: packed(values, "Int16"),
      }),
    },
  ];
}

function labchartFiles(): GoodFile[] {
  const samples = [...ramp(400, 7)];
  return [
    single(
      "chart.adibin",
      buildAdibin({ channels: [{ title: "a", samples }, { title: "b", samples }] }),
    ),
    single(
      "chart.adicht",
      buildAdicht({
        titles: ["Pressure"],
        records: [0, 1].map((r) => ({
          ticks: 400,
          start: 1_700_000_000 + 60 * r,
          comments: [{ tick: 5, text: "start", id: r }],
          tracks: [{ samples }],
        })),
      }).bytes,
    ),
    single(
      "son64.smrx",
      buildSmrx({
        maxTicks: 5000,
        channels: [
          {
            index: 0,
            kind: 1,
            title: "Force",
            units: "N",
            divide: 10,
            blocks: [0, 3000].map((tick) => ({ runs: [{ tick, samples: [...ramp(100, 5)] }] })),
          },
          { index: 1, kind: 3, title: "Rise", blocks: [{ items: [{ tick: 5 }, { tick: 700 }] }] },
          {
            index: 2,
            kind: 5,
            title: "Keyboard",
            blocks: [{ items: [{ tick: 7, codes: [99, 1, 2, 255] }] }],
          },
        ],
      }).bytes,
    ),
  ];
}

/** Version 26 in scattered clusters with floats, and a Macintosh document. */
function otherLabchartFiles(): GoodFile[] {
  const samples = [...ramp(17_000, 7)];
  const record = (ticks: number) => ({
    ticks,
    comments: [{ tick: ticks - 1, text: "dose" }],
    tracks: [
      { units: { slope: 2, name: "mmHg" }, samples: samples.slice(0, ticks) },
      { type: "float32" as const, samples: [...ramp(ticks, 3)], plain: [0] },
    ],
  });
  const mac = buildMacDocument({
    channels: [
      { title: "EMG", units: { name: "mmHg", slope: 2, offset: 1 } },
      { title: "slow", step: 40, plain: [1] },
    ],
    records: [{
      ticks: samples.length,
      start: 1_500_000_000,
      samples: [samples, [...ramp(425, 7)]],
      comments: [{ tick: 9, text: "sniff" }],
    }],
  });
  const scattered = { version: 26, fragmented: true, records: [record(900), record(33)] };
  return [single("v26.adicht", buildAdicht(scattered).bytes), single("mac.adicht", mac)];
}

/** A 64-bit SON file with high trees, pauses and attached data, and a text export. */
function spike2Variants(): GoodFile[] {
  const tall = buildSmrx({
    fanOut: 2,
    extraBytes: 7,
    comments: ["one"],
    channels: [
      {
        index: 0,
        kind: 1,
        title: "Force",
        divide: 10,
        blocks: [0, 3000, 9000].map((tick) => ({
          runs: [{ tick, samples: [...ramp(200, 5)] }, { tick: tick + 2500, samples: [1, 2] }],
        })),
      },
      { index: 1, kind: 4, title: "Level", blocks: [{ items: [{ tick: 5, codes: [1] }] }] },
      {
        index: 2,
        kind: 8,
        title: "Notes",
        rows: 16,
        blocks: [{ items: [{ tick: 40, text: new TextEncoder().encode("begin") }] }],
      },
      {
        index: 3,
        kind: 6,
        title: "Units",
        rows: 8,
        divide: 10,
        blocks: [{ items: [{ tick: 70, codes: [1], values: [...ramp(8, 50)] }] }],
      },
    ],
  });
  const text = exportBytes({
    comments: ["one"],
    channels: [
      {
        number: 1,
        kind: "Waveform",
        title: "a",
        units: " V",
        idealRate: 100,
        rate: "100.000",
        body: ['"START"\t0\t0.01', ...Array.from(ramp(300, 7), String), '"GAP"\t9\t0.01', "1"],
      },
      { number: 2, kind: "Evt-", title: "b", body: ["0.1", "0.2", "4.5"] },
      { number: 3, kind: "WaveMark", title: "c", body: ['"WAVMK"\t1\t1\t0\t0\t0', "1", "2"] },
      { number: 31, kind: "TextMark", title: "d", body: ['0.5\t1\t0\t0\t0\t"x"'] },
    ],
  });
  return [single("tall.smrx", tall.bytes), single("spike2.txt", text)];
}
