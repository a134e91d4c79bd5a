/**
 * Speed of the wasm kernels in MB/s of input on one thread, with the Blosc of npm's numcodecs beside.
 *
 *   deno run -A bench/kernels.ts [part of a name]
 */
import { registry } from "zarrita";
import type { DType, StoredType } from "../src/model/dtype.ts";
import { sizeOf } from "../src/model/dtype.ts";
import { type BloscOptions, type GatherSpec, Kernels } from "../src/stream/kernels.ts";
import { fluorescence, neuralFrames, smoothSignal, timeAxis } from "./signals.ts";

const kernels = await Kernels.fresh();
const only = Deno.args[0] ?? "";

/** Best MB/s of several runs of at least `seconds` in all. */
function measure(bytes: number, body: () => void, seconds = 0.5): number {
  body();
  let best = Infinity;
  const end = performance.now() + seconds * 1000;
  do {
    const start = performance.now();
    body();
    best = Math.min(best, performance.now() - start);
  } while (performance.now() < end);
  return bytes / best / 1000;
}

function report(name: string, speed: number, note = ""): void {
  console.log(`${name.padEnd(52)} ${speed.toFixed(0).padStart(7)} MB/s  ${note}`);
}

function gatherCase(
  name: string,
  stored: StoredType,
  channels: number,
  spf: number,
  block: boolean,
  output: GatherSpec["output"] = "raw",
  extra: Partial<GatherSpec["layout"]> = {},
): void {
  if (!name.includes(only)) return;
  const w = sizeOf(stored);
  const frameBytes = channels * spf * w;
  const samples = Math.max(spf, Math.floor((12 << 20) / (channels * w) / spf) * spf);
  const gather = kernels.gather({
    layout: {
      stored,
      littleEndian: true,
      samplesPerFrame: spf,
      sampleStride: block ? w : channels * w,
      channelOffsets: Array.from({ length: channels }, (_, c) => c * w * (block ? spf : 1)),
      ...extra,
    },
    frameBytes,
    output,
    gain: new Array(channels).fill(0.195),
    offset: new Array(channels).fill(0),
  });
  const bytes = channels * samples * w;
  const src = kernels.alloc(bytes);
  src.bytes.fill(1);
  const dstLength = channels * samples * sizeOf(gather.dtype);
  const dst = kernels.alloc(dstLength);
  const speed = measure(bytes, () =>
    gather.run({
      src: src.ptr,
      srcLength: bytes,
      firstSample: 0,
      sampleCount: samples,
      dst: dst.ptr,
      dstLength,
      dstStride: samples,
    }));
  report(name, speed, `${stored} -> ${gather.dtype}`);
  src.free();
  dst.free();
  gather.free();
}

gatherCase("gather 96 channels interleaved", "int16", 96, 1, false);
gatherCase("gather 385 channels interleaved", "int16", 385, 1, false);
gatherCase("gather 1024 channels interleaved", "int16", 1024, 1, false);
gatherCase("gather 16 channels interleaved", "int16", 16, 1, false);
gatherCase("gather 2 channels interleaved", "int16", 2, 1, false);
gatherCase("gather 4 channels interleaved", "int16", 4, 1, false);
gatherCase("gather 1 channel", "int16", 1, 1, false);
gatherCase("gather 96 channels big-endian", "int16", 96, 1, false, "raw", { littleEndian: false });
gatherCase("gather 64 channels in blocks of 128, offset binary", "uint16", 64, 128, true, "raw", {
  flipSign: true,
});
gatherCase("gather 96 channels to float32", "int16", 96, 1, false, "float32");
gatherCase("gather 64 channels in blocks of 128 to float32", "uint16", 64, 128, true, "float32", {
  flipSign: true,
});
gatherCase("gather 64 channels interleaved", "float32", 64, 1, false);
gatherCase("gather 64 channels interleaved", "float64", 64, 1, false);
gatherCase("gather 64 channels interleaved", "uint8", 64, 1, false);
gatherCase("gather 64 channels interleaved", "int24", 64, 1, false);
gatherCase("gather 64 channels in blocks of 2048", "int24", 64, 2048, true);
gatherCase("gather 64 channels in blocks of 2048 to float32", "int24", 64, 2048, true, "float32");

