/** A file with the members of its set that a reader opened beside it, so that none stays open. */
import type { ByteSource } from "./source.ts";
import { WrappedSource } from "./wrapped.ts";

/** Passes everything on, and remembers the siblings it opens; theirs too. */
export class FilesetSource extends WrappedSource {
  readonly #opened: ByteSource[];

  constructor(inner: ByteSource, opened: ByteSource[] = []) {
    super(inner);
    this.#opened = opened;
  }

  protected override rewrap(sibling: ByteSource): ByteSource {
    this.#opened.push(sibling);
    return new FilesetSource(sibling, this.#opened);
  }

  /** Closes all siblings but those in `kept`. */
  async closeSiblings(kept: ByteSource[] = []): Promise<void> {
    for (const sibling of this.#opened) if (!kept.includes(sibling)) await sibling.close();
  }
}

/** The source below a {@link FilesetSource}, or the source itself. */
export function unwrapped(source: ByteSource): ByteSource {
  return source instanceof FilesetSource ? source.inner : source;
}
