/** The kernels against plain TypeScript definitions of what they do. */
import assert from "node:assert/strict";
import { registry } from "zarrita";
import { type FuseError, isFuseError } from "../src/errors.ts";
import { decodedType, type DType, sizeOf, type StoredType } from "../src/model/dtype.ts";
import { type EdgeList, type GatherSpec, Kernels } from "../src/stream/kernels.ts";

const kernels = await Kernels.load();

/** xorshift32: the same bytes in every run. */
function random(seed: number): () => number {
  let x = seed >>> 0 || 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}

function randomBytes(length: number, next: () => number): Uint8Array {
  return Uint8Array.from({ length }, () => next() & 255);
}

/** One stored sample by the definition of its type. */
function decode(view: DataView, at: number, spec: GatherSpec): number | bigint {
  const { stored, littleEndian: le, flipSign } = spec.layout;
  const flip = (v: number, bits: number) => flipSign ? v - 2 ** (bits - 1) : v;
  if (spec.layout.signMagnitude) {
    const { magnitudeBits, signBit } = spec.layout.signMagnitude;
    const word = view.getUint16(at, le);
    const magnitude = word & ((1 << magnitudeBits) - 1);
    return (word >> signBit) & 1 ? -magnitude : magnitude;
  }
  switch (stored) {
    case "uint8":
      return flip(view.getUint8(at), 8);
    case "int8":
      return view.getInt8(at);
    case "uint16":
      return flip(view.getUint16(at, le), 16);
    case "int16":
      return view.getInt16(at, le);
    case "uint24":
    case "int24": {
      const b = [0, 1, 2].map((i) => view.getUint8(at + (le ? i : 2 - i)));
      const v = b[0] + b[1] * 256 + b[2] * 65536;
      return stored === "int24" && v >= 2 ** 23 ? v - 2 ** 24 : v;
    }
    case "uint32":
      return flip(view.getUint32(at, le), 32);
    case "int32":
      return view.getInt32(at, le);
    case "uint64":
      return view.getBigUint64(at, le) - (flipSign ? 1n << 63n : 0n);
    case "int64":
      return view.getBigInt64(at, le);
    case "float32":
      return view.getFloat32(at, le);
    case "float64":
      return view.getFloat64(at, le);
    case "float16":
      return view.getFloat16(at, le);
    case "alaw": {
      const v = view.getUint8(at) ^ 0x55, e = (v >> 4) & 7, m = v & 15;
      const magnitude = e ? ((m << 4) + 0x108) << (e - 1) : (m << 4) + 8;
      return v & 0x80 ? magnitude : -magnitude;
    }
    case "mulaw": {
      const v = ~view.getUint8(at) & 255;
      const magnitude = ((((v & 15) << 3) + 0x84) << ((v >> 4) & 7)) - 0x84;
      return v & 0x80 ? -magnitude : magnitude;
    }
    default:
      throw new Error(stored);
  }
}

function store(view: DataView, at: number, type: DType, v: number | bigint): void {
  if (type === "int64") view.setBigInt64(at, BigInt(v), true);
  else if (type === "uint64") view.setBigUint64(at, BigInt(v), true);
  else if (type === "float32") view.setFloat32(at, Number(v), true);
  else if (type === "float64") view.setFloat64(at, Number(v), true);
  else if (type === "float16") view.setFloat16(at, Number(v), true);
  else {
    const size = sizeOf(type);
    if (size === 1) view.setInt8(at, Number(v));
    else if (size === 2) view.setInt16(at, Number(v), true);
    else view.setInt32(at, Number(v), true);
  }
}