const frames = neuralFrames(96, 65_536);
const rows = new Int16Array(8 * 65_536);
for (let c = 0; c < 8; c++) {
  for (let t = 0; t < 65_536; t++) rows[c * 65_536 + t] = frames[t * 96 + c];
}
const kinds: [string, ArrayBufferView<ArrayBuffer>, number][] = [
  ["int16 neural", rows, 2],
  ["int16 smooth", smoothSignal(524_288), 2],
  ["uint16 image", fluorescence(1024, 512), 2],
  ["float64 time", timeAxis(131_072), 8],
  ["float32 neural", Float32Array.from(rows, (v) => v * 0.195), 4],
];
const Blosc = await registry.get("blosc")!() as unknown as {
  fromConfig(c: Record<string, unknown>): {
    encode(b: Uint8Array): Uint8Array | Promise<Uint8Array>;
    decode(b: Uint8Array): Uint8Array | Promise<Uint8Array>;
  };
};
for (const [kind, view, typeSize] of kinds) {
  const bytes = new Uint8Array(view.buffer);
  for (const filter of ["bitshuffle", "shuffle"] as const) {
    const name = `blosc lz4 ${filter} ${kind}`;
    if (!name.includes(only)) continue;
    const src = kernels.put(bytes);
    const dst = kernels.alloc(kernels.bloscBound(bytes.length));
    const options: BloscOptions = { typeSize, filter };
    let length = 0;
    const speed = measure(bytes.length, () => {
      length = kernels.bloscEncode(src.ptr, bytes.length, dst.ptr, dst.length, options);
    });
    report(name, speed, `${(bytes.length / length).toFixed(2)}x`);
    const frame = kernels.take(dst.ptr, length);
    const decode = measure(bytes.length, () => {
      kernels.bloscDecode(dst.ptr, length, src.ptr, bytes.length);
    });
    report("  decode", decode);
    const peer = Blosc.fromConfig({
      cname: "lz4",
      clevel: 5,
      shuffle: filter === "shuffle" ? 1 : 2,
      blocksize: 0,
      typesize: typeSize,
    });
    const theirs = await peer.encode(bytes);
    let best = Infinity, bestDecode = Infinity;
    for (let i = 0; i < 5; i++) {
      const start = performance.now();
      await peer.encode(bytes);
      const middle = performance.now();
      await peer.decode(frame);
      best = Math.min(best, middle - start);
      bestDecode = Math.min(bestDecode, performance.now() - middle);
    }
    report(
      "  numcodecs (npm)",
      bytes.length / best / 1000,
      `${(bytes.length / theirs.length).toFixed(2)}x, type size ${theirs[3]}; decode of ours ${
        (bytes.length / bestDecode / 1000).toFixed(0)
      } MB/s`,
    );
    src.free();
    dst.free();
  }
}

if ("recording to blosc".includes(only)) {
  const samples = 65_536, channels = 96;
  const bytes = frames.byteLength;
  const src = kernels.put(new Uint8Array(frames.buffer));
  const block = kernels.alloc(bytes);
  const out = kernels.alloc(kernels.bloscBound(bytes) + 4096);
  const gather = kernels.gather({
    layout: {
      stored: "int16",
      littleEndian: true,
      samplesPerFrame: 1,
      sampleStride: 2,
      channelOffsets: Array.from({ length: channels }, (_, c) => 2 * c),
    },
    frameBytes: channels * 2,
    output: "raw",
  });
  let written = 0;
  const speed = measure(bytes, () => {
    gather.run({
      src: src.ptr,
      srcLength: bytes,
      firstSample: 0,
      sampleCount: samples,
      dst: block.ptr,
      dstLength: bytes,
      dstStride: samples,
    });
    written = 0;
    for (let c = 0; c < channels; c += 8) {
      written += kernels.bloscEncode(
        block.ptr + c * samples * 2,
        8 * samples * 2,
        out.ptr + written,
        out.length - written,
        { typeSize: 2, filter: "bitshuffle" },
      );
    }
  }, 1.5);
  report(
    "recording to blosc: 96 channels, gather + encode",
    speed,
    `${(bytes / written).toFixed(2)}x`,
  );
  src.free();
  block.free();
  out.free();
  gather.free();
}

const size = 2048;
for (const dtype of ["uint8", "uint16", "int16", "uint32", "float32", "float64"] as DType[]) {
  for (const method of ["mean", "first"] as const) {
    const name = `downsample ${dtype} ${method}`;
    if (!name.includes(only)) continue;
    const w = sizeOf(dtype);
    const src = kernels.alloc(size * size * w);
    src.bytes.fill(3);
    const dst = kernels.alloc(size * size * w / 4);
    const speed = measure(size * size * w, () =>
      kernels.downsample2x2({
        dtype,
        width: size,
        height: size,
        src: src.ptr,
        srcLength: src.length,
        srcStride: size,
        dst: dst.ptr,
        dstLength: dst.length,
        dstStride: size / 2,
      }, method), 0.3);
    report(name, speed);
    src.free();
    dst.free();
  }
}

if ("crc32c byteswap copy edges calibrate".includes(only)) {
  const length = 8 << 20;
  const src = kernels.alloc(length);
  src.bytes.fill(7);
  const dst = kernels.alloc(length * 2);
  report("crc32c", measure(length, () => void kernels.crc32c(src.ptr, length)));
  report("byteswap 2", measure(length, () => kernels.byteswap(src.ptr, length, 2)));
  report("byteswap 4", measure(length, () => kernels.byteswap(src.ptr, length, 4)));
  report(
    "memory copy",
    measure(length, () => {
      kernels.wasm.memory.copyWithin(dst.ptr, src.ptr, src.ptr + length);
    }),
  );
  report(
    "edges, quiet lines",
    measure(length, () => kernels.findEdges(src.ptr, length / 2, 2, 0x707, 0xffff, () => {})),
  );
  report(
    "calibrate int16 to float32",
    measure(length, () =>
      kernels.calibrate(
        { dtype: "int16", ptr: src.ptr, count: length / 2 },
        { dtype: "float32", ptr: dst.ptr },
        0.25,
        1,
      )),
  );
}
