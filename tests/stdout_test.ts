/** The real program between pipes: it flows at once, holds little, and ends quietly. */
import assert from "node:assert/strict";
import { tableFromIPC } from "apache-arrow";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { inFolder, type Workplace } from "./support/run-cli.ts";
import { readNpy, readNpz, readZip } from "./support/read-npy.ts";
import { sampleFiles, wavFile, wavHeader } from "./support/sample-files.ts";

const TONE = wavFile({ channels: 2, rate: 1000, samples: 3000 });
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

interface Piped {
  code: number;
  stdout: Uint8Array;
  stderr: string;
}

/** Runs the program with bytes on standard input. */
async function pipe(place: Workplace, input: Uint8Array, ...args: string[]): Promise<Piped> {
  const child = place.piped(...args);
  const writer = child.stdin.getWriter();
  writer.write(input).then(() => writer.close()).catch(() => {});
  const { code, stdout, stderr } = await child.output();
  return { code, stdout, stderr: text(stderr) };
}

/** The same file with its sizes as a program writes them that cannot know better. */
function endless(wav: Uint8Array, size = 0xffffffff): Uint8Array {
  const copy = wav.slice();
  const view = new DataView(copy.buffer);
  view.setUint32(4, 0xffffffff, true);
  view.setUint32(40, size, true);
  return copy;
}

Deno.test("a WAV from a pipe goes through a pipe as it goes from file to file", async () => {
  await inFolder(async (place) => {
    writeFileSync(`${place.folder}/tone.wav`, TONE);
    for (const sink of ["npy", "raw", "csv", "ndjson"]) {
      assert.equal((await place.cli("tone.wav", "-o", ".", "--to", sink)).code, 0);
      const piped = await pipe(place, TONE, "-", "-o", "-", "--to", sink);
      assert.deepEqual([piped.code, piped.stderr.startsWith("ok ")], [0, true], piped.stderr);
      assert.deepEqual(piped.stdout, Deno.readFileSync(`${place.folder}/tone.wav.${sink}`), sink);
    }
    const arrow = await pipe(place, TONE, "-", "-o", "-", "--to", "arrow", "--quiet");
    assert.equal(arrow.stderr, "");
    assert.equal(tableFromIPC(arrow.stdout).numRows, 3000);
    const npz = await pipe(place, TONE, "-", "-o", "-", "--to", "npz", "--json");
    assert.deepEqual(readNpz(npz.stdout).get("signals")!.shape, [2, 3000]);
    assert.equal(JSON.parse(npz.stderr.split("\n")[0]).type, "job", "events go to stderr");
    const zip = await pipe(place, TONE, "-", "-o", "-", "--to", "zarr.zip", "--quiet");
    assert.deepEqual([zip.code, zip.stderr], [0, ""]);
    assert.equal([...readZip(zip.stdout).keys()][0], "zarr.json");
    assert.deepEqual(
      readdirSync(place.folder).sort(),
      [".csv", ".ndjson", ".npy", ".raw", ".raw.json", ""].map((e) => `tone.wav${e}`).sort(),
    );
  });
});

Deno.test("a stream that does not know its length is converted up to its end", async () => {
  await inFolder(async (place) => {
    for (const size of [0xffffffff, 0x7ffff000, 0]) {
      const input = endless(TONE, size);
      const csv = await pipe(place, input, "-", "-o", "-", "--to", "csv", "--quiet");
      assert.deepEqual([csv.code, csv.stderr], [0, ""]);
      assert.equal(text(csv.stdout).trim().split("\r\n").length, 3001);
    }
    const right = await pipe(
      place,
      endless(TONE),
      ...["-", "-o", "-", "--to", "i16le", "--channels", "ch2", "--quiet"],
    );
    const both = new Int16Array(TONE.slice(44).buffer);
    assert.deepEqual(
      [...new Int16Array(right.stdout.slice().buffer)],
      [...both].filter((_, i) => i % 2 === 1),
    );
    const npy = await pipe(place, endless(TONE), "-", "-o", "-", "--to", "npy");
    assert.deepEqual([npy.code, npy.stdout.length], [1, 0]);
    assert.match(npy.stderr, /number of samples.*--to raw, csv, ndjson or arrow/s);
    const file = await pipe(place, endless(TONE), "-", "-o", ".", "--to", "npy");
    assert.equal(file.code, 0, file.stderr);
    assert.deepEqual(readNpy(readFileSync(`${place.folder}/stdin.npy`)).shape, [2, 3000]);
    const store = await pipe(place, endless(TONE), "-", "-o", ".", "--channels", "1");
    assert.equal(store.code, 0, store.stderr);
    assert.ok(readdirSync(`${place.folder}/stdin.zarr`).includes("signals"));
  });
});

Deno.test("a pipe that breaks off is a failure, after what has come", async () => {
  await inFolder(async (place) => {
    const cut = await pipe(place, TONE.subarray(0, 5044), "-", "-o", "-", "--to", "raw");
    assert.equal(cut.code, 1);
    assert.equal(cut.stdout.length, 10_000);
    assert.match(cut.stderr, /stdin: the file ends too early/);
    const header = await pipe(place, TONE.subarray(0, 30), "-", "-o", "-", "--to", "raw");
    assert.deepEqual([header.code, header.stdout.length], [1, 0]);
    const nothing = await pipe(place, new Uint8Array(0), "-", "-o", "-", "--to", "raw");
    assert.deepEqual([nothing.code, nothing.stdout.length], [1, 0]);
  });
});

