/**
 * Members of zip archives. A STORED member is a range of the archive and is read in place; a compressed
 * one flows forward, or is held in memory when it is small.
 */
import { type ErrorTag, FuseError, isFuseError } from "../errors.ts";
import { ForwardSource } from "./forward.ts";
import { MemorySource } from "./memory.ts";
import { streamPieces } from "./pipe.ts";
import { type ByteSource, type ReadOptions, type SourceSpec, truncated, viewOf } from "./source.ts";
import { joinKey } from "./urls.ts";
import { WrappedSource } from "./wrapped.ts";
import type { FileEntry, ZipReader } from "@zip.js/zip.js";

/** Compressed members up to this size are unpacked into memory, which gives random access. */
export const SMALL_MEMBER_BYTES = 8 << 20;

/** A range of another source, as a source of its own. */
export class SliceSource extends WrappedSource {
  constructor(
    inner: ByteSource,
    readonly start: number,
    readonly length: number,
    private readonly label: string,
  ) {
    super(inner);
  }

  override get name(): string {
    return this.label;
  }

  override get size(): number {
    return this.length;
  }

  override get place(): { uri: string; offset: number } | null {
    const { place, uri } = this.inner;
    if (place === null) return null;
    return { uri: place?.uri ?? uri, offset: (place?.offset ?? 0) + this.start };
  }

  #check(offset: number, length: number): void {
    if (length > 0 && (offset < 0 || !(offset + length <= this.length))) {
      throw truncated(this, offset, length, this.length - offset);
    }
  }

  override async read(
    offset: number,
    length: number,
    options?: ReadOptions,
  ): Promise<Uint8Array> {
    this.#check(offset, length);
    return length === 0
      ? new Uint8Array(0)
      : await this.inner.read(this.start + offset, length, options);
  }

  override readUpTo(offset: number, length: number, options?: ReadOptions): Promise<Uint8Array> {
    return this.read(offset, Math.max(0, Math.min(length, this.length - offset)), options);
  }

  override readInto(offset: number, target: Uint8Array, options?: ReadOptions): Promise<void> {
    try {
      this.#check(offset, target.length);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.inner.readInto(this.start + offset, target, options);
  }

  override stream(
    offset: number,
    length = Infinity,
    options?: ReadOptions,
  ): ReadableStream<Uint8Array> {
    const rest = Math.max(0, Math.min(length, this.length - offset));
    return this.inner.stream(this.start + offset, rest, options);
  }
}

/** A member with its place in the archive: siblings are other members. */
class MemberSource extends WrappedSource {
  #open = true;

  constructor(
    readonly archive: ZipArchive,
    readonly member: string,
    inner: ByteSource,
  ) {
    super(inner);
    archive.retain();
  }

  override get uri(): string {
    return `${this.archive.source.uri}!/${this.member}`;
  }

  override get spec(): SourceSpec | undefined {
    const archive = this.archive.source.spec;
    return archive && { kind: "zip", archive, member: this.member };
  }

  override get place(): { uri: string; offset: number } | null {
    return this.inner instanceof SliceSource ? this.inner.place : null;
  }

  override get tag(): string | undefined {
    return this.archive.source.tag;
  }

  override async sibling(relativePath: string): Promise<ByteSource | null> {
    const path = joinKey(this.member, relativePath);
    return path !== undefined && this.archive.has(path) ? await this.archive.open(path) : null;
  }

  override siblingNames(): Promise<string[] | null> {
    const folder = this.member.slice(0, this.member.lastIndexOf("/") + 1);
    return Promise.resolve(
      this.archive.names()
        .filter((name) => name.startsWith(folder) && !name.slice(folder.length).includes("/"))
        .map((name) => name.slice(folder.length)),
    );
  }

  override async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    if (this.inner instanceof ForwardSource) await this.inner.close();
    await this.archive.release();
  }
}

/** The directory of an archive. The archive's source is closed with the last member that is open. */
export class ZipArchive {
  #users = 0;

  private constructor(
    readonly source: ByteSource,
    private readonly reader: ZipReader<unknown>,
    private readonly entries: Map<string, FileEntry>,
    private readonly windowBytes: number | undefined,
  ) {}

  /**
   * Reads the archive's directory (from its end).
   * @throws FuseError `Corrupt` when it has none, `NeedsRandomAccess` for an archive that only flows.
   */
  static async open(
    source: ByteSource,
    options: { signal?: AbortSignal; windowBytes?: number } = {},
  ): Promise<ZipArchive> {
    if (source.access !== "random" || source.size === undefined) {
      throw new FuseError("NeedsRandomAccess", "the directory of a zip archive is at its end", {
        source: source.name,
        remedy: "Save the archive to a file first.",
      });
    }
    const zip = await import("@zip.js/zip.js");
    class SourceReader extends zip.Reader<ByteSource> {
      override size = source.size!;
      override async readUint8Array(index: number, length: number): Promise<Uint8Array> {
        const purpose = length > 1 << 20 ? "bulk" : "header";
        // A copy: the library may keep or transfer what it is given.
        return (await source.readUpTo(index, length, { purpose, signal: options.signal })).slice();
      }
      override createReadable(range: { offset?: number; size?: number } = {}) {
        return source.stream(range.offset ?? 0, range.size) as ReadableStream<
          Uint8Array<ArrayBuffer>
        >;
      }
    }
    const reader = new zip.ZipReader(new SourceReader(source), { useWebWorkers: false });
    const entries = new Map<string, FileEntry>();
    try {
      for await (const entry of reader.getEntriesGenerator()) {
        if (!entry.directory) entries.set(entry.filename.replaceAll("\\", "/"), entry);
      }
    } catch (error) {
      throw zipError(error, "Corrupt", source.name);
    }
    return new ZipArchive(source, reader, entries, options.windowBytes);
  }

