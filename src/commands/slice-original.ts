/** A slice of an original file: a conversion of the time and the channels that are wanted. */
import { convertFile } from "../convert.ts";
import { FuseError } from "../errors.ts";
import type { ByteSource } from "../source/source.ts";
import { conversionOptions } from "./convert.ts";
import type { FlagValues } from "./flags.ts";
import { openSink, sinkOf } from "./sinks.ts";

import { Kernels } from "../stream/kernels.ts";
import type { SliceStats } from "./slice.ts";

/** Writes a slice of `source` to standard output, and closes it. @throws FuseError `Usage`, and of the file. */
export async function sliceOriginal(
  opening: Promise<ByteSource>,
  flags: FlagValues,
): Promise<SliceStats> {
  const sink = sinkOf(flags);
  if (!sink) {
    await (await opening).close();
    throw new FuseError("Usage", "a slice is not a store", {
      found: flags.to,
      expected: "npy, csv, ...",
    });
  }
  // Wasm is made ready while the first bytes are on their way.
  void Kernels.load().catch(() => {});
  const source = await opening;
  let bytes = 0, reads = 0;
  let sources = [source];
  try {
    const report = await convertFile(source, async (planned) => {
      sources = planned.dataset.sources;
      // Standard output is never there already.
      return (await openSink(sink, flags, planned, { base: null, overwrite: true }))!;
    }, conversionOptions(flags));
    if (report.error) throw new FuseError(report.error.tag, report.error.message);
    // Members of a set may share their counters.
    for (const stats of new Set(sources.map((s) => s.stats))) {
      bytes += stats?.bytes ?? 0;
      reads += stats?.requests ?? 0;
    }
    return { bytes: bytes || report.bytesIn, reads };
  } finally {
    await source.close();
  }
}
