/**
 * What has been done of a conversion, on disk beside it: the plan, and a record for each finished task.
 * A killed run goes on from here, and the parts of an array job meet here.
 *
 * Records are written after the objects they speak of have got their names, so a record means whole
 * objects; their lengths are checked all the same.
 */
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { FuseError } from "../../errors.ts";
import type { Plan } from "../../plan/plan.ts";
import { fromJson, toJson } from "../../plan/plan-json.ts";
import type { TaskExecutor } from "../../pool/execute.ts";
import { emptyResult, type TaskResult } from "../../pool/task-result.ts";

/** Folder of the journal inside the folder being written. */
const FOLDER = ".journal";

/** A conversion that can be gone on with. */
export class Journal {
  private constructor(readonly partialPath: string) {}

  /** Begins a journal for a plan in a folder being written. */
  static begin(partialPath: string, plan: Plan): Journal {
    const journal = new Journal(partialPath);
    mkdirSync(journal.#path(), { recursive: true });
    journal.#write("plan.json", toJson(plan));
    return journal;
  }

  /** The journal in a folder being written, with its plan; null when there is none. */
  static find(partialPath: string): { journal: Journal; plan: Plan } | null {
    const journal = new Journal(partialPath);
    if (!existsSync(journal.#path("plan.json"))) return null;
    try {
      return { journal, plan: fromJson<Plan>(readFileSync(journal.#path("plan.json"), "utf8")) };
    } catch (cause) {
      throw new FuseError("Sink", "the journal of the earlier run cannot be read", {
        source: partialPath,
        remedy: "Remove this folder to begin anew",
        cause,
      });
    }
  }

  #path(name = ""): string {
    return join(this.partialPath, FOLDER, name);
  }

  #write(name: string, text: string): void {
    // The temporary name is this process's own: another may be recording the same task.
    const temporary = this.#path(`${name}.${crypto.randomUUID()}`);
    writeFileSync(temporary, text);
    renameSync(temporary, this.#path(name));
  }

  /** The result of a finished task; null when it is not finished, or its objects are not what they were. */
  result(index: number): TaskResult | null {
    const path = this.#path(`task-${index}.json`);
    if (!existsSync(path)) return null;
    const result = fromJson<TaskResult>(readFileSync(path, "utf8"));
    for (const { key, length } of result.written) {
      try {
        if (statSync(join(this.partialPath, ...key.split("/"))).size !== length) return null;
      } catch {
        return null;
      }
    }
    return { ...emptyResult(index), ...result };
  }

  /** Records a finished task. */
  record(result: TaskResult): void {
    this.#write(`task-${result.index}.json`, toJson(result));
  }

  /** True when task `index` is finished. */
  has(index: number): boolean {
    return existsSync(this.#path(`task-${index}.json`));
  }

  /** Removes the journal: the store is about to get its name. */
  end(): void {
    rmSync(this.#path(), { recursive: true, force: true });
  }

  /** An executor that takes finished tasks from the journal and records the others. */
  around(inner: TaskExecutor): TaskExecutor {
    return {
      concurrency: inner.concurrency,
      run: async (index) => {
        const known = this.result(index);
        if (known) return known;
        const result = await inner.run(index);
        this.record(result);
        return result;
      },
    };
  }
}
