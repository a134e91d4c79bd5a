/** The part of the Web's `Worker` that the pool uses, on Node's threads. */
import { type TransferListItem, Worker as Thread } from "node:worker_threads";

/** A module worker; `worker.ts` of the sources is `worker.js` of the package. */
export class Worker {
  onmessage?: (event: { data: unknown }) => void;
  onerror?: (event: { message: string; preventDefault(): void }) => void;
  readonly #thread: Thread;
  #ended = false;

  constructor(url: URL) {
    this.#thread = new Thread(new URL(url.href.replace(/\.ts$/, ".js")));
    this.#thread.on("message", (data) => this.onmessage?.({ data }));
    this.#thread.on("messageerror", (error) => this.#fail(error.message));
    this.#thread.on("error", (error) => this.#fail((error as Error)?.message ?? String(error)));
    // A thread that ends by itself has left its tasks undone.
    this.#thread.on("exit", (status) => this.#fail(`it ended with status ${status}`));
  }

  postMessage(message: unknown, transfer: TransferListItem[] = []): void {
    this.#thread.postMessage(message, transfer);
  }

  terminate(): void {
    this.#ended = true;
    void this.#thread.terminate();
  }

  #fail(message: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.onerror?.({ message, preventDefault() {} });
  }
}
