/** A store in memory: for tests, for small results in a browser, and for objects on their way to an owner. */
import { collect } from "./collect.ts";
import type { ObjectWriter, Target, TargetSpec } from "./target.ts";

/** Keys and their bytes. */
export class MemoryTarget implements Target {
  /** Objects are handed to this thread. */
  readonly spec: TargetSpec = { kind: "owner" };
  /** Every object written so far, by key. */
  readonly objects: Map<string, Uint8Array<ArrayBuffer>> = new Map();
  /** True when the store is complete. */
  finished = false;
  readonly #used: ArrayBuffer[] = [];

  /** Buffers of objects nobody needs any more, for objects to come. */
  reuse(buffers: ArrayBuffer[]): void {
    this.#used.push(...buffers);
  }

  #room(length: number): Uint8Array<ArrayBuffer> | undefined {
    const at = this.#used.findIndex((buffer) => buffer.byteLength === length);
    return at < 0 ? undefined : new Uint8Array(this.#used.splice(at, 1)[0]);
  }

  /** Collects an object; it appears when it is closed. */
  create(key: string): ObjectWriter {
    return collect((bytes) => this.objects.set(key, bytes), (length) => this.#room(length));
  }

  put(key: string, bytes: Uint8Array): void {
    this.objects.set(key, bytes.slice());
  }

  finish(): Promise<void> {
    this.finished = true;
    return Promise.resolve();
  }

  abort(): Promise<void> {
    this.objects.clear();
    return Promise.resolve();
  }
}