/** Runs a gather by definition and by kernel and compares the whole destination. */
function checkGather(
  label: string,
  spec: GatherSpec,
  src: Uint8Array,
  first: number,
  count: number,
): void {
  const { layout } = spec;
  const gather = kernels.gather(spec);
  const size = sizeOf(gather.dtype);
  const stride = count + 5, dstFirst = 3;
  const n = layout.channelOffsets.length;
  const expected = new Uint8Array(n * stride * size).fill(0xaa);
  const view = new DataView(src.buffer, src.byteOffset, src.byteLength);
  const to = new DataView(expected.buffer);
  for (let c = 0; c < n; c++) {
    for (let i = 0; i < count; i++) {
      const frame = Math.floor((first + i) / layout.samplesPerFrame);
      const k = (first + i) % layout.samplesPerFrame;
      const at = frame * spec.frameBytes + layout.channelOffsets[c] +
        (layout.sampleOffsets?.[k] ?? k * layout.sampleStride);
      let v = decode(view, at, spec);
      if (spec.output !== "raw") v = Number(v) * spec.gain![c] + spec.offset![c];
      store(to, (c * stride + dstFirst + i) * size, gather.dtype, v);
    }
  }
  const source = kernels.put(src);
  const rows = kernels.put(new Uint8Array(expected.length).fill(0xaa));
  gather.run({
    src: source.ptr,
    srcLength: src.length,
    firstSample: first,
    sampleCount: count,
    dst: rows.ptr,
    dstLength: rows.length,
    dstStride: stride,
    dstFirst,
  });
  const got = rows.bytes.slice();
  source.free();
  rows.free();
  gather.free();
  assert.ok(
    Uint8Array.from(got).every((b, i) => b === expected[i]),
    `${label}: byte ${got.findIndex((b, i) => b !== expected[i])} of ${got.length} differs`,
  );
}

const STORED: StoredType[] = [
  "int8",
  "uint8",
  "int16",
  "uint16",
  "int24",
  "uint24",
  "int32",
  "uint32",
  "int64",
  "uint64",
  "float16",
  "float32",
  "float64",
  "alaw",
  "mulaw",
];

/** Random bytes, without the NaN patterns whose bits a DataView may change. */
function sourceFor(stored: StoredType, length: number, next: () => number): Uint8Array {
  const bytes = randomBytes(length, next);
  if (stored.startsWith("float")) { for (let i = 0; i < length; i++) bytes[i] &= 0x3b; }
  return bytes;
}

Deno.test("gather: every stored type, byte order and output, interleaved and in blocks", () => {
  const next = random(7);
  for (const stored of STORED) {
    const w = sizeOf(stored);
    for (const littleEndian of [true, false]) {
      for (const output of ["raw", "float32", "float64"] as const) {
        for (const [channels, samplesPerFrame] of [[1, 1], [2, 1], [11, 1], [9, 70], [3, 4]]) {
          const lead = samplesPerFrame > 1 ? 6 : 0;
          const interleaved = samplesPerFrame !== 70;
          const frameBytes = lead + channels * samplesPerFrame * w;
          const spec: GatherSpec = {
            layout: {
              stored,
              littleEndian,
              samplesPerFrame,
              sampleStride: interleaved ? channels * w : w,
              channelOffsets: Array.from(
                { length: channels },
                (_, c) => lead + c * w * (interleaved ? 1 : samplesPerFrame),
              ),
            },
            frameBytes,
            output,
            gain: Array.from({ length: channels }, (_, c) => 0.195 * (c + 1)),
            offset: Array.from({ length: channels }, (_, c) => c - 1.5),
          };
          const total = 151;
          const frames = Math.ceil(total / samplesPerFrame);
          const src = sourceFor(stored, frames * frameBytes, next);
          checkGather(
            `${stored} le=${littleEndian} ${output} ${channels}x${samplesPerFrame}`,
            spec,
            src,
            3,
            140,
          );
        }
      }
    }
  }
});

Deno.test("gather: offset binary, sign and magnitude, irregular places, scattered channels", () => {
  const next = random(11);
  for (const stored of ["uint8", "uint16", "uint32", "uint64"] as const) {
    const w = sizeOf(stored);
    for (const littleEndian of [true, false]) {
      const spec: GatherSpec = {
        layout: {
          stored,
          littleEndian,
          flipSign: true,
          samplesPerFrame: 1,
          sampleStride: 0,
          channelOffsets: Array.from({ length: 20 }, (_, c) => (c * 7 % 20) * w),
        },
        frameBytes: 20 * w + 1,
        output: "raw",
      };
      assert.equal(decodedType(stored, true), kernels.gather(spec).dtype);
      checkGather(`flip ${stored}`, spec, randomBytes(300 * (20 * w + 1), next), 17, 280);
    }
  }
  for (const littleEndian of [true, false]) {
    checkGather(
      "sign and magnitude",
      {
        layout: {
          stored: "uint16",
          littleEndian,
          signMagnitude: { magnitudeBits: 12, signBit: 15 },
          samplesPerFrame: 1,
          sampleStride: 2,
          channelOffsets: [0, 2, 4],
        },
        frameBytes: 6,
        output: "float64",
        gain: [1, 2, 3],
        offset: [0, 0, 1],
      },
      randomBytes(600, next),
      0,
      100,
    );
  }
  checkGather(
    "irregular",
    {
      layout: {
        stored: "int16",
        littleEndian: true,
        samplesPerFrame: 4,
        sampleStride: 2,
        channelOffsets: [0, 2],
        sampleOffsets: [0, 4, 10, 16],
      },
      frameBytes: 24,
      output: "raw",
    },
    randomBytes(24 * 50, next),
    2,
    190,
  );
});

