/**
 * A tenth of a second out of the middle of a recording that lies on S3 behind a line of 20 ms and
 * 200 Mbit/s: read by ranges, against fetching the file and cutting the copy.
 */
import { basename, dirname, join } from "node:path";
import type { Measurement } from "./measure.ts";
import type { Verdict } from "./verdicts.ts";

const FOLDER = new URL("./", import.meta.url).pathname;
const SLICE = "slice, by ranges";
const WHOLE = "download, then slice";

/** A bucket behind a slow line; it ends with this process. */
export async function slowBucket(folder: string): Promise<{ endpoint: string; end(): void }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", join(FOLDER, "slow-s3.ts"), folder],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let endpoint = "";
  while (!endpoint.includes("\n")) endpoint += (await reader.read()).value ?? "\n";
  // The output stays open: who closes it would end the server's own writing.
  child.unref();
  return { endpoint: endpoint.trim(), end: () => void child.stdin.close() };
}

/** Rows for the recording at `input`; `out` is a folder for the copy. */
export async function s3SliceRows(
  input: string,
  out: string,
  fuse: (...args: string[]) => string[],
): Promise<{ name: string; command: string[]; against?: string; rounds?: number }[]> {
  const { endpoint } = await slowBucket(dirname(input));
  const name = basename(input);
  const copy = join(out, name);
  const part = ["--from", "10", "--until", "10.1", "--to", "npy"];
  const whole = fuse("slice", copy, ...part);
  return [
    {
      name: SLICE,
      command: fuse("slice", `s3://bucket/${name}`, ...part, "--s3-endpoint", endpoint),
      against: WHOLE,
    },
    {
      name: WHOLE,
      command: [
        ...[Deno.execPath(), "run", "-A", join(FOLDER, "download-then.ts")],
        ...[`${endpoint}/bucket/${name}`, copy, ...whole],
      ],
      rounds: 1,
    },
  ];
}

/** What the project promises of these rows. */
export function s3SliceVerdicts(of: (name: string) => Measurement): Verdict[] {
  return [{
    work: "100 ms slice of 1 GB on S3 (20 ms, 200 Mbit/s), against download and slice",
    value: of(WHOLE).seconds / of(SLICE).seconds,
    form: "times",
    floor: 33,
    aim: 200,
  }];
}
