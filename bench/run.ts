/**
 * Side by side, in one run: this project, the plain tools and the Python peers on the same inputs.
 * Each row is wall time, peak memory of all processes, and output size; ratios are within the run.
 * The last table sets the results against the project's floors and aims.
 *
 *   deno task bench                 everything (about 25 GB of disk, 15 minutes)
 *   deno task bench --quick         a tenth of the size, one round: a smoke test, not a measurement
 *   deno task bench --only ns5      groups whose name contains the word
 *
 * Inputs are generated: by the scripts of the shared tools folder (SPARC_FUSE_SHARED, default ../shared)
 * and by bench/families/make.py.
 */
import { join } from "node:path";
import { humanBytes, table } from "../src/commands/table.ts";
import { pythonWith } from "../tools/python-env.ts";
import { fastest, measure, type Measurement } from "./measure.ts";
import { s3SliceRows, s3SliceVerdicts } from "./s3-slice.ts";
import { sparseRecording } from "./sparse.ts";
import { startUp } from "./start-up.ts";
import { type Verdict, verdictTable } from "./verdicts.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const SHARED = Deno.env.get("SPARC_FUSE_SHARED") ?? join(ROOT, "../shared");
const TOOLS = join(SHARED, "tools/perf");
const FAMILIES = join(ROOT, "bench/families");
const DATA = join(ROOT, "bench/data");
const quick = Deno.args.includes("--quick");
const onlyAt = Deno.args.indexOf("--only");
const only = onlyAt >= 0 ? Deno.args[onlyAt + 1] : "";
const rounds = quick ? 1 : 3;
const scale = quick ? 0.1 : 1;
const MEBIBYTE = 2 ** 20;

const python = await pythonWith([join(FAMILIES, "requirements.txt")]);
const out = join(DATA, "out");
Deno.mkdirSync(DATA, { recursive: true });

/** A file of the data folder, made by a Python script when it is missing. */
async function generated(name: string, command: (path: string) => string[]): Promise<string> {
  const path = join(DATA, name);
  try {
    Deno.statSync(path);
  } catch {
    console.error(`making ${name} ...`);
    const result = await new Deno.Command(python, { args: command(path), stderr: "null" }).output();
    if (!result.success) throw new Error(`cannot make ${name}`);
  }
  return path;
}

const ns5 = (megabytes: number) =>
  generated(
    `rec-${megabytes}.ns5`,
    (path) => [join(TOOLS, "gen_ns5.py"), path, String(megabytes)],
  );

const fuse = (...args: string[]) => [Deno.execPath(), "run", "-A", join(ROOT, "cli.ts"), ...args];
const convert = (input: string, ...flags: string[]) =>
  fuse(input, "-o", out, "--quiet", "--overwrite", ...flags);
const peer = join(out, "peer.zarr");

interface Row {
  name: string;
  command: string[];
  /** Row of the same group that the ratio is against. */
  against?: string;
  rounds?: number;
}

interface Group {
  title: string;
  rows: () => Promise<Row[]>;
  /** What the project promises of these rows. */
  verdicts: (of: (name: string) => Measurement) => Verdict[];
}

const ratio = (a: Measurement, b: Measurement) => a.seconds / b.seconds;