Deno.test("gather: wide recordings cross every tile border", () => {
  const next = random(3);
  for (const [stored, channels] of [["int16", 96], ["int16", 385], ["float32", 37]] as const) {
    const w = sizeOf(stored);
    const spec: GatherSpec = {
      layout: {
        stored,
        littleEndian: true,
        samplesPerFrame: 1,
        sampleStride: w,
        channelOffsets: Array.from({ length: channels }, (_, c) => 4 + c * w),
      },
      frameBytes: 4 + channels * w,
      output: "raw",
    };
    checkGather(
      `${stored} x ${channels}`,
      spec,
      sourceFor(stored, 333 * spec.frameBytes, next),
      1,
      331,
    );
  }
});

Deno.test("gather: samples past the bytes are reported, rows past the buffer refused", () => {
  const gather = kernels.gather({
    layout: {
      stored: "int16",
      littleEndian: true,
      samplesPerFrame: 1,
      sampleStride: 2,
      channelOffsets: [0, 2],
    },
    frameBytes: 4,
    output: "raw",
  });
  const src = kernels.put(new Uint8Array(39));
  const dst = kernels.alloc(40);
  const window = { src: src.ptr, srcLength: 39, dst: dst.ptr, dstLength: 40, firstSample: 0 };
  gather.run({ ...window, sampleCount: 9, dstStride: 10 });
  assert.throws(
    () =>
      gather.run({ ...window, sampleCount: 10, dstStride: 10 }, { source: "a.dat", offset: 100 }),
    (e: unknown) => isFuseError(e, "Truncated") && (e as FuseError).where.offset === 139,
  );
  assert.throws(
    () => gather.run({ ...window, sampleCount: 9, dstStride: 12 }),
    (e: unknown) => isFuseError(e, "Limit"),
  );
  src.free();
  dst.free();
  gather.free();
});

Deno.test("calibrate agrees with float64 arithmetic rounded once", () => {
  const values = Int16Array.from({ length: 1001 }, (_, i) => i * 65 - 32500);
  const src = kernels.put(new Uint8Array(values.buffer));
  const dst = kernels.alloc(values.length * 4);
  kernels.calibrate(
    { dtype: "int16", ptr: src.ptr, count: values.length },
    { dtype: "float32", ptr: dst.ptr },
    0.1949999928474426,
    -3.25,
  );
  const got = new Float32Array(dst.bytes.slice().buffer);
  values.forEach((v, i) => assert.equal(got[i], Math.fround(v * 0.1949999928474426 - 3.25)));
  src.free();
  dst.free();
});

type Pixels =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array;

