/** `refs`: a reference file over the original bytes, which stay where they are. */
import { join } from "node:path";
import { planFile } from "../convert.ts";
import { FuseError } from "../errors.ts";
import type { ReferenceKind } from "../sinks/names.ts";
import { openSource } from "../source/open.ts";
import { bucketFiles, s3Root } from "./bucket.ts";
import { conversionOptions } from "./convert.ts";
import type { FlagValues } from "./flags.ts";
import { sourceOptions } from "./inputs.ts";
import { interruptSignal } from "./interrupt.ts";
import { openReferences, referencePlanning } from "./references.ts";

/** Runs `refs`. */
export async function refsCommand(args: string[], flags: FlagValues): Promise<number> {
  if (args.length !== 1) {
    throw new FuseError("Usage", "refs takes one input", { found: args.length });
  }
  const parquet = String(flags.refsTo).endsWith("parquet");
  const kind: ReferenceKind = parquet ? "kerchunk-parquet" : "kerchunk";
  const root = String(flags.outputDir ?? "./output");
  const bucket = s3Root(root);
  const interrupt = interruptSignal();
  const { signal } = interrupt;
  const source = await openSource(args[0], sourceOptions(flags, signal));
  try {
    const options = { ...conversionOptions(flags), ...referencePlanning(kind), signal };
    const planned = await planFile(source, options);
    const files = planned.dataset.sources.length;
    const destination = await openReferences(planned, {
      kind,
      base: root === "-" ? null : join(bucket?.prefix ?? root, source.name),
      at: bucket ? bucketFiles(bucket, flags) : undefined,
      overwrite: flags.overwrite === true,
      url: flags.baseUrl as string | undefined,
      onWritten: (path, { leftOut }, { ranges, inside }) => {
        for (const { what, why } of leftOut) console.error(`left out: ${what} (${why})`);
        const of = `${ranges} ranges of ${files} file${files === 1 ? "" : "s"}`;
        console.error(`${path}: ${of}, ${inside} chunks kept inside`);
      },
    });
    if (!destination) {
      throw new FuseError("Usage", "the output is there already (--overwrite replaces it)", {
        source: source.name,
      });
    }
    await destination.run({ signal, onTask: () => {} });
    return 0;
  } finally {
    interrupt.dispose();
    await source.close();
  }
}