Deno.test("a format that needs random access is copied first, and nothing stays", async () => {
  const files = await sampleFiles();
  await inFolder(async (place) => {
    const rhd = files["mixed.rhd"];
    const many = await pipe(place, rhd, "-", "-o", "-", "--to", "csv");
    assert.equal(many.code, 1);
    assert.match(many.stderr, /--array with one of: amplifier\/signals, auxiliary/);
    const one = await pipe(place, rhd, "-", "-o", "-", "--to", "csv", "--array", "amplifier");
    assert.equal(one.code, 0, one.stderr);
    assert.match(one.stderr, /copied to a temporary file/);
    assert.match(text(one.stdout), /^time \(s\),A-000 \(uV\)/);
    const npz = await pipe(place, rhd, "-", "-o", "-", "--to", "npz");
    assert.equal(npz.code, 0, npz.stderr);
    assert.deepEqual(readdirSync(place.folder), [], "temporary files are gone");
  });
});

Deno.test("a reader that has seen enough ends the work quietly, with status 0", async () => {
  await inFolder(async (place) => {
    for (const sink of ["csv", "npy", "npz", "parquet"]) {
      const child = place.piped("-", "-o", "-", "--to", sink);
      const source = feed(child, { channels: 2, rate: 48_000, samples: 2_000_000 });
      const reader = child.stdout.getReader();
      await reader.read();
      await reader.cancel();
      const { code } = await child.status;
      source.stop();
      assert.equal(code, 0, sink);
      assert.equal(text(await bytesOf(child.stderr)), "", sink);
      assert.deepEqual(readdirSync(place.folder), [], "temporary files are gone");
    }
  });
});

/** Writes a WAV of noise into a program for as long as it takes it. */
function feed(
  child: Deno.ChildProcess,
  spec: { channels: number; rate: number; samples: number },
): { stop(): void } {
  const writer = child.stdin.getWriter();
  const piece = new Uint8Array(1 << 18).map((_, i) => (i * 2654435761) >>> 13);
  let left = 2 * spec.channels * spec.samples;
  let stopped = false;
  (async () => {
    await writer.write(wavHeader(spec));
    while (left > 0 && !stopped) {
      const n = Math.min(left, piece.length);
      await writer.write(piece.subarray(0, n));
      left -= n;
    }
    await writer.close();
  })().catch(() => {});
  return {
    stop() {
      stopped = true;
    },
  };
}

async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

Deno.test("what a recorder has written is through at once, and it may be silent for long", async () => {
  await inFolder(async (place) => {
    for (const [sink, most] of [["raw", 0], ["npy", 128], ["csv", 0], ["arrow", 0]] as const) {
      const child = place.piped("-", "-o", "-", "--to", sink, "--quiet");
      const began = performance.now();
      const writer = child.stdin.getWriter();
      await writer.write(TONE.subarray(0, 44 + 1000));
      const reader = child.stdout.getReader();
      let length = 0;
      // Behind the header come the samples, though most of the file is still to come.
      while (length <= most) length += (await reader.read()).value!.length;
      const seconds = (performance.now() - began) / 1000;
      assert.ok(seconds < 5, `${sink}: the first block took ${seconds} s`);
      // An interruption does not wait for more to come.
      child.kill("SIGINT");
      const { code } = await child.status;
      assert.equal(code, 130, sink);
      await reader.cancel();
      writer.close().catch(() => {});
      await child.stderr.cancel();
    }
  });
});

Deno.test({
  name: "300 MB through a pipe take no more memory than 30",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const peaks: number[] = [];
    await inFolder(async (place) => {
      for (const samples of [7_500_000, 75_000_000]) {
        const child = place.piped("-", "-o", "-", "--to", "npy", "--quiet");
        feed(child, { channels: 2, rate: 48_000, samples });
        let length = 0, peak = 0;
        for await (const piece of child.stdout) {
          length += piece.length;
          const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
          peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
        }
        assert.equal((await child.status).code, 0);
        await child.stderr.cancel();
        assert.equal(length, 128 + 8 * samples);
        peaks.push(peak);
      }
    });
    assert.ok(peaks[1] < peaks[0] + 80, `${peaks} MiB`);
    assert.ok(peaks[1] < 300, `${peaks} MiB`);
  },
});

Deno.test("standard output takes one input and one output", async () => {
  await inFolder(async (place) => {
    writeFileSync(`${place.folder}/a.wav`, TONE);
    writeFileSync(`${place.folder}/b.wav`, TONE);
    const cases: [RegExp, ...string[]][] = [
      [/a folder cannot go to standard output.*zarr\.zip, npy/s, "a.wav", "-o", "-"],
      [/takes one input/, "a.wav", "b.wav", "-o", "-", "--to", "csv"],
    ];
    for (const [message, ...args] of cases) {
      const { code, stdout, stderr } = await place.cli(...args);
      assert.deepEqual([code, stdout], [2, ""], stderr);
      assert.match(stderr, message);
    }
    const skipped = await place.cli("a.wav", "-o", ".", "--to", "csv");
    assert.equal(skipped.code, 0);
    const again = await place.cli("a.wav", "-o", ".", "--to", "csv");
    assert.match(again.stderr, /skipped .*there already/);
    const over = await place.cli("a.wav", "-o", ".", "--to", "csv", "--overwrite");
    assert.match(over.stderr, /^ok /);
    rmSync(`${place.folder}/b.wav`);
  });
});
