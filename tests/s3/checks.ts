/**
 * Inputs and outputs on a real S3 service, by the real program, with signatures:
 *
 *   deno task s3      (deno test -A tests/s3/checks.ts)
 *
 * It takes Versity's gateway, installed with Go into .tools/bin the first time.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Uint8ArrayReader, Uint8ArrayWriter, ZipWriter } from "@zip.js/zip.js";
import { sampleFiles } from "../support/sample-files.ts";
import { waveFile } from "../support/wave-file.ts";
import { comparable, difference, localFiles } from "./compare.ts";
import { CREDENTIALS, Gateway, REGION } from "./gateway.ts";

const CLI = new URL("../../cli.ts", import.meta.url).pathname;
const gateway = await Gateway.start();
const folder = await Deno.makeTempDir({ prefix: "sparc-fuse-s3-checks-" });
Deno.test.afterAll(async () => {
  await gateway.stop();
  await Deno.remove(folder, { recursive: true });
});
await gateway.makeBucket("inputs");
await gateway.makeBucket("outputs");
await gateway.makeBucket("open-data", true);

/** Noise of 8 channels: nothing of it compresses away. */
function noise(samples: number): Uint8Array {
  const values = new Int16Array(8 * samples);
  let state = 1;
  for (let i = 0; i < values.length; i++) {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    values[i] = (state >> 18) - 4096;
  }
  return waveFile(values, 8, 30_000);
}

const SMALL = Object.entries(await sampleFiles());
const LARGE = noise(1_500_000);
await Deno.mkdir(`${folder}/in/set`, { recursive: true });
for (const [path, bytes] of [...SMALL, ["large.wav", LARGE] as const]) {
  await Deno.writeFile(`${folder}/in/${path}`, bytes);
  await gateway.put("inputs", `lab 1/${path}`, bytes);
}
await gateway.put("open-data", "tone.wav", (await sampleFiles())["tone.wav"]);

type Run = { code: number; out: Uint8Array; err: string };
type Environment = Record<string, string | undefined>;

function command(args: string[], changes: Environment = {}): Deno.Command {
  const env: Environment = { ...gateway.environment, NO_COLOR: "1", TMPDIR: folder, ...changes };
  const given = Object.entries(env).filter(([, value]) => value !== undefined);
  const kept = ["PATH", "HOME", "DENO_DIR"].flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  });
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", CLI, ...args],
    env: Object.fromEntries([...kept, ...given]),
    clearEnv: true,
    cwd: folder,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

async function fuse(args: string[], changes: Environment = {}): Promise<Run> {
  const { code, stdout, stderr } = await command(args, changes).output();
  return { code, out: stdout, err: new TextDecoder().decode(stderr) };
}

/** All objects below a prefix of the output bucket. */
async function objects(prefix: string): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const key of await gateway.keys("outputs", `${prefix}/`)) {
    files.set(key, (await gateway.get("outputs", `${prefix}/${key}`)).bytes);
  }
  return files;
}

/** What a command writes into a folder and into a bucket is the same. */
async function sameThere(name: string, args: string[]): Promise<Map<string, Uint8Array>> {
  const local = await fuse([...args, "-o", `${folder}/local-${name}`]);
  assert.equal(local.code, 0, local.err);
  const remote = await fuse([...args, "-o", `s3://outputs/${name}`]);
  assert.equal(remote.code, 0, remote.err);
  const expected = await comparable(await localFiles(`${folder}/local-${name}`));
  const found = await comparable(await objects(name));
  assert.deepEqual([...found.keys()], [...expected.keys()]);
  for (const [key, bytes] of expected) {
    // The report tells where the outputs are and how long it took.
    if (key !== "report.json") assert.equal(difference(bytes, found.get(key)!), null, key);
  }
  assert.deepEqual(await gateway.uploads("outputs"), []);
  return found;
}

const KINDS: [string, ...string[]][] = [
  ["zarr"],
  ["zarr", "--zarr-format", "2"],
  ["zarr", "--compressor", "none", "--shard-bytes", "64MiB", "--chunk-bytes", "4MiB"],
  ["zarr.zip"],
  ["npz"],
  ["npy"],
  ["mat"],
  ["mat", "--mat-version", "7.3"],
  ["raw"],
  ["i16le"],
  ["csv", "--until", "3"],
  ["ndjson", "--until", "0.5"],
  ["arrow"],
  ["parquet"],
  ["kerchunk"],
  ["kerchunk-parquet"],
];

for (const [kind, ...flags] of KINDS) {
  Deno.test(`--to ${[kind, ...flags].join(" ")}: the objects are the files of a folder`, async () => {
    const name = `kinds/${[kind, ...flags].join("")}`;
    const files = await sameThere(name, ["in/large.wav", "--to", kind, ...flags]);
    assert.ok(files.size > 0);
  });
}

