/** A Blob or File of the browser: chosen by the user, or made by a page. */
import { rangeStream } from "./memory.ts";
import { checkAborted } from "./retry.ts";
import { type ByteSource, type ReadOptions, type SourceSpec, truncated } from "./source.ts";
import { siblingPath } from "./urls.ts";

/** A source over a Blob; `siblings` are the other files of a chosen folder, by relative path. */
export class BlobSource implements ByteSource {
  readonly access = "random";
  readonly distance = "local";
  readonly name: string;
  readonly size: number;
  readonly spec: SourceSpec;

  constructor(
    readonly blob: Blob,
    name?: string,
    readonly siblings: ReadonlyMap<string, Blob> = new Map(),
  ) {
    this.name = name ?? (blob as Partial<File>).name ?? "blob";
    this.size = blob.size;
    this.spec = { kind: "blob", blob, name: this.name };
  }

  get uri(): string {
    return `blob:${this.name}`;
  }

  async read(offset: number, length: number, options: ReadOptions = {}): Promise<Uint8Array> {
    checkAborted(options.signal, { source: this.name, offset });
    if (offset < 0 || !(offset + length <= this.size)) {
      throw truncated(this, offset, length, this.size - offset);
    }
    return new Uint8Array(await this.blob.slice(offset, offset + length).arrayBuffer());
  }

  readUpTo(offset: number, length: number, options: ReadOptions = {}): Promise<Uint8Array> {
    return this.read(offset, Math.max(0, Math.min(length, this.size - offset)), options);
  }

  async readInto(offset: number, target: Uint8Array, options: ReadOptions = {}): Promise<void> {
    target.set(await this.read(offset, target.length, options));
  }

  stream(offset: number, length = Infinity, options: ReadOptions = {}): ReadableStream<Uint8Array> {
    return rangeStream(this, offset, Math.min(length, Math.max(0, this.size - offset)), options);
  }

  sibling(relativePath: string): Promise<ByteSource | null> {
    const path = siblingPath(relativePath);
    const blob = path === undefined ? undefined : this.siblings.get(path);
    return Promise.resolve(blob ? new BlobSource(blob, path, this.siblings) : null);
  }

  siblingNames(): Promise<string[] | null> {
    return Promise.resolve(
      this.siblings.size > 0 ? [...new Set([this.name, ...this.siblings.keys()])] : null,
    );
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