const groups: Group[] = [
  {
    title: `ns5: ${1000 * scale} MB Blackrock .ns5 (96 channels, int16)`,
    async rows() {
      const input = await ns5(1000 * scale);
      const neo = (codec: string) => [python, join(TOOLS, "peer_neo.py"), input, peer, codec];
      return [
        { name: "cp", command: ["cp", "--reflink=never", input, join(out, "copy.ns5")] },
        { name: "uncompressed", command: convert(input, "--compressor", "none"), against: "cp" },
        { name: "blosc-lz4 (default)", command: convert(input), against: "neo, zstd" },
        { name: "zstd", command: convert(input, "--compressor", "zstd"), against: "neo, zstd" },
        { name: "neo, uncompressed", command: neo("none") },
        { name: "neo, zstd", command: neo("zstd") },
      ];
    },
    verdicts: (of) => [
      {
        work: "1 GB .ns5 to zarr uncompressed, against cp",
        value: ratio(of("cp"), of("uncompressed")),
        form: "times",
        floor: 0.7,
        aim: 0.9,
      },
      {
        work: "the same to zarr compressed (default), against neo + zarr-python (zstd)",
        value: ratio(of("neo, zstd"), of("blosc-lz4 (default)")),
        form: "times",
        floor: 2,
        aim: 4,
      },
      {
        work: "its output, against theirs",
        value: of("blosc-lz4 (default)").outputBytes / of("neo, zstd").outputBytes,
        form: "share",
        floor: 1,
        aim: 1,
      },
      memoryVerdict("1 GB .ns5", [of("uncompressed"), of("blosc-lz4 (default)")]),
    ],
  },
  {
    title: `memory: ${8000 * scale} MB Blackrock .ns5`,
    async rows() {
      const input = await ns5(8000 * scale);
      return [
        { name: "uncompressed", command: convert(input, "--compressor", "none"), rounds: 1 },
        { name: "blosc-lz4 (default)", command: convert(input), rounds: 1 },
      ];
    },
    verdicts: (of) => [
      memoryVerdict("8 GB .ns5", [of("uncompressed"), of("blosc-lz4 (default)")]),
    ],
  },
  {
    title: `rhd: ${500 * scale} MB Intan .rhd (64 channels)`,
    async rows() {
      const folder = join(DATA, `rhd-${500 * scale}`);
      const make = [join(FAMILIES, "make.py"), "intan_rhd", folder, String(500 * scale)];
      const input = await generated(`rhd-${500 * scale}/big.rhd`, () => make);
      const script = join(FAMILIES, "peers.py");
      return [
        { name: "blosc-lz4 (default)", command: convert(input), against: "neo, zstd" },
        { name: "neo, zstd", command: [python, script, "intan_rhd", input, peer] },
      ];
    },
    verdicts: (of) => [{
      work: "500 MB .rhd to zarr, against neo + zarr-python (zstd)",
      value: ratio(of("neo, zstd"), of("blosc-lz4 (default)")),
      form: "times",
      floor: 3,
      aim: 6,
    }],
  },
  {
    title: "pyramid: 8k x 8k x 3 OME-TIFF (deflate)",
    async rows() {
      const side = String(Math.round(8192 * Math.sqrt(scale)));
      const flags = ["--size", side, "--channels", "3", "--codec", "deflate"];
      const input = await generated(
        `pyramid-${side}.ome.tif`,
        (path) => [join(TOOLS, "make_pyramid.py"), path, ...flags],
      );
      return [
        { name: "blosc-lz4 (default)", command: convert(input), against: "tifffile, zstd" },
        {
          name: "zstd",
          command: convert(input, "--compressor", "zstd"),
          against: "tifffile, zstd",
        },
        { name: "tifffile, zstd", command: [python, join(TOOLS, "peer_tifffile.py"), input, peer] },
      ];
    },
    verdicts: (of) => [{
      work: "8k x 8k x 3 deflate pyramid OME-TIFF, against tifffile + zarr-python",
      value: ratio(of("tifffile, zstd"), of("blosc-lz4 (default)")),
      form: "times",
      floor: 1.5,
      aim: 3,
    }],
  },
  {
    title: `s3: a slice of ${1000 * scale} MB on S3, 20 ms and 200 Mbit/s away`,
    rows: async () => s3SliceRows(await ns5(1000 * scale), out, fuse),
    verdicts: s3SliceVerdicts,
  },
  {
    title: `sparse: ${100 * scale} GB Blackrock .ns5, of holes`,
    rows() {
      const input = sparseRecording(DATA, 100e9 * scale);
      return Promise.resolve([
        { name: "--dry-run", command: fuse(input, "--dry-run", "--quiet", "-o", out) },
        {
          name: "slice of 1 s",
          command: fuse("slice", input, "--from", "1000", "--until", "1001", "--to", "npy"),
        },
      ]);
    },
    verdicts: (of) =>
      ["--dry-run", "slice of 1 s"].map((name) => ({
        work: `100 GB sparse .ns5: ${name}`,
        value: of(name).seconds,
        form: "seconds",
        floor: 1,
        aim: 0.3,
      })),
  },
];

function memoryVerdict(what: string, runs: Measurement[]): Verdict {
  return {
    work: `peak memory of all processes, ${what}`,
    value: Math.max(...runs.map((m) => m.peakBytes)) / MEBIBYTE,
    form: "MiB",
    floor: 400,
    aim: 250,
  };
}

const verdicts: Verdict[] = [];
for (const { title, rows: rowsOf, verdicts: verdictsOf } of groups) {
  if (!title.includes(only)) continue;
  const rows = await rowsOf();
  const best = new Map<string, Measurement>();
  for (let round = 0; round < rounds; round++) {
    for (const row of rows.filter((r) => round < (r.rounds ?? rounds))) {
      Deno.mkdirSync(out, { recursive: true });
      const measured = await measure(row.command, out);
      const known = best.get(row.name);
      best.set(row.name, known ? fastest(known, measured) : measured);
      Deno.removeSync(out, { recursive: true });
    }
  }
  console.log(`\n### ${title}\n`);
  const lines = rows.map(({ name, against }) => {
    const m = best.get(name)!;
    return [
      name,
      `${m.seconds.toFixed(2)} s`,
      humanBytes(m.peakBytes),
      humanBytes(m.outputBytes),
      against ? `${ratio(best.get(against)!, m).toFixed(2)}x ${against}` : "",
    ];
  });
  console.log(table(["work", "time", "peak memory", "output", "speed against"], lines));
  verdicts.push(...verdictsOf((name) => best.get(name)!));
}

const STARTING = "start-up: least of 20 runs";
if (STARTING.includes(only)) {
  const { lines, verdicts: promises } = await startUp(fuse, quick ? 3 : undefined);
  console.log(`\n### ${STARTING}\n\n${table(["until", "time"], lines)}`);
  verdicts.push(...promises);
}

console.log(`\n### Floors and aims\n\n${verdictTable(verdicts)}`);