Deno.test("many recordings of one folder, from disk and from the bucket, into the bucket", async () => {
  const found = await sameThere("many", ["in/set", "in/mixed.rhd", "in/two-rates.acq"]);
  assert.ok(found.has("rec.ns5.zarr/zarr.json") && found.has("report.json"));
  const all = await fuse(["s3://inputs/lab 1/", "-o", "s3://outputs/all", "--exclude", "large*"]);
  assert.equal(all.code, 0, all.err);
  const stores = (await gateway.keys("outputs", "all/")).filter((k) => /zarr\/zarr\.json$/.test(k));
  assert.deepEqual(
    stores.filter((k) => !/\.zarr\/.+\/zarr\.json/.test(k)),
    ["events.smr", "mixed.rhd", "pause.ns2", "set/rec.ns5", "tone.wav", "two-rates.acq"]
      .map((path) => `${path}.zarr/zarr.json`),
  );
  const again = await fuse(["s3://inputs/lab 1", "-o", "s3://outputs/all", "--exclude", "large*"]);
  assert.equal(again.code, 0, again.err);
  assert.match(again.err, /there already/);
  const listed = await fuse(["list", "s3://inputs", "--json"]);
  assert.equal(new TextDecoder().decode(listed.out).trim().split("\n").length, SMALL.length + 1);
});

Deno.test("an object, a member of a zip in the bucket, and its siblings read as the files do", async () => {
  const archive = new ZipWriter(new Uint8ArrayWriter());
  await archive.add("a/stored.wav", new Uint8ArrayReader(LARGE), { level: 0 });
  await archive.add("a/packed.wav", new Uint8ArrayReader(LARGE), { level: 1 });
  await gateway.put("inputs", "archive.zip", await archive.close());
  const local = await fuse(["in/large.wav", "-o", "-", "--to", "i16le"]);
  assert.equal(local.code, 0, local.err);
  for (
    const input of ["lab 1/large.wav", "archive.zip!/a/stored.wav", "archive.zip!/a/packed.wav"]
  ) {
    const remote = await fuse([`s3://inputs/${input}`, "-o", "-", "--to", "i16le"]);
    assert.equal(remote.code, 0, remote.err);
    assert.ok(Buffer.compare(local.out, remote.out) === 0, input);
  }
  const set = await fuse(["s3://inputs/lab 1/set/rec.ns5", "-o", "from-bucket"]);
  assert.equal(set.code, 0, set.err);
  assert.equal((await fuse(["in/set/rec.ns5", "-o", "from-disk"])).code, 0);
  const [a, b] = [
    await localFiles(`${folder}/from-bucket`),
    await localFiles(`${folder}/from-disk`),
  ];
  assert.deepEqual([...a.keys()].sort(), [...b.keys()].sort());
  assert.ok(
    [...a.keys()].some((key) => key.includes("events/")),
    "the .nev beside it was not read",
  );
});

Deno.test("slices of an original and of stores are the local ones, and read little", async () => {
  for (const to of ["zarr", "zarr.zip"]) {
    const made = await fuse(["in/large.wav", "-o", "s3://outputs/slices", "--to", to]);
    assert.equal(made.code, 0, made.err);
  }
  assert.equal((await fuse(["in/large.wav", "-o", "slices"])).code, 0);
  const part = ["--from", "20", "--until", "20.1", "--to", "npy", "--stats"];
  const cases = [
    ["in/large.wav", "s3://inputs/lab 1/large.wav", 4],
    ["slices/large.wav.zarr", "s3://outputs/slices/large.wav.zarr", 12],
    ["slices/large.wav.zarr", "s3://outputs/slices/large.wav.zarr.zip", 12],
  ] as const;
  for (const [local, remote, most] of cases) {
    const expected = await fuse(["slice", local, ...part]);
    const found = await fuse(["slice", remote, ...part]);
    assert.equal(found.code, 0, found.err);
    assert.ok(expected.out.length > 40_000);
    assert.ok(Buffer.compare(found.out, expected.out) === 0, remote);
    const [, size, unit, requests] = /([\d.]+) (\w+) read in (\d+) requests/.exec(found.err)!;
    assert.ok(Number(requests) >= 1 && Number(requests) <= most, found.err);
    assert.ok(unit === "kB" || Number(size) < 8, found.err);
  }
});

