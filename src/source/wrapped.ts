/** A source that passes everything on to another one: the base of wrappers, which change a part of it. */
import type { ByteSource, ReadOptions, SourceSpec, SourceStats } from "./source.ts";

/** Delegates every member to `inner`. */
export class WrappedSource implements ByteSource {
  constructor(readonly inner: ByteSource) {}

  get name(): string {
    return this.inner.name;
  }
  get uri(): string {
    return this.inner.uri;
  }
  get size(): number | undefined {
    return this.inner.size;
  }
  get access(): "random" | "forward" {
    return this.inner.access;
  }
  get distance(): "local" | "remote" {
    return this.inner.distance;
  }
  get spec(): SourceSpec | undefined {
    return this.inner.spec;
  }
  get tag(): string | undefined {
    return this.inner.tag;
  }
  get place(): { uri: string; offset: number } | null | undefined {
    return this.inner.place;
  }
  get stats(): SourceStats | undefined {
    return this.inner.stats;
  }
  read(offset: number, length: number, options?: ReadOptions): Promise<Uint8Array> {
    return this.inner.read(offset, length, options);
  }
  readUpTo(offset: number, length: number, options?: ReadOptions): Promise<Uint8Array> {
    return this.inner.readUpTo(offset, length, options);
  }
  readInto(offset: number, target: Uint8Array, options?: ReadOptions): Promise<void> {
    return this.inner.readInto(offset, target, options);
  }
  stream(offset: number, length?: number, options?: ReadOptions): ReadableStream<Uint8Array> {
    return this.inner.stream(offset, length, options);
  }
  async sibling(relativePath: string): Promise<ByteSource | null> {
    const sibling = await this.inner.sibling(relativePath);
    return sibling && this.rewrap(sibling);
  }
  /** Gives a sibling the same wrapping. */
  protected rewrap(sibling: ByteSource): ByteSource {
    return sibling;
  }
  siblingNames(): Promise<string[] | null> {
    return this.inner.siblingNames();
  }
  close(): Promise<void> {
    return this.inner.close();
  }
}
