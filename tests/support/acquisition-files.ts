/** Small good files of Open Ephys, Neuralynx, NeuroExplorer and SpikeGLX, for tests that damage them. */
import type { GoodFile } from "./hostile-files.ts";

const encode = (s: string) => new TextEncoder().encode(s);
const bytesOf = (v: ArrayBufferView) => new Uint8Array(v.buffer, v.byteOffset, v.byteLength);
const ramp = (n: number, k: number) =>
  Int16Array.from({ length: n }, (_, i) => (i * k) % 997 - 400);

/** All of them. */
export function acquisitionFiles(): GoodFile[] {
  return [
    binarySet(),
    legacySet(),
    neuralynxSet(),
    nexFile(),
    nex5File(),
    spikeglxSet(),
    compressedSet(),
  ];
}

function joined(parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Bytes of `length` filled by `fill`. */
function record(length: number, fill: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const bytes = new Uint8Array(length);
  fill(new DataView(bytes.buffer), bytes);
  return bytes;
}

/** A .npy file of version 1; `descr` as it stands in the header. */
export function npyFile(descr: string, values: ArrayBufferView, shape: number[]): Uint8Array {
  const text = `{'descr': ${descr}, 'fortran_order': False, 'shape': (${shape.join(", ")},), }`;
  const header = text.padEnd(117) + "\n";
  return joined([
    Uint8Array.of(0x93, ...encode("NUMPY"), 1, 0, header.length, 0),
    encode(header),
    bytesOf(values),
  ]);
}

function binarySet(): GoodFile {
  const n = 200, stream = "continuous/A-100.s", ttl = "events/A-100.s/TTL";
  const spikes = "spikes/A-104.s/Electrode 1";
  const numbers = (count: number, step = 1) =>
    npyFile("'<i8'", BigInt64Array.from({ length: count }, (_, i) => BigInt(500 + i * step)), [
      count,
    ]);
  const times = (count: number) =>
    npyFile("'<f8'", Float64Array.from({ length: count }, (_, i) => 0.5 + i / 1000), [count]);
  const description = {
    "GUI version": "0.6.7",
    continuous: [{
      folder_name: "A-100.s/",
      sample_rate: 1000,
      stream_name: "s",
      num_channels: 3,
      source_processor_id: 100,
      channels: ["CH1", "CH2", "ADC1"].map((channel_name) => ({ channel_name, bit_volts: 0.195 })),
    }],
    events: [{ folder_name: "A-100.s/TTL/", sample_rate: 1000, stream_name: "s" }],
    spikes: [{
      folder: "A-104.s/Electrode 1/",
      sample_rate: 1000,
      source_channels: [{ name: "CH1", bit_volts: 0.195 }],
    }],
  };
  return {
    main: "structure.oebin",
    files: {
      "structure.oebin": encode(JSON.stringify(description)),
      "sync_messages.txt": encode(
        "Software Time (milliseconds since midnight Jan 1st 1970 UTC): 1743680304612\n" +
          "Start Time for A (100) - s @ 1000 Hz: 500\n",
      ),
      [`${stream}/continuous.dat`]: bytesOf(ramp(3 * n, 7)),
      [`${stream}/sample_numbers.npy`]: numbers(n),
      [`${stream}/timestamps.npy`]: times(n),
      [`${ttl}/sample_numbers.npy`]: numbers(4, 9),
      [`${ttl}/timestamps.npy`]: times(4),
      [`${ttl}/states.npy`]: npyFile("'<i2'", Int16Array.of(1, -1, 2, -2), [4]),
      [`${ttl}/metadata.npy`]: npyFile(
        "[('n', '<u2'), ('t', '|S2')]",
        Uint8Array.from({ length: 16 }, (_, i) => 65 + i),
        [4],
      ),
      [`${spikes}/sample_numbers.npy`]: numbers(2, 50),
      [`${spikes}/clusters.npy`]: npyFile("'<u2'", Uint16Array.of(1, 2), [2]),
      [`${spikes}/waveforms.npy`]: npyFile("'<i2'", ramp(16, 3), [2, 1, 8]),
    },
  };
}

function legacyFile(fields: Record<string, string>, body: Uint8Array): Uint8Array {
  const lines = Object.entries(fields).map(([k, v]) => `header.${k} = ${v};\n`).join("");
  const text = `header.format = 'Open Ephys Data Format'; \nheader.version = 0.4;\n${lines}`;
  return joined([encode(text.padEnd(1024)), body]);
}

function legacySet(): GoodFile {
  const channel = (name: string) =>
    legacyFile(
      { channel: `'${name}'`, sampleRate: "1000", blockLength: "1024", bitVolts: "0.195" },
      joined([0, 1].map((r) =>
        record(2070, (view) => {
          view.setBigInt64(0, BigInt(1000 + 1024 * r), true);
          view.setUint16(8, 1024, true);
          for (let k = 0; k < 1024; k++) view.setInt16(12 + 2 * k, k - 500);
        })
      )),
    );
  const event = record(16, (view, bytes) => {
    view.setBigInt64(0, 1200n, true);
    bytes.set([3, 100, 1, 4], 10);
  });
  const spike = record(42 + 16 + 4 + 2 + 2, (view) => {
    view.setBigInt64(1, 1300n, true);
    view.setUint16(19, 1, true);
    view.setUint16(21, 8, true);
    view.setFloat32(58, 2000, true);
  });
  return {
    main: "Continuous_Data.openephys",
    files: {
      "Continuous_Data.openephys": encode(
        '<EXPERIMENT version="0.4" number="1"><RECORDING number="0" samplerate="1000">' +
          '<CHANNEL name="CH1" filename="100_CH1.continuous"/>' +
          '<CHANNEL name="CH2" filename="100_CH2.continuous"/></RECORDING></EXPERIMENT>',
      ),
      "100_CH1.continuous": channel("CH1"),
      "100_CH2.continuous": channel("CH2"),
      "all_channels.events": legacyFile({ sampleRate: "1000" }, joined([event, event])),
      "SE0.spikes": legacyFile({ sampleRate: "1000" }, joined([spike, spike])),
      "messages.events": encode("1000 Start Time for Rhythm FPGA (100) @ 1000 Hz\n1100 hello\n"),
    },
  };
}

function neuralynxFile(lines: string[], records: Uint8Array[]): Uint8Array {
  const text = ["######## Neuralynx Data File Header", ...lines].join("\r\n");
  const header = new Uint8Array(16_384);
  header.set(encode(text));
  return joined([header, ...records]);
}

function neuralynxSet(): GoodFile {
  const signal = (entity: string) =>
    neuralynxFile(
      [
        `-AcqEntName ${entity}`,
        "-SamplingFrequency 2000",
        "-ADBitVolts 0.0000001",
        "-RecordSize 1044",
      ],
      [0, 256_000, 900_000].map((us, i) =>
        record(1044, (view) => {
          view.setBigUint64(0, BigInt(5_000_000 + us), true);
          view.setUint32(12, 2000, true);
          view.setUint32(16, i === 2 ? 100 : 512, true);
          for (let k = 0; k < 512; k++) view.setInt16(20 + 2 * k, k - 200, true);
        })
      ),
    );
  const event = record(184, (view, bytes) => {
    view.setBigUint64(6, 5_100_000n, true);
    bytes.set(encode("TTL"), 56);
  });
  const spike = record(112, (view) => view.setBigUint64(0, 5_200_000n, true));
  return {
    main: "CSC1.ncs",
    files: {
      "CSC1.ncs": signal("CSC1"),
      "CSC2.ncs": signal("CSC2"),
      "Events.nev": neuralynxFile([], [event, event]),
      "SE1.nse": neuralynxFile(["-ADBitVolts 0.0000001"], [spike]),
    },
  };
}

/** A neuron, markers and a continuous variable with a pause. */
function nexFile(): GoodFile {
  const variables = 3, start = 544 + 208 * variables;
  const parts = [
    bytesOf(Int32Array.of(3, 10, 2000)),
    joined([
      bytesOf(Int32Array.of(1, 2)),
      record(64, (_, b) => b.set(encode("key"))),
      encode("12\0\x0034\0\0"),
    ]),
    joined([bytesOf(Int32Array.of(100, 900, 0, 100)), bytesOf(ramp(200, 3))]),
  ];
  const head = record(start, (view, bytes) => {
    bytes.set(encode("NEX1"));
    view.setInt32(4, 106, true);
    view.setFloat64(264, 1000, true);
    view.setInt32(280, variables, true);
    let at = start;
    [[0, 3], [6, 2], [5, 2]].forEach(([type, count], i) => {
      const h = 544 + 208 * i;
      view.setInt32(h, type, true);
      view.setInt32(h + 4, 102, true);
      bytes.set(encode(`v${i}`), h + 8);
      view.setUint32(h + 72, at, true);
      view.setInt32(h + 76, count, true);
      view.setFloat64(h + 112, 500, true);
      view.setFloat64(h + 120, 0.25, true);
      view.setInt32(h + 128, type === 5 ? 200 : 0, true);
      view.setInt32(h + 132, type === 6 ? 1 : 0, true);
      view.setInt32(h + 136, 4, true);
      at += parts[i].length;
    });
  });
  return { main: "a.nex", files: { "a.nex": joined([head, ...parts]) } };
}

/** Waveforms and a continuous variable, with metadata at the end. */
function nex5File(): GoodFile {
  const start = 356 + 2 * 244;
  const parts = [
    joined([bytesOf(BigInt64Array.of(5n, 90n)), bytesOf(ramp(16, 3))]),
    joined([bytesOf(BigInt64Array.of(10n)), bytesOf(Uint32Array.of(0)), bytesOf(ramp(300, 7))]),
  ];
  const data = parts[0].length + parts[1].length;
  const head = record(start, (view, bytes) => {
    bytes.set(encode("NEX5"));
    view.setInt32(4, 501, true);
    view.setFloat64(264, 1000, true);
    view.setInt32(280, 2, true);
    view.setBigUint64(284, BigInt(start + data), true);
    let at = start;
    [[3, 2, 8], [5, 1, 300]].forEach(([type, count, points], i) => {
      const h = 356 + 244 * i;
      view.setInt32(h, type, true);
      bytes.set(encode(`v${i}`), h + 8);
      view.setBigUint64(h + 72, BigInt(at), true);
      view.setBigUint64(h + 80, BigInt(count), true);
      view.setInt32(h + 88, 1, true);
      view.setFloat64(h + 96, 500, true);
      bytes.set(encode("uV"), h + 104);
      view.setFloat64(h + 136, 0.5, true);
      view.setBigUint64(h + 152, BigInt(points), true);
      at += parts[i].length;
    });
  });
  const meta = encode('{"file": {"writerSoftware": {"name": "test"}}}');
  return { main: "a.nex5", files: { "a.nex5": joined([head, ...parts, meta]) } };
}

/** A zlib stream of up to 65,535 bytes that are not compressed. */
export function zlibStored(bytes: Uint8Array): Uint8Array {
  let a = 1, b = 0;
  for (const byte of bytes) {
    a = (a + byte) % 65_521;
    b = (b + a) % 65_521;
  }
  const n = bytes.length;
  const head = [0x78, 0x01, 0x01, n & 255, n >> 8, ~n & 255, (~n >> 8) & 255];
  return joined([
    Uint8Array.from(head),
    bytes,
    Uint8Array.of(b >> 8, b & 255, a >> 8, a & 255),
  ]);
}

/**
 * A `.cbin` and its `.ch` of `scans[sample][channel]` in chunks of `chunkSamples`, with differences in time and, when
 * wanted, between channels.
 */
export function compressedScans(
  scans: number[][],
  chunkSamples: number,
  spatial: boolean,
  order: "F" | "C",
): { cbin: Uint8Array; ch: Uint8Array } {
  const channels = scans[0].length, bounds = [0], offsets = [0];
  const parts: Uint8Array[] = [];
  for (let first = 0; first < scans.length; first += chunkSamples) {
    const chunk = scans.slice(first, first + chunkSamples);
    const inTime = chunk.map((row, k) => row.map((v, c) => v - (k ? chunk[k - 1][c] : 0)));
    const rows = inTime.map((row) => row.map((v, c) => v - (spatial && c ? row[c - 1] : 0)));
    const values = order === "C"
      ? rows.flat()
      : Array.from({ length: channels }, (_, c) => rows.map((row) => row[c])).flat();
    const part = zlibStored(bytesOf(Int16Array.from(values)));
    parts.push(part);
    bounds.push(first + chunk.length);
    offsets.push(offsets[offsets.length - 1] + part.length);
  }
  const description = {
    algorithm: "zlib",
    chunk_bounds: bounds,
    chunk_offsets: offsets,
    chunk_order: order,
    do_spatial_diff: spatial,
    do_time_diff: true,
    dtype: "int16",
    n_channels: channels,
    sample_rate: 30000,
    version: "1.0",
  };
  return { cbin: joined(parts), ch: encode(JSON.stringify(description)) };
}

function compressedSet(): GoodFile {
  const scans = Array.from({ length: 250 }, (_, k) => [k, 3 * k - 100, 500 - k, (k >> 4) & 1]);
  const { cbin, ch } = compressedScans(scans, 100, false, "F");
  const main = "c_g0_t0.imec0.ap.cbin", stem = main.slice(0, -5);
  const [meta] = Object.values(spikeglxSet().files);
  return { main, files: { [main]: cbin, [`${stem}.ch`]: ch, [`${stem}.meta`]: meta } };
}

function spikeglxSet(): GoodFile {
  const samples = ramp(4 * 300, 11);
  const meta = [
    "acqApLfSy=384,384,1",
    "fileCreateTime=2024-01-02T03:04:05",
    "fileName=D:/r_g0_t0.imec0.ap.bin",
    `fileSizeBytes=${samples.byteLength}`,
    "fileTimeSecs=0.01",
    "imAiRangeMax=0.6",
    "imDatPrb_type=0",
    "imMaxInt=512",
    "imSampRate=30000.12",
    "nSavedChans=4",
    "snsApLfSy=3,0,1",
    "snsSaveChanSubset=0:2,768",
    "typeThis=imec",
    "~imroTbl=(0,384)(0 0 0 500 250 1)(1 0 0 500 250 1)(2 0 0 500 250 1)",
    "~snsChanMap=(384,384,1)(AP0;0:0)(AP1;1:1)(AP2;2:2)(SY0;768:3)",
    "",
  ].join("\n");
  const main = "r_g0_t0.imec0.ap.meta";
  return {
    main,
    files: { [main]: encode(meta), "r_g0_t0.imec0.ap.bin": bytesOf(samples) },
  };
}
