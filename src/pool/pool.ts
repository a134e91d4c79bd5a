/**
 * A pool of workers that run tasks of any number of plans. Workers are made by an injected factory
 * from a file URL (Blob URLs fail in compiled programs and under an extension's content policy).
 */
import { FuseError } from "../errors.ts";
import type { Plan } from "../plan/plan.ts";
import type { TargetSpec } from "../sinks/targets/target.ts";
import type { Request, Response } from "./protocol.ts";
import type { TaskResult } from "./task-result.ts";

/** Makes one worker that runs `worker.ts`. */
export type WorkerFactory = () => Worker;

/** The default: the module beside this one. */
export const createWorker: WorkerFactory = () =>
  new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "sparc-fuse" });

interface Pending {
  id: number;
  job: number;
  index: number;
  used: ArrayBuffer[];
  resolve: (result: TaskResult) => void;
  reject: (error: unknown) => void;
}

interface Slot {
  worker: Worker;
  jobs: Set<number>;
  running: Map<number, Pending>;
}

/** Runs tasks on `size` workers, each holding up to `tasksPerWorker` at a time. */
export class WorkerPool {
  readonly #slots: Slot[] = [];
  readonly #queue: Pending[] = [];
  readonly #plans = new Map<number, { plan: Plan; target: TargetSpec }>();
  #nextId = 0;
  #closed = false;

  /** A pool of at most `size` workers, started when first needed. */
  constructor(
    readonly size: number,
    readonly factory: WorkerFactory = createWorker,
    /** More than one hides the latency of remote sources. */
    readonly tasksPerWorker = 1,
  ) {}

  /** Makes a plan known; gives the number its tasks are run under. */
  begin(plan: Plan, target: TargetSpec): number {
    const job = this.#nextId++;
    this.#plans.set(job, { plan, target });
    return job;
  }

  /**
   * Runs one task of a plan. Rejects with the task's FuseError.
   * @param used buffers of earlier results; they go to the worker
   */
  run(job: number, index: number, used: ArrayBuffer[] = []): Promise<TaskResult> {
    if (this.#closed) return Promise.reject(new FuseError("Aborted", "the pool is closed"));
    return new Promise((resolve, reject) => {
      this.#queue.push({ id: this.#nextId++, job, index, used, resolve, reject });
      this.#dispatch();
    });
  }

  /** Forgets a plan: its queued tasks are dropped, workers close its sources. */
  end(job: number): void {
    for (let i = this.#queue.length - 1; i >= 0; i--) {
      if (this.#queue[i].job === job) this.#queue.splice(i, 1);
    }
    for (const slot of this.#slots) {
      if (slot.jobs.delete(job)) this.#post(slot, { type: "end-job", job });
    }
    this.#plans.delete(job);
  }

  /** Ends all workers; running tasks reject. */
  close(): void {
    this.#closed = true;
    for (const slot of this.#slots) {
      slot.worker.terminate();
      for (const pending of slot.running.values()) {
        pending.reject(new FuseError("Aborted", "cancelled"));
      }
    }
    this.#slots.length = 0;
  }

  #post(slot: Slot, request: Request, transfer: Transferable[] = []): void {
    slot.worker.postMessage(request, transfer);
  }

  #dispatch(): void {
    while (this.#queue.length) {
      const slot = this.#freeSlot();
      if (!slot) return;
      const task = this.#queue.shift()!;
      const known = this.#plans.get(task.job);
      if (!known) continue;
      if (!slot.jobs.has(task.job)) {
        slot.jobs.add(task.job);
        this.#post(slot, { type: "job", job: task.job, ...known });
      }
      slot.running.set(task.id, task);
      const { job, index, id, used } = task;
      this.#post(slot, { type: "task", job, index, id, used }, used);
    }
  }

  #freeSlot(): Slot | undefined {
    const [idlest] = [...this.#slots].sort((a, b) => a.running.size - b.running.size);
    if (idlest && idlest.running.size === 0) return idlest;
    if (this.#slots.length < this.size) return this.#start();
    return idlest && idlest.running.size < this.tasksPerWorker ? idlest : undefined;
  }

  #start(): Slot {
    const slot: Slot = { worker: this.factory(), jobs: new Set(), running: new Map() };
    slot.worker.onmessage = ({ data }: MessageEvent<Response>) => {
      if (data.type === "ready") return;
      const task = slot.running.get(data.id);
      slot.running.delete(data.id);
      if (data.type === "done") task?.resolve(data.result);
      else task?.reject(FuseError.fromJSON(data.error));
      this.#dispatch();
    };
    // A worker that dies takes its tasks with it, never silently.
    slot.worker.onerror = (event) => {
      event.preventDefault();
      for (const task of slot.running.values()) {
        task.reject(new FuseError("Corrupt", `a worker failed: ${event.message}`));
      }
      slot.running.clear();
      this.#slots.splice(this.#slots.indexOf(slot), 1);
      slot.worker.terminate();
      this.#dispatch();
    };
    this.#slots.push(slot);
    return slot;
  }
}