Deno.test("downsample2x2: means rounded half up, odd edges by what exists, strides kept", () => {
  const next = random(5);
  const kinds: [DType, (n: number) => Pixels][] = [
    ["uint8", (n) => new Uint8Array(n)],
    ["int8", (n) => new Int8Array(n)],
    ["uint16", (n) => new Uint16Array(n)],
    ["int16", (n) => new Int16Array(n)],
    ["uint32", (n) => new Uint32Array(n)],
    ["int32", (n) => new Int32Array(n)],
    ["float32", (n) => new Float32Array(n)],
    ["float64", (n) => new Float64Array(n)],
  ];
  for (const [dtype, make] of kinds) {
    for (const [width, height] of [[64, 6], [65, 7], [1, 1], [37, 1], [1, 5], [130, 2]]) {
      for (const method of ["mean", "first"] as const) {
        const srcStride = width + 3, dstStride = Math.ceil(width / 2) + 2;
        const image = make(srcStride * height);
        for (let i = 0; i < image.length; i++) image[i] = next() - 2 ** 31 * (i & 1);
        const rows = Math.ceil(height / 2), columns = Math.ceil(width / 2);
        const expected = make(dstStride * rows);
        for (let y = 0; y < rows; y++) {
          for (let x = 0; x < columns; x++) {
            const found: number[] = [];
            for (let dy = 0; dy < 2; dy++) {
              for (let dx = 0; dx < 2; dx++) {
                const [py, px] = [2 * y + dy, 2 * x + dx];
                if (py < height && px < width) found.push(image[py * srcStride + px]);
              }
            }
            const float = dtype.startsWith("float");
            const sum = found.length === 4
              ? (found[0] + found[1]) + (found[2] + found[3])
              : found.reduce((a, b) => a + b, 0);
            const mean = sum / found.length;
            expected[y * dstStride + x] = method === "first"
              ? found[0]
              : float
              ? mean
              : Math.floor(mean + 0.5);
          }
        }
        const src = kernels.put(new Uint8Array(image.buffer));
        const dst = kernels.put(new Uint8Array(expected.byteLength));
        kernels.downsample2x2({
          dtype,
          width,
          height,
          src: src.ptr,
          srcLength: src.length,
          srcStride,
          dst: dst.ptr,
          dstLength: dst.length,
          dstStride,
        }, method);
        assert.deepEqual(
          dst.bytes.slice(),
          new Uint8Array(expected.buffer),
          `${dtype} ${width}x${height} ${method}`,
        );
        src.free();
        dst.free();
      }
    }
  }
});

Deno.test("crc32c: the check value of the standard, and any cut of the data", () => {
  const digits = new TextEncoder().encode("123456789");
  assert.equal(kernels.crc32cBytes(digits), 0xe3069283);
  assert.equal(kernels.crc32cBytes(new Uint8Array(32)), 0x8a9136aa);
  const bytes = randomBytes(5000, random(9));
  const whole = kernels.crc32cBytes(bytes);
  for (const cut of [0, 1, 7, 64, 1023, 4999]) {
    const head = kernels.crc32cBytes(bytes.subarray(0, cut));
    assert.equal(kernels.crc32cBytes(bytes.subarray(cut), head), whole);
  }
});

Deno.test("byteswap reverses words of 2, 4 and 8 bytes", () => {
  const bytes = randomBytes(168, random(2));
  for (const unit of [1, 2, 4, 8, 3]) {
    const buffer = kernels.put(bytes);
    kernels.byteswap(buffer.ptr, bytes.length, unit);
    const expected = Uint8Array.from(
      bytes,
      (_, i) => bytes[Math.floor(i / unit) * unit + unit - 1 - i % unit],
    );
    assert.deepEqual(buffer.bytes.slice(), expected);
    buffer.free();
  }
});

Deno.test("findEdges: every change once, in order, in batches that never split a word", () => {
  const next = random(21);
  for (const wordBytes of [1, 2, 4] as const) {
    const words = Array.from({ length: 3000 }, (_, i) => i % 37 ? 0 : next());
    const held = words.map((w, i) => words[i - i % 37] === 0 ? w : words[i - i % 37]);
    const limit = 2 ** (8 * wordBytes) - 1;
    const values = held.map((w) => w % (limit + 1));
    const typed = wordBytes === 1
      ? Uint8Array.from(values)
      : wordBytes === 2
      ? Uint16Array.from(values)
      : Uint32Array.from(values);
    const mask = 0xf0f0f0f5 % (limit + 1);
    const expected: [number, number, number][] = [];
    let previous = 0x11;
    typed.forEach((w, i) => {
      for (let bit = 0; bit < 32; bit++) {
        if (((w ^ previous) & mask) >>> bit & 1) expected.push([i, bit, (w >>> bit) & 1]);
      }
      previous = w;
    });
    for (const batch of [32, 50, 65_536]) {
      const src = kernels.put(new Uint8Array(typed.buffer));
      const got: [number, number, number][] = [];
      kernels.findEdges(src.ptr, typed.length, wordBytes, 0x11, mask, (e: EdgeList) => {
        e.index.forEach((v, i) => got.push([v, e.bit[i], e.level[i]]));
      }, batch);
      assert.deepEqual(got, expected);
      src.free();
    }
  }
});