  names(): string[] {
    return [...this.entries.keys()];
  }

  has(member: string): boolean {
    return this.entries.has(member);
  }

  /**
   * Opens a member.
   * @throws FuseError `Usage` for a missing member, `Unsupported` for encryption and rare methods.
   */
  async open(member: string, options: { signal?: AbortSignal } = {}): Promise<ByteSource> {
    const entry = this.entries.get(member);
    if (!entry) {
      const near = this.names().slice(0, 5).join(", ");
      throw new FuseError("Usage", "the archive has no such member", {
        source: this.source.name,
        found: near === "" ? "an empty archive" : `${near}${this.entries.size > 5 ? ", ..." : ""}`,
        expected: member,
      });
    }
    const place = { source: this.source.name, field: member };
    if (entry.encrypted) {
      throw new FuseError("Unsupported", "the member is encrypted", {
        ...place,
        remedy: "Unpack it first.",
      });
    }
    const name = member.slice(member.lastIndexOf("/") + 1);
    if (entry.compressionMethod === 0) {
      const start = await this.#dataStart(entry, member);
      if (start + entry.compressedSize > this.source.size!) {
        throw truncated(this.source, start, entry.compressedSize, this.source.size! - start);
      }
      const slice = new SliceSource(this.source, start, entry.compressedSize, name);
      return new MemberSource(this, member, slice);
    }
    if (entry.compressionMethod !== 8 && entry.compressionMethod !== 9) {
      throw new FuseError("Unsupported", "the member's compression is not one we unpack", {
        ...place,
        found: `method ${entry.compressionMethod}`,
        expected: "0 (stored), 8 or 9 (deflate)",
        remedy: "Unpack it first.",
      });
    }
    if (entry.uncompressedSize <= SMALL_MEMBER_BYTES) {
      return new MemberSource(
        this,
        member,
        await this.#unpack(entry, member, name, options.signal),
      );
    }
    const forward = new ForwardSource({
      name,
      uri: `${this.source.uri}!/${member}`,
      size: entry.uncompressedSize,
      distance: this.source.distance,
      stats: this.source.stats,
      windowBytes: this.windowBytes,
      again: true,
      why: "a compressed member of a zip archive unpacks only forward",
      pass: (signal) => this.#pass(entry, member, signal),
    });
    return new MemberSource(this, member, forward);
  }

  async #unpack(
    entry: FileEntry,
    member: string,
    name: string,
    signal = new AbortController().signal,
  ): Promise<MemorySource> {
    const bytes = new Uint8Array(entry.uncompressedSize);
    let done = 0;
    for await (const piece of this.#pass(entry, member, signal)) {
      if (done + piece.length > bytes.length) {
        throw new FuseError("Corrupt", "the member unpacks to more than its directory says", {
          source: this.source.name,
          field: member,
          expected: `${bytes.length} bytes`,
        });
      }
      bytes.set(piece, done);
      done += piece.length;
    }
    return new MemorySource(name, bytes.subarray(0, done));
  }

  /** One pass over an unpacked member, its checksum verified at the end. */
  async *#pass(
    entry: FileEntry,
    member: string,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const pipe = new TransformStream<Uint8Array, Uint8Array>();
    let failure: unknown;
    const work = entry.getData(pipe.writable, {
      checkSignature: true,
      signal,
      useWebWorkers: false,
    })
      .catch((error) => {
        failure = error;
        return pipe.writable.abort(error).catch(() => {});
      });
    try {
      yield* streamPieces(pipe.readable, signal);
      await work;
    } catch (error) {
      failure ??= error;
    }
    if (failure !== undefined) {
      throw zipError(failure, "Corrupt", `${this.source.name}!/${member}`, signal);
    }
  }

  /** Where a member's bytes begin: after its local header (APPNOTE 4.3.7), whose lengths are its own. */
  async #dataStart(entry: FileEntry, member: string): Promise<number> {
    const header = viewOf(await this.source.read(entry.offset, 30, { purpose: "header" }));
    if (header.getUint32(0, true) !== 0x04034b50) {
      throw new FuseError("Corrupt", "the member's local header is not there", {
        source: this.source.name,
        field: member,
        offset: entry.offset,
      });
    }
    return entry.offset + 30 + header.getUint16(26, true) + header.getUint16(28, true);
  }

  /** Counts one more open member. */
  retain(): void {
    this.#users++;
  }

  /** Counts one open member less; the last closes the archive. */
  async release(): Promise<void> {
    if (--this.#users > 0) return;
    await this.reader.close();
    await this.source.close();
  }
}

/** Opens one member of an archive; closing it closes the archive. */
export async function openZipMember(
  archive: ByteSource,
  member: string,
  options: { signal?: AbortSignal; windowBytes?: number } = {},
): Promise<ByteSource> {
  try {
    return await (await ZipArchive.open(archive, options)).open(member, options);
  } catch (error) {
    await archive.close();
    throw error;
  }
}

function zipError(
  error: unknown,
  tag: ErrorTag,
  source: string,
  signal?: AbortSignal,
): FuseError {
  if (isFuseError(error)) return error;
  if (signal?.aborted) {
    return isFuseError(signal.reason)
      ? signal.reason
      : new FuseError("Aborted", "cancelled", { source, cause: error });
  }
  const text = error instanceof Error ? error.message : String(error);
  return new FuseError(tag, `the zip archive cannot be read: ${text.toLowerCase()}`, {
    source,
    cause: error,
  });
}
