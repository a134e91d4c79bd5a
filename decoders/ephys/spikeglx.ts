/** SpikeGLX recordings: interleaved 16-bit samples and a text file that says what they are. */
import type { ByteSource } from "../../src/source/source.ts";
import { type FormatDescriptor, NOT_MINE, type ProbeInput, type ProbeResult } from "../format.ts";
import { looksLikeMeta, partnerName } from "./spikeglx-meta.ts";

const BINARY_EXTENSIONS = [
  ...[".ap.bin", ".lf.bin", ".nidq.bin", ".obx.bin"],
  ...[".cbin", ".ch"],
];
/** Bytes of a `.meta` file that tell it from other text. */
const LOOK_BYTES = 8192;

/** SpikeGLX `.bin` and `.meta` pairs: imec probes, National Instruments and OneBox inputs. */
export const spikeglx: FormatDescriptor = {
  id: "spikeglx",
  name: "SpikeGLX",
  kind: "time-series",
  extensions: [...BINARY_EXTENSIONS, ".meta"],
  memberExtensions: BINARY_EXTENSIONS,
  needs: "random",
  reads:
    "AP and LF bands of Neuropixels 3A, 1.0, 2.0 and later probes, NI-DAQ and OneBox inputs, each " +
    "channel with its own gain; sync and digital words with the edges of their lines; samples " +
    "compressed by mtscomp (.cbin)",
  missing: "",
  references: [
    "SpikeGLX, Metadata Guide (3A to 20230905)",
    "SpikeGLX Datafile Tools, gain and channel rules",
    "int-brain-lab mtscomp 1.0.2, its compressed file format",
    "compared with neo 0.14.6",
  ],
  probe,
  probeSet,
  load: async () => (await import("./spikeglx-reader.ts")).reader,
};

function probe({ head, name }: ProbeInput): ProbeResult {
  if (looksLikeMeta(head)) return { score: 230, why: "the keys of a SpikeGLX .meta file" };
  const extension = BINARY_EXTENSIONS.find((e) => name.endsWith(e));
  return extension ? { score: 30, why: `extension ${extension}` } : NOT_MINE;
}

/** A `.bin`, `.cbin` or `.ch` is known by its `.meta`. */
async function probeSet(source: ByteSource, signal?: AbortSignal): Promise<ProbeResult> {
  const meta = await source.sibling(partnerName(source.name, ".meta"));
  if (!meta) return NOT_MINE;
  try {
    const head = await meta.readUpTo(0, LOOK_BYTES, { signal, purpose: "header" });
    return looksLikeMeta(head)
      ? { score: 220, why: `${meta.name} beside it is a SpikeGLX .meta file` }
      : NOT_MINE;
  } finally {
    await meta.close();
  }
}
