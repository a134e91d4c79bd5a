/**
 * How long until there is something: help, and the first bytes out of a pipe whose end nobody knows.
 * The least of many runs, since whatever else the machine does only adds to them.
 */
import type { Verdict } from "./verdicts.ts";

/** Runs of each row. */
const RUNS = 20;

/** Bytes a reader like `head -c 4096` waits for. */
const FIRST_BYTES = 4096;

/** Sizes of a WAV that tells no length. */
const UNKNOWN = 0xffff_ffff;

/** Two channels of 16 bits at 48 kHz; `dataBytes` as the header says. */
function wavHeader(dataBytes: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(44);
  const view = new DataView(bytes.buffer);
  const text = (at: number, word: string) => bytes.set(new TextEncoder().encode(word), at);
  text(0, "RIFF");
  view.setUint32(4, dataBytes === UNKNOWN ? UNKNOWN : dataBytes + 36, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  [1, 2].forEach((value, i) => view.setUint16(20 + 2 * i, value, true));
  view.setUint32(24, 48_000, true);
  view.setUint32(28, 48_000 * 4, true);
  [4, 16].forEach((value, i) => view.setUint16(32 + 2 * i, value, true));
  text(36, "data");
  view.setUint32(40, dataBytes, true);
  return bytes;
}

async function untilEnd(command: string[]): Promise<number> {
  const started = performance.now();
  const { success } = await new Deno.Command(command[0], {
    args: command.slice(1),
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).output();
  if (!success) throw new Error(`${command.join(" ")} failed`);
  return (performance.now() - started) / 1000;
}

/**
 * Seconds until the first bytes are out, with an endless producer on standard input; then the reader
 * leaves, and the program must end with status 0 and without a word.
 */
async function untilFirstBytes(command: string[], header: Uint8Array): Promise<number> {
  const started = performance.now();
  const child = new Deno.Command(command[0], {
    args: command.slice(1),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  const produced = (async () => {
    const block = crypto.getRandomValues(new Uint8Array(1 << 16));
    await writer.write(header);
    for (;;) await writer.write(block);
  })().catch(() => {});
  const reader = child.stdout.getReader();
  for (let bytes = 0; bytes < FIRST_BYTES;) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`${command.join(" ")} ended early`);
    bytes += value.length;
  }
  const seconds = (performance.now() - started) / 1000;
  await reader.cancel();
  const [{ code }, words] = await Promise.all([child.status, new Response(child.stderr).text()]);
  await produced;
  await writer.abort().catch(() => {});
  if (code !== 0 || words !== "") throw new Error(`status ${code} after the reader left: ${words}`);
  return seconds;
}

/** Lines of the table and the promises they are held to. */
export async function startUp(
  fuse: (...args: string[]) => string[],
  runs = RUNS,
): Promise<{ lines: string[][]; verdicts: Verdict[] }> {
  const known = wavHeader(4_000_000_000), endless = wavHeader(UNKNOWN);
  const piped = (kind: string) => fuse("-", "--to", kind, "-o", "-", "--quiet");
  const rows: { name: string; once: () => Promise<number>; floor?: number; aim?: number }[] = [
    { name: "deno eval ''", once: () => untilEnd([Deno.execPath(), "eval", ""]) },
    { name: "--help", once: () => untilEnd(fuse("--help")), floor: 0.2, aim: 0.1 },
    ...["npy", "raw", "csv"].map((kind) => ({
      name: `first bytes of a pipe, ${kind}`,
      once: () => untilFirstBytes(piped(kind), kind === "npy" ? known : endless),
      floor: 0.5,
      aim: 0.2,
    })),
  ];
  const least = new Map<string, number>();
  // Round by round, so that a slow moment does not fall on one row alone.
  for (let run = 0; run < runs; run++) {
    for (const { name, once } of rows) {
      least.set(name, Math.min(least.get(name) ?? Infinity, await once()));
    }
  }
  return {
    lines: rows.map(({ name }) => [name, `${(1000 * least.get(name)!).toFixed(0)} ms`]),
    verdicts: rows.flatMap(({ name, floor, aim }) =>
      floor === undefined || aim === undefined
        ? []
        : [{ work: name, value: least.get(name)!, form: "seconds" as const, floor, aim }]
    ),
  };
}
