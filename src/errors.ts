/**
 * Every failure a caller can meet, as one class with a literal tag.
 *
 * A message names the file, the byte offset, what was found and what was expected, so that a reader
 * of a report can tell a damaged recording from a missing feature without opening a debugger.
 */

/** What kind of failure this is, and whose it is to mend. */
export type ErrorTag =
  /** No reader recognises the bytes. */
  | "UnknownFormat"
  /** The file is well-formed but uses something we do not read yet (ours to add). */
  | "Unsupported"
  /** The bytes contradict the format's specification (a bad file). */
  | "Corrupt"
  /** The file ends before what its own header promises. */
  | "Truncated"
  /** A number in the file asks for more than the set limits allow. */
  | "Limit"
  /** The format needs random access and the source only flows forward. */
  | "NeedsRandomAccess"
  /** The network or a remote service failed after all retries. */
  | "Network"
  /** Writing the output failed. */
  | "Sink"
  /** The caller asked for something that does not make sense. */
  | "Usage"
  /** The work was cancelled by its AbortSignal. */
  | "Aborted";

/** Where in the input the failure was met. */
export interface ErrorPlace {
  /** Name or URI of the input file. */
  source?: string;
  /** Format id of the reader at work. */
  format?: string;
  /** Byte offset in the file. */
  offset?: number;
  /** Field of the format's specification. */
  field?: string;
  /** Array of the output. */
  array?: string;
}

/** Details that make up the message of a {@link FuseError}. */
export interface ErrorDetails extends ErrorPlace {
  /** What the file holds. */
  found?: unknown;
  /** What it should hold. */
  expected?: unknown;
  /** What the user can do about it. */
  remedy?: string;
  /** The error this one was made from. */
  cause?: unknown;
}

const CODE = "FuseError";

/** The one error class of the project; narrow it by {@link isFuseError} and its `tag`. */
export class FuseError extends Error {
  /** Always "FuseError". */
  override readonly name: "FuseError" = CODE;
  /** What kind of failure this is. */
  readonly tag: ErrorTag;
  /** Where it was met, as far as known. */
  readonly where: ErrorPlace;
  /** The bare statement without the place, for composing. */
  readonly statement: string;
  /** Everything the message was made of. */
  readonly details: ErrorDetails;

  /** Makes the message from the statement and its details. */
  constructor(tag: ErrorTag, statement: string, details: ErrorDetails = {}) {
    super(
      describe(statement, details),
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.tag = tag;
    this.statement = statement;
    this.details = details;
    const { source, format, offset, field, array } = details;
    this.where = { source, format, offset, field, array };
  }

  /** The same failure with missing parts of its place filled in; known parts stay. */
  at(place: ErrorPlace): FuseError {
    const merged: ErrorDetails = { ...this.details };
    for (const [key, value] of Object.entries(place) as [keyof ErrorPlace, never][]) {
      if (merged[key] === undefined) merged[key] = value;
    }
    const error = new FuseError(this.tag, this.statement, merged);
    error.stack = this.stack;
    return error;
  }

  /** Plain data for worker messages, reports and `--json`. */
  toJSON(): { tag: ErrorTag; statement: string; message: string; details: ErrorDetails } {
    const { cause: _cause, ...details } = this.details;
    return { tag: this.tag, statement: this.statement, message: this.message, details };
  }

  /** Rebuilds an error that crossed a worker boundary as {@link FuseError.toJSON}. */
  static fromJSON(json: { tag: ErrorTag; statement: string; details: ErrorDetails }): FuseError {
    return new FuseError(json.tag, json.statement, json.details);
  }
}

function describe(statement: string, d: ErrorDetails): string {
  const parts: string[] = [];
  if (d.source) parts.push(`${d.source}:`);
  parts.push(printable(statement, 400));
  if (d.field) parts.push(`(${printable(d.field, 80)})`);
  if (d.offset !== undefined) parts.push(`at byte ${d.offset}`);
  if (d.found !== undefined) parts.push(`- found ${show(d.found)}`);
  if (d.expected !== undefined) {
    parts.push(`${d.found === undefined ? "- " : ", "}expected ${show(d.expected)}`);
  }
  let text = parts.join(" ").replace(" , ", ", ");
  if (d.array) text += ` [array ${d.array}]`;
  if (d.remedy) text += `. ${d.remedy}`;
  return printable(text, 2000);
}

function show(value: unknown): string {
  return printable(String(value), 120);
}

/** Control characters, line and paragraph ends, and what turns the direction of writing. */
// deno-lint-ignore no-control-regex
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/**
 * Text on one line of at most `most` characters. Names and values from a file go into messages through
 * here, so that a damaged one can neither fill a screen nor steer a terminal.
 */
export function printable(text: string, most = Infinity): string {
  const cut = text.length > most ? `${text.slice(0, most - 3)}...` : text;
  return cut.toWellFormed().replace(UNPRINTABLE, "\ufffd");
}

/** True when `error` is a {@link FuseError}, with one of the tags if any are given. */
export function isFuseError(error: unknown, ...tags: ErrorTag[]): error is FuseError {
  return error instanceof Error && error.name === CODE && "tag" in error &&
    (tags.length === 0 || tags.includes((error as FuseError).tag));
}

/** Wraps anything thrown into a {@link FuseError}; a FuseError keeps its tag. */
export function toFuseError(error: unknown, fallback: ErrorTag, place: ErrorPlace = {}): FuseError {
  if (isFuseError(error)) return error.at(place);
  if (error instanceof Error && error.name === "AbortError") {
    return new FuseError("Aborted", "cancelled", { ...place, cause: error });
  }
  const text = error instanceof Error ? error.message : String(error);
  return new FuseError(fallback, text, { ...place, cause: error });
}

/** Throws a `Corrupt` error unless `condition` holds. */
export function ensure(
  condition: unknown,
  statement: string,
  details: ErrorDetails = {},
): asserts condition {
  if (!condition) throw new FuseError("Corrupt", statement, details);
}

/** Limits on what a file may make us allocate before its word is checked against its size. */
export interface Limits {
  /** Largest header or metadata item read as one piece, bytes. */
  headerBytes: number;
  /** Largest decoded tile, strip or chunk, bytes. */
  chunkBytes: number;
  /** Most channels, event tables or images in one file. */
  items: number;
}

/** The limits used unless a caller passes others. */
export const DEFAULT_LIMITS: Limits = {
  headerBytes: 64 << 20,
  chunkBytes: 512 << 20,
  items: 65_536,
};
