/**
 * The command line as the corpus runs it: files that do not tell their shape get the parameters their case
 * states as flags, unless a sidecar beside them says it.
 *
 *   deno run -A tools/corpus-cli.ts convert FILE ...
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** What a case states of a flat file. */
interface Parameters {
  n_channels?: number;
  sampling_rate_hz?: number;
  dtype?: string;
  byte_order?: string;
  order?: string;
  header_bytes?: number;
}

const SIDECARS = /^params\.py$|\.(json|meta|hdr|xml)$/i;

/** Flags for the case a file belongs to; none where it is no flat file or has a sidecar. */
function flagsFor(file: string): string[] {
  const folder = dirname(file), expected = join(folder, "expected.json");
  if (!existsSync(expected)) return [];
  const { metadata, main } = JSON.parse(readFileSync(expected, "utf8"));
  const parameters: Parameters | undefined = metadata?.parameters;
  if (!parameters?.dtype || !parameters.n_channels || basename(main) !== basename(file)) return [];
  if (readdirSync(folder).some((f) => f !== "expected.json" && SIDECARS.test(f))) return [];
  const { n_channels, sampling_rate_hz, dtype, byte_order, order, header_bytes } = parameters;
  const flag = (name: string, value: unknown) => value === undefined ? [] : [name, String(value)];
  return [
    ...flag("--dtype", dtype),
    ...flag("--channels", n_channels),
    ...flag("--rate", sampling_rate_hz),
    ...flag("--byte-order", byte_order),
    ...flag("--order", order),
    ...flag("--header-bytes", header_bytes),
  ];
}

const [verb, file, ...rest] = Deno.args;
const more = verb === "convert" && file ? flagsFor(file) : [];
const { code } = await new Deno.Command(Deno.execPath(), {
  args: [
    "run",
    "-A",
    fileURLToPath(new URL("../cli.ts", import.meta.url)),
    verb,
    file,
    ...more,
    ...rest,
  ],
}).spawn().status;
Deno.exit(code);