Deno.test("blosc: own frames come back, whatever the filter, type size and length", () => {
  const next = random(31);
  for (const filter of ["none", "shuffle", "bitshuffle"] as const) {
    for (const typeSize of [1, 2, 3, 4, 8, 16, 300]) {
      for (const length of [0, 1, 15, 127, 128, 1000, 65_536, 150_001]) {
        for (const noise of [0, 3, 255]) {
          const bytes = Uint8Array.from(
            { length },
            (_, i) => i % typeSize === 0 ? next() & noise : 0,
          );
          const frame = kernels.bloscEncodeBytes(bytes, { typeSize, filter, blockSize: 32_768 });
          assert.ok(frame.length <= kernels.bloscBound(length));
          assert.deepEqual(
            kernels.bloscDecodeBytes(frame, 1 << 20),
            bytes,
            `${filter} ${typeSize} ${length} ${noise}`,
          );
        }
      }
    }
  }
});

/** The codec zarrita reads Blosc chunks with: c-blosc itself, compiled to wasm. */
async function cBlosc(settings: Record<string, unknown>) {
  const codec = await registry.get("blosc")!() as unknown as {
    fromConfig(c: Record<string, unknown>): {
      encode(b: Uint8Array): Uint8Array | Promise<Uint8Array>;
      decode(b: Uint8Array): Uint8Array | Promise<Uint8Array>;
    };
  };
  return codec.fromConfig({ cname: "lz4", clevel: 5, shuffle: 0, blocksize: 0, ...settings });
}

Deno.test("blosc: c-blosc reads our frames and we read its own", async () => {
  const next = random(35);
  const reader = await cBlosc({});
  for (const filter of ["none", "shuffle", "bitshuffle"] as const) {
    const writer = await cBlosc({ shuffle: ["none", "shuffle", "bitshuffle"].indexOf(filter) });
    for (const length of [1, 100, 128, 5000, 65_536, 150_010]) {
      for (const noise of [0, 3, 255]) {
        const bytes = Uint8Array.from({ length }, (_, i) => i % 4 ? i >> 9 : next() & noise);
        const theirs = await writer.encode(bytes);
        assert.deepEqual(kernels.bloscDecodeBytes(theirs, length), bytes);
        for (const typeSize of [1, 2, 3, 4, 8]) {
          const frame = kernels.bloscEncodeBytes(bytes, { typeSize, filter });
          const back = await reader.decode(frame);
          assert.deepEqual(new Uint8Array(back), bytes, `${filter} ${typeSize} ${length} ${noise}`);
        }
      }
    }
  }
  for (const cname of ["zstd", "zlib", "blosclz"]) {
    const frame = await (await cBlosc({ cname })).encode(new Uint8Array(10_000));
    assert.throws(
      () => kernels.bloscDecodeBytes(frame, 10_000),
      (e: unknown) => isFuseError(e, "Unsupported") && e.message.includes(cname),
    );
  }
});

Deno.test("blosc: a time axis packs far better than measurements, without being told", () => {
  const seconds = Float64Array.from({ length: 131_072 }, (_, i) => i / 30_000);
  const bytes = new Uint8Array(seconds.buffer);
  const frame = kernels.bloscEncodeBytes(bytes, { typeSize: 8, filter: "bitshuffle" });
  assert.ok(bytes.length / frame.length > 25, `${bytes.length / frame.length}x`);
  assert.deepEqual(kernels.bloscDecodeBytes(frame, bytes.length), bytes);
});

Deno.test("blosc: damaged frames give errors, and limits hold", () => {
  const next = random(41);
  const bytes = Uint8Array.from({ length: 20_000 }, (_, i) => (i >> 5) & 255);
  const frame = kernels.bloscEncodeBytes(bytes, { typeSize: 2, filter: "bitshuffle" });
  assert.throws(
    () => kernels.bloscDecodeBytes(frame, 1000),
    (e: unknown) => isFuseError(e, "Limit"),
  );
  assert.throws(
    () => kernels.bloscDecodeBytes(frame.subarray(0, frame.length - 1), 1 << 20),
    (e: unknown) => isFuseError(e, "Truncated"),
  );
  for (let i = 0; i < 2000; i++) {
    const broken = frame.slice();
    for (let k = 0; k < 1 + i % 4; k++) broken[next() % broken.length] = next() & 255;
    try {
      kernels.bloscDecodeBytes(broken, 1 << 20);
    } catch (e) {
      assert.ok(isFuseError(e, "Corrupt", "Truncated", "Unsupported", "Limit"), String(e));
    }
  }
});
