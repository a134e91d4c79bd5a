/**
 * The split layouts: `info.rhd` or `info.rhs` holds the header alone, `time.dat` the counters, and the
 * samples lie in one file per signal type (`amplifier.dat`, interleaved) or one file per channel
 * (`amp-A-000.dat`). Amplifier samples are signed here; auxiliary and supply values are repeated up to
 * the full rate. What was saved is known from the files that are there, its length from their sizes.
 *
 * Source: Intan application notes "Data File Formats" (RHD2000, RHS2000, RHX), "One File Per Signal
 * Type Format" and "One File Per Channel Format".
 */
import { FuseError } from "../../src/errors.ts";
import { type Dataset, emptyDataset } from "../../src/model/dataset.ts";
import type { ByteSource } from "../../src/source/source.ts";
import type { IntanHeader } from "./intan-model.ts";
import { addExtras } from "./intan-extras.ts";
import { FileSet } from "./intan-files.ts";
import { type IntanLayout, metadataOf, nameStamp, scaleWarnings } from "./intan-signals.ts";
import { DIGITAL, lookForSingles, streamsOf } from "./intan-streams.ts";
import { SplitBuilder } from "./intan-split-builder.ts";

/**
 * Builds the Dataset of the set of files `info` belongs to.
 * @throws FuseError `Truncated` when no data file is beside it, `Corrupt` when one has other columns
 */
export async function openSplit(
  info: ByteSource,
  header: IntanHeader,
  signal?: AbortSignal,
): Promise<Dataset> {
  const dataset = emptyDataset(header.rhs ? "intan_rhs" : "intan_rhd", [info]);
  const streams = streamsOf(header);
  const files = await FileSet.open(info, [
    "time.dat",
    ...streams.map((s) => s.together),
    ...DIGITAL.map((d) => d.together),
    "spike.dat",
  ]);
  const together = [...streams, ...DIGITAL].some((s) => files.has(s.together));
  const layout: IntanLayout = together ? "one file per signal type" : "one file per channel";
  if (!together) await lookForSingles(files, header, streams);
  dataset.warnings.push(...scaleWarnings(header));

  const builder = new SplitBuilder(dataset, header, files, signal);
  await builder.clock(streams, layout);
  for (const stream of streams) builder.stream(stream, layout);
  for (const { name, together } of DIGITAL) builder.digital(name, together, layout);
  builder.counters();
  const segments = builder.segments(builder.samples);
  const first = segments[0]?.startSeconds ?? 0;
  dataset.metadata = metadataOf(header, layout, nameStamp(folderOf(info.uri), first));
  await addExtras(dataset, header, files, { segments, layout, signal });
  if (!dataset.recordings.length && !dataset.digital.length && !dataset.events.length) {
    throw new FuseError(
      "Truncated",
      "the header stands alone: none of its data files has samples",
      {
        source: info.name,
        offset: header.headerBytes,
        expected: "time.dat, amplifier.dat or amp-*.dat and so on in the same folder",
        remedy: "Keep the files of a recording together, and open its info file",
      },
    );
  }
  await files.closeUnused(dataset.sources);
  return dataset;
}

/** Name of the folder a URI's last part lies in. */
function folderOf(uri: string): string {
  return uri.replace(/[?#].*$/, "").split(/[\\/]/).at(-2) ?? "";
}
