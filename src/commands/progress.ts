/** Progress on stderr: a bar on a terminal, plain lines elsewhere; `--json` events on stdout. */
import { printable } from "../errors.ts";
import type { FileReport, ProgressEvent, ProgressListener } from "../events.ts";
import type { FlagValues } from "./flags.ts";
import type { Inputs } from "./inputs.ts";
import { humanBytes, humanSeconds } from "./table.ts";

/** Milliseconds between two drawings of the bar. */
const REDRAW = 100;

interface State {
  files: number;
  bytes: number;
  ended: number;
  bytesDone: number;
  started: number;
  current: Map<string, { size: number; read: number; part: number }>;
}

/** A listener for the kind of output asked for. */
export function progressListener(
  flags: FlagValues,
  inputs: Inputs,
): { listen: ProgressListener; close(): void } {
  if (flags.json) {
    // Standard output may be the output's.
    const print = flags.outputDir === "-" ? console.error : console.log;
    return { listen: (event) => print(JSON.stringify(event)), close: () => {} };
  }
  const quiet = flags.quiet === true;
  const bar = !quiet && Deno.stderr.isTerminal() ? new Bar() : undefined;
  const state: State = {
    files: 0,
    bytes: 0,
    ended: 0,
    bytesDone: 0,
    started: performance.now(),
    current: new Map(),
  };
  const say = (text: string) => {
    bar?.clear();
    console.error(printable(text));
  };
  if (!quiet && inputs.collection) say(`${inputs.title}: ${inputs.files.length} files`);
  return {
    listen: (event) => {
      track(state, event);
      if (event.type === "file-end") announce(event, quiet, say);
      else if (event.type === "job-end" && !quiet && inputs.collection) say(summary(event, state));
      bar?.draw(state);
    },
    close: () => bar?.clear(),
  };
}

function track(state: State, event: ProgressEvent): void {
  switch (event.type) {
    case "job":
      Object.assign(state, { files: event.files, bytes: event.bytes });
      break;
    case "file-start":
      state.current.set(event.file, { size: event.bytes, read: 0, part: 0 });
      break;
    case "task": {
      const file = state.current.get(event.file);
      if (file) file.part = event.done / event.tasks;
      break;
    }
    case "file-end": {
      const file = state.current.get(event.file);
      state.bytesDone += file?.size ?? 0;
      state.current.delete(event.file);
      state.ended++;
    }
  }
}

function announce(
  event: Extract<ProgressEvent, { type: "file-end" }>,
  quiet: boolean,
  say: (text: string) => void,
): void {
  const { report } = event;
  const warnings = report.status === "skipped" ? [] : report.warnings;
  if (report.status === "ok") {
    if (quiet) return;
    // How much has come through a pipe is not known.
    const timed = report.seconds > 0 && report.bytesIn > 0;
    const speed = timed ? `, ${humanBytes(report.bytesIn / report.seconds)}/s` : "";
    say(
      `ok           ${report.path} -> ${report.output} (${humanBytes(report.bytesOut)}, ${
        humanSeconds(report.seconds)
      }${speed})`,
    );
    for (const warning of warnings.slice(0, 5)) say(`  warning: ${warning}`);
    if (warnings.length > 5) say(`  ... and ${warnings.length - 5} more warnings`);
  } else if (report.status === "skipped") {
    if (!quiet) say(`skipped      ${report.path}: ${report.warnings.join("; ")}`);
  } else {
    // Failures are said even when quiet: silence would look like success.
    say(`${report.status.padEnd(12)} ${report.path}: ${reason(report)}`);
  }
}

/** An error's message begins with the file's name, which the line has said already. */
function reason({ path, error }: FileReport): string {
  const message = error?.message ?? "";
  const named = [path, path.split("/").pop()!].find((name) => message.startsWith(`${name}: `));
  return named === undefined ? message : message.slice(named.length + 2);
}

function summary(event: Extract<ProgressEvent, { type: "job-end" }>, state: State): string {
  const parts = [`${event.ok} converted`];
  if (event.failed) parts.push(`${event.failed} failed`);
  if (event.unsupported) parts.push(`${event.unsupported} not supported`);
  if (event.skipped) parts.push(`${event.skipped} skipped`);
  return `${parts.join(", ")} in ${humanSeconds(event.seconds)} (${
    humanBytes(state.bytesDone)
  } of input)`;
}

/** One line that is drawn over and over. */
class Bar {
  #last = 0;
  #shown = false;
  readonly #encoder = new TextEncoder();

  #write(text: string): void {
    Deno.stderr.writeSync(this.#encoder.encode(text));
  }

  draw(state: State): void {
    const now = performance.now();
    if (now - this.#last < REDRAW) return;
    this.#last = now;
    let done = state.bytesDone;
    for (const file of state.current.values()) done += file.size * file.part;
    const fraction = state.bytes > 0 ? Math.min(1, done / state.bytes) : 0;
    const seconds = (now - state.started) / 1000;
    const left = fraction > 0.02 ? `, ${humanSeconds(seconds / fraction - seconds)} left` : "";
    const filled = Math.round(fraction * 24);
    const names = [...state.current.keys()];
    const name = names.length
      ? ` ${names[0].split("/").pop()}${names.length > 1 ? ` +${names.length - 1}` : ""}`
      : "";
    const text =
      `[${"#".repeat(filled)}${"-".repeat(24 - filled)}] ${state.ended}/${state.files} files, ${
        humanBytes(Math.round(done))
      }` +
      ` of ${humanBytes(state.bytes)}, ${
        humanBytes(Math.round(done / Math.max(seconds, 0.001)))
      }/s${left}${name}`;
    const columns = safeColumns();
    this.#write(`\r\x1b[2K${printable(text).slice(0, columns - 1)}`);
    this.#shown = true;
  }

  clear(): void {
    if (this.#shown) this.#write("\r\x1b[2K");
    this.#shown = false;
  }
}

function safeColumns(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    return 80;
  }
}
