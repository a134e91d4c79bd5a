/** Time, peak memory of a whole process tree, and bytes written of one command (Linux /proc). */

/** What one run of a command took. */
export interface Measurement {
  seconds: number;
  /** Highest sum of resident memory over the process and all its descendants. */
  peakBytes: number;
  /** Bytes below the output folder when the command has ended. */
  outputBytes: number;
}

/** Milliseconds between two looks at the memory. */
const SAMPLE_MS = 15;

/** Runs `command` and measures it. @throws Error when it fails. */
export async function measure(command: string[], outputFolder: string): Promise<Measurement> {
  const started = performance.now();
  const child = new Deno.Command(command[0], {
    args: command.slice(1),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let peakBytes = 0;
  const timer = setInterval(() => {
    peakBytes = Math.max(peakBytes, treeMemory(child.pid));
  }, SAMPLE_MS);
  const { success, stderr } = await child.output();
  const seconds = (performance.now() - started) / 1000;
  clearInterval(timer);
  if (!success) {
    throw new Error(`${command.join(" ")} failed: ${new TextDecoder().decode(stderr).slice(-500)}`);
  }
  return { seconds, peakBytes, outputBytes: folderBytes(outputFolder) };
}

function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    // The process ended between the listing and the look.
    return "";
  }
}

function treeMemory(pid: number): number {
  const rss = /VmRSS:\s+(\d+)/.exec(read(`/proc/${pid}/status`));
  const children = read(`/proc/${pid}/task/${pid}/children`).trim();
  const own = rss ? Number(rss[1]) * 1024 : 0;
  return children.split(/\s+/).filter((c) => c).reduce((n, c) => n + treeMemory(Number(c)), own);
}

function folderBytes(folder: string): number {
  let bytes = 0;
  for (const entry of Deno.readDirSync(folder)) {
    const path = `${folder}/${entry.name}`;
    bytes += entry.isDirectory ? folderBytes(path) : Deno.statSync(path).size;
  }
  return bytes;
}

/** The faster run's time, the higher memory of the two. */
export function fastest(a: Measurement, b: Measurement): Measurement {
  const winner = a.seconds <= b.seconds ? a : b;
  return { ...winner, peakBytes: Math.max(a.peakBytes, b.peakBytes) };
}