Deno.test("verify reads a store in the bucket, and finds what was changed", async () => {
  const made = await fuse(["in/large.wav", "-o", "s3://outputs/verified"]);
  assert.equal(made.code, 0, made.err);
  const store = "s3://outputs/verified/large.wav.zarr";
  const well = await fuse(["verify", store, "--against", "s3://inputs/lab 1/large.wav"]);
  assert.deepEqual([well.code, well.err], [0, ""]);
  const key = "verified/large.wav.zarr/signals/c/0/0";
  const { bytes, crc32c } = await gateway.get("outputs", key);
  assert.match(String(crc32c), /^[A-Za-z0-9+/]{6}==/);
  bytes[bytes.length - 2] ^= 1;
  await gateway.put("outputs", key, bytes);
  const damaged = await fuse(["verify", store]);
  assert.equal(damaged.code, 1);
  assert.match(damaged.err, /signals\/c\/0\/0: the checksum of the shard's index is wrong/);
});

Deno.test("references to an object name it, and go to the bucket like any output", async () => {
  for (const to of ["kerchunk", "parquet"]) {
    const files = await sameThere(`refs-${to}`, [
      "refs",
      "s3://inputs/lab 1/large.wav",
      "--to",
      to,
    ]);
    if (to === "kerchunk") {
      const [[name, bytes]] = files;
      assert.equal(name, "large.wav.refs.json");
      assert.match(new TextDecoder().decode(bytes), /"s3:\/\/inputs\/lab 1\/large\.wav"/);
    }
  }
  const again = await fuse([
    "refs",
    "s3://inputs/lab 1/large.wav",
    "-o",
    "s3://outputs/refs-kerchunk",
  ]);
  assert.equal(again.code, 2);
  assert.match(again.err, /large\.wav.*there already/);
});

Deno.test("killed at any moment, --resume in the bucket ends with the same objects", async () => {
  const shape = ["in/large.wav", "--chunk-bytes", "64KiB", "--shard-bytes", "512KiB"];
  const started = performance.now();
  const whole = await fuse([...shape, "-o", "s3://outputs/whole"]);
  assert.equal(whole.code, 0, whole.err);
  const millis = performance.now() - started;
  const expected = await comparable(await objects("whole"));
  let resumed = 0;
  for (let round = 0; round < 4 || (resumed === 0 && round < 12); round++) {
    const out = `s3://outputs/killed-${round}`;
    const child = command([...shape, "-o", out, "--quiet"]).spawn();
    const ended = child.output();
    await new Promise((resolve) => setTimeout(resolve, millis * (0.3 + 0.6 * Math.random())));
    try {
      child.kill("SIGKILL");
    } catch {
      // It had ended.
    }
    await ended;
    const left = await gateway.keys("outputs", `killed-${round}/`);
    const finished = left.includes("large.wav.zarr/zarr.json");
    const tasks = left.filter((key) => /\.journal\/task-/.test(key)).length;
    if (!finished && tasks > 0) {
      resumed++;
      const other = await fuse([...shape, "--keep", "raw", "-o", out, "--resume"]);
      assert.equal(other.code, 1);
      assert.match(other.err, /was another conversion/);
    }
    const again = await fuse([...shape, "-o", out, "--resume", "--json"]);
    assert.equal(again.code, 0, again.err + new TextDecoder().decode(again.out).slice(-2000));
    const found = await comparable(await objects(`killed-${round}`));
    assert.deepEqual([...found.keys()], [...expected.keys()]);
    for (const [key, bytes] of expected) {
      assert.equal(difference(bytes, found.get(key)!), null, key);
    }
  }
  assert.ok(resumed > 0, "no run was killed at its work");
  assert.deepEqual(await gateway.uploads("outputs"), []);
});

Deno.test("interrupted, an output is there whole or not at all, and no upload stays behind", async () => {
  for (const [to, millis] of [["npy", 700], ["npz", 1100], ["zarr", 600]] as const) {
    const out = `s3://outputs/interrupted-${to}`;
    const child = command(["in/large.wav", "-o", out, "--to", to, "--compressor", "none"]).spawn();
    const ended = child.output();
    await new Promise((resolve) => setTimeout(resolve, millis));
    let sent = true;
    try {
      child.kill("SIGINT");
    } catch {
      sent = false;
    }
    const { code } = await ended;
    const left = await objects(`interrupted-${to}`);
    assert.deepEqual(await gateway.uploads("outputs"), []);
    const last = to === "zarr" ? "large.wav.zarr/zarr.json" : `large.wav.${to}`;
    if (!left.has(last)) {
      assert.ok(sent && code === 130, `status ${code}`);
      assert.ok(
        [...left.keys()].every((key) => /\.journal\/|\/c\//.test(key)),
        [...left.keys()].join(),
      );
      continue;
    }
    // The interruption came when everything was there.
    const args = ["in/large.wav", "-o", `whole-${to}`, "--to", to, "--compressor", "none"];
    assert.equal((await fuse(args)).code, 0);
    const lengths = (files: Map<string, Uint8Array>) =>
      [...files].map(([name, { length }]) => `${name} ${length}`).sort();
    assert.deepEqual(lengths(left), lengths(await localFiles(`${folder}/whole-${to}`)));
  }
});

Deno.test("what the service refuses is said, with bucket and key, and ends with status 1", async () => {
  const input = "s3://inputs/lab 1/tone.wav";
  const cases: [RegExp, string[], Environment?][] = [
    [/s3:\/\/inputs\/none\.wav: there is no such object/, ["s3://inputs/none.wav", "-o", "x"]],
    [/s3:\/\/no-bucket\/a\.wav: there is no such bucket/, ["s3://no-bucket/a.wav", "-o", "x"]],
    [/s3:\/\/no-bucket\/: there is no such bucket/, ["list", "s3://no-bucket/"]],
    [/s3:\/\/inputs\/none\.wav: there is no such object/, ["slice", "s3://inputs/none.wav"]],
    [/s3:\/\/no-bucket\/a\.zarr.*there is no such bucket/, ["verify", "s3://no-bucket/a.zarr"]],
    [/s3:\/\/outputs\/a\.zarr: is not a zarr store/, ["verify", "s3://outputs/a.zarr"]],
    [/s3:\/\/no-bucket\/x\/tone\.wav\.zarr.*there is no such bucket/, [
      "in/tone.wav",
      "-o",
      "s3://no-bucket/x",
    ]],
    [/s3:\/\/no-bucket\/x\/tone\.wav\.npy: there is no such bucket/, [
      ...["in/tone.wav", "-o", "s3://no-bucket/x", "--to", "npy"],
    ]],
    [/s3:\/\/inputs\/lab 1\/tone\.wav: the secret key does not fit/, [input, "-o", "x"], {
      AWS_SECRET_ACCESS_KEY: "wrong-0123456789",
    }],
    [/s3:\/\/outputs\/x\/tone\.wav\.csv: the service does not know the access key/, [
      ...["in/tone.wav", "-o", "s3://outputs/x", "--to", "csv"],
    ], { AWS_ACCESS_KEY_ID: "nobody" }],
    [/s3:\/\/inputs\/lab 1\/tone\.wav: access is denied.*set AWS_PROFILE/, [input, "-o", "x"], {
      AWS_ACCESS_KEY_ID: undefined,
      AWS_SECRET_ACCESS_KEY: undefined,
    }],
    [/s3:\/\/outputs\/x\/tone\.wav\.csv: there are no credentials to sign/, [
      ...["in/tone.wav", "-o", "s3://outputs/x", "--to", "csv"],
    ], { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined }],
    [/another region.*Set AWS_REGION \(asked in us-west-2\)/, [input, "-o", "x"], {
      AWS_REGION: "us-west-2",
    }],
  ];
  for (const [message, args, changes] of cases) {
    const { code, err } = await fuse(args, changes);
    assert.match(err, message);
    assert.ok(code === 1 || code === 2, `${args.join(" ")}: status ${code}`);
  }
});

Deno.test("endpoint, region, profile and open buckets are taken from the usual variables", async () => {
  await Deno.writeTextFile(
    `${folder}/config`,
    `[profile lab]\nregion = ${REGION}\n[profile elsewhere]\nregion = us-west-2\n`,
  );
  await Deno.writeTextFile(
    `${folder}/credentials`,
    ["lab", "elsewhere"].map((name) =>
      `[${name}]\naws_access_key_id = ${CREDENTIALS.accessKeyId}\n` +
      `aws_secret_access_key = ${CREDENTIALS.secretAccessKey}\n`
    ).join(""),
  );
  const none = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined };
  const files = {
    ...none,
    AWS_CONFIG_FILE: `${folder}/config`,
    AWS_SHARED_CREDENTIALS_FILE: `${folder}/credentials`,
    AWS_REGION: undefined,
  };
  const input = "s3://inputs/lab 1/tone.wav";
  const endpoint = { AWS_ENDPOINT_URL_S3: undefined, AWS_ENDPOINT_URL: gateway.endpoint };
  const cases: [boolean, string[], Environment][] = [
    [true, [input], { ...files, AWS_PROFILE: "lab" }],
    [false, [input], { ...files, AWS_PROFILE: "elsewhere" }],
    [true, [input], { ...files, AWS_PROFILE: "elsewhere", AWS_REGION: REGION }],
    [true, [input], endpoint],
    [true, [input, "--s3-endpoint", gateway.endpoint], { AWS_ENDPOINT_URL_S3: undefined }],
    [true, ["s3://open-data/tone.wav"], none],
    [true, ["s3://open-data/"], none],
  ];
  for (const [k, [well, args, changes]] of cases.entries()) {
    const { code, err } = await fuse([...args, "-o", `variables-${k}`, "--to", "npy"], changes);
    assert.equal(code === 0, well, `${k}: ${err}`);
  }
  const lab = await fuse(["in/tone.wav", "-o", "s3://outputs/by-profile", "--to", "npy"], {
    ...files,
    AWS_PROFILE: "lab",
  });
  assert.equal(lab.code, 0, lab.err);
});
