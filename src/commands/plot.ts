/** `plot`: the channels of a recording over time, as text, SVG or PNG; reads only the time it shows. */
import { planFile } from "../convert.ts";
import { FuseError } from "../errors.ts";
import { type Picture, pixelsOf, svgOf, textOf } from "../plot/draw.ts";
import { EnvelopeSink } from "../plot/envelope.ts";
import { chooseTables } from "../sinks/ordered/choose.ts";
import { tablesOf } from "../sinks/ordered/definition.ts";
import { openSource } from "../source/open.ts";
import { conversionOptions } from "./convert.ts";
import type { FlagValues } from "./flags.ts";
import { sourceOptions } from "./inputs.ts";
import { passTables, temporaryFolder } from "./table-pass.ts";

/** Seconds shown when no time is asked for: enough to see, quick to read. */
const DEFAULT_SECONDS = 10;
/** Channels drawn. */
const MOST_CHANNELS = 32;
/** Columns of a picture file. */
const PICTURE_COLUMNS = 1200;

/** Runs `plot`. */
export async function plotCommand(args: string[], flags: FlagValues): Promise<number> {
  if (args.length !== 1) {
    throw new FuseError("Usage", "plot takes one input", { found: args.length });
  }
  const path = flags.picture as string | undefined;
  const kind = path === undefined ? "text" : /\.(svg|png)$/i.exec(path)?.[1].toLowerCase();
  if (kind === undefined) {
    throw new FuseError("Usage", "pictures are .svg or .png", { found: path });
  }
  const columns = kind === "text" ? Math.max(20, terminalColumns() - 22) * 2 : PICTURE_COLUMNS;
  const picture = await draw(args[0], flags, columns);
  if (kind === "text") console.log(textOf(picture));
  else if (kind === "svg") Deno.writeTextFileSync(path!, svgOf(picture));
  else {
    const { encode } = await import("fast-png");
    const { width, height, data } = pixelsOf(picture);
    Deno.writeFileSync(path!, encode({ width, height, data, channels: 3, depth: 8 }));
  }
  return 0;
}

function terminalColumns(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    return 100;
  }
}

async function draw(input: string, flags: FlagValues, columns: number): Promise<Picture> {
  const source = await openSource(input, sourceOptions(flags));
  try {
    const options = conversionOptions({ ...flags, to: "csv" });
    const first = await planFile(source, options);
    const asked = options.selection?.fromSeconds !== undefined ||
      options.selection?.untilSeconds !== undefined;
    const [recording] = first.dataset.recordings;
    const pickable = recording?.parts.every((p) => p.layout.kind !== "stream" && !p.tail) &&
      recording.samplingFrequency !== null;
    const from = recording?.segments[0]?.startSeconds ?? 0;
    const planned = asked || !pickable ? first : await planFile(source, {
      ...options,
      selection: { ...options.selection, fromSeconds: from, untilSeconds: from + DEFAULT_SECONDS },
    });
    const { plan, dataset } = planned;
    const [table] = chooseTables(
      tablesOf(plan, dataset, { time: true, values: "scaled" }).filter((t) =>
        t.kind === "recording"
      ),
      (flags.array as string | undefined) ??
        (dataset.recordings.length > 1 ? dataset.recordings[0].name : undefined),
      { source: plan.input.name, single: true },
    );
    if (!table) {
      throw new FuseError("Unsupported", "the file has no recording to plot", {
        source: source.name,
      });
    }
    const sink = new EnvelopeSink(table.head, columns, Math.max(1, table.head.rows ?? 1_000_000));
    await passTables(planned, [table], () => Promise.resolve(sink), temporaryFolder, {
      onTask: () => {},
    });
    const traces = sink.traces.slice(0, MOST_CHANNELS);
    const more = sink.traces.length - traces.length;
    const title = `${source.name}: ${table.head.name}${
      more > 0 ? ` (${more} more channels: --channels chooses)` : ""
    }`;
    return { title, traces, firstSeconds: sink.firstSeconds, lastSeconds: sink.lastSeconds };
  } finally {
    await source.close();
  }
}
