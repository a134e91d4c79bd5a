/** The worker's side of the pool: reads, decodes, encodes and writes whole tasks. */
/// <reference lib="webworker" />
import "../platform/node.ts";
import { toFuseError } from "../errors.ts";
import { openTarget } from "../sinks/targets/open.ts";
import { openSpec } from "../source/open.ts";
import type { Request, Response } from "./protocol.ts";
import { transferables } from "./task-result.ts";
import { TaskRunner } from "./task-runner.ts";

const scope = globalThis as unknown as DedicatedWorkerGlobalScope;
const jobs = new Map<number, TaskRunner>();

function answer(response: Response, transfer: Transferable[] = []): void {
  scope.postMessage(response, transfer);
}

scope.onmessage = async ({ data }: MessageEvent<Request>) => {
  switch (data.type) {
    case "job":
      jobs.set(
        data.job,
        new TaskRunner(data.plan, openTarget(data.target), { openSource: openSpec }),
      );
      return;
    case "end-job":
      await jobs.get(data.job)?.close();
      jobs.delete(data.job);
      return;
    case "task":
      try {
        const result = await jobs.get(data.job)!.run(data.index, data.used);
        answer({ type: "done", id: data.id, result }, transferables(result));
      } catch (error) {
        answer({ type: "failed", id: data.id, error: toFuseError(error, "Corrupt").toJSON() });
      }
  }
};

answer({ type: "ready" });
