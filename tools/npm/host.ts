/** What Node lacks and the program counts on; wasm files from disk. Loaded first in every thread. */
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import process from "node:process";
import { isMainThread, parentPort } from "node:worker_threads";
import { setWasmFetcher } from "../../decoders/wasm/instance.ts";
import "../../src/platform/node.ts";

setWasmFetcher((url) => readFile(url));

/** Adds a missing member of a global object, unseen by loops over it. */
function define(target: object, name: string, value: unknown): void {
  if (name in target) return;
  Object.defineProperty(target, name, { value, writable: true, configurable: true });
}

// Node 20 has none.
define(globalThis, "navigator", {
  hardwareConcurrency: availableParallelism(),
  userAgent: `Node.js/${process.versions.node}`,
});

define(Map, "groupBy", <K, T>(items: Iterable<T>, keyOf: (item: T, index: number) => K) => {
  const groups = new Map<K, T[]>();
  let index = 0;
  for (const item of items) {
    const key = keyOf(item, index++);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
});

define(Promise, "withResolvers", () => {
  let resolve, reject;
  const promise = new Promise((yes, no) => ([resolve, reject] = [yes, no]));
  return { promise, resolve, reject };
});

define(Array, "fromAsync", async (items: AsyncIterable<unknown> | Iterable<unknown>) => {
  const all = [];
  for await (const item of items) all.push(item);
  return all;
});

// Node's global object is no event target; the end of the process is all that is listened for.
define(globalThis, "addEventListener", (type: string, listener: () => void) => {
  if (type === "unload") process.once("exit", listener);
});

if (isMainThread) {
  // A reader that has gone ends the output, not the program.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: { code?: string }) => {
      if (error.code !== "EPIPE") throw error;
    });
  }
} else if (parentPort) {
  // A worker's global scope, as `src/pool/worker.ts` uses it.
  const port = parentPort;
  const scope = globalThis as { onmessage?: ((event: { data: unknown }) => void) | null };
  define(scope, "postMessage", port.postMessage.bind(port));
  port.on("message", (data) => scope.onmessage?.({ data }));
}
