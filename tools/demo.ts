/**
 * The main job on an embedded default: a small look-alike of SPARC dataset 224, served on loopback as
 * Pennsieve Discover and S3, and converted by exactly what `cli.ts 224` runs.
 */
import { startDemoService } from "./demo-service.ts";
import { humanBytes } from "../src/commands/table.ts";

const ROOT = new URL("../", import.meta.url);
const OUTPUT = "./output";

const service = await startDemoService();
console.error("Pennsieve Discover and S3 stand-ins are running on loopback.");
const args = ["224", "--output-dir", OUTPUT, "--overwrite"];
console.error(`$ deno run -A cli.ts ${args.join(" ")}\n`);
const { code } = await new Deno.Command(Deno.execPath(), {
  args: ["run", "-A", new URL("cli.ts", ROOT).pathname, ...args],
  env: { SPARC_FUSE_DISCOVER_URL: service.discoverUrl, AWS_ENDPOINT_URL_S3: service.s3Endpoint },
  stdin: "null",
}).spawn().status;
await service.stop();

interface Row {
  path: string;
  status: string;
  output: string | null;
  bytesIn: number;
  bytesOut: number;
}

const { files } = JSON.parse(await Deno.readTextFile(`${OUTPUT}/report.json`)) as { files: Row[] };
const made = files.filter((f) => f.status === "ok");
const refused = files.filter((f) => f.status === "failed" || f.status === "unsupported");
console.log(`\nMade ${made.length} stores in ${OUTPUT}:`);
for (const { output, bytesOut } of made) console.log(`  ${output}  (${humanBytes(bytesOut)})`);
console.log(
  `Not converted, as it should be: ${refused.map((f) => `${f.path} (${f.status})`).join(", ")}.` +
    "\nThe whole account is in output/report.json.",
);
const recording = made.find((f) => f.path.endsWith(".acq"));
console.log(`
Look at one:
  deno run -A cli.ts inspect FILE          what is inside any recording or image of yours
  python -c "import xarray as xr; print(xr.open_zarr('${recording?.output}'))"
Convert your own:
  deno run -A cli.ts FILE_OR_FOLDER -o results
  deno run -A cli.ts 224                   the real dataset, from SPARC's open bucket`);

const wrong = [
  ...(code === 1
    ? []
    : [`the command ended with ${code}, expected 1 (two files of the demo are bad on purpose)`]),
  ...(["failed", "unsupported"].every((s) => refused.filter((f) => f.status === s).length === 1)
    ? []
    : ["exactly one file should fail and one be unsupported"]),
  ...(made.length >= 8 ? [] : [`only ${made.length} stores were made`]),
];
for (const text of wrong) console.error(`demo: ${text}`);
Deno.exit(wrong.length ? 1 : 0);
