/** What a format tells the rest of the program about itself: data, a probe, and a lazily loaded reader. */
import type { Dataset } from "../src/model/dataset.ts";
import type { ByteSource } from "../src/source/source.ts";
import type { Limits } from "../src/errors.ts";
import type { MappingUse } from "./mapping/descriptor-types.ts";

/** The first bytes of a file, and what is known of it without reading further. */
export interface ProbeInput {
  /** Up to {@link PROBE_BYTES} from the start; shorter for shorter files. */
  head: Uint8Array;
  /** File name with extension, lower-cased. */
  name: string;
  /** Bytes of the file; undefined for a source of unknown length. */
  size: number | undefined;
}

/** Bytes a probe may look at. */
export const PROBE_BYTES = 16_384;

/** How sure a format is: 0 not mine ... 255 certain; an extension alone gives at most 40. */
export interface ProbeResult {
  /** 0 .. 255. */
  score: number;
  /** Why, in words shown by `inspect`. */
  why: string;
}

/** What a user can tell a reader. */
export interface OpenOptions {
  /** Stops reading when it aborts. */
  signal?: AbortSignal;
  /** Bounds on what the file may ask for; {@link DEFAULT_LIMITS} unless given. */
  limits?: Limits;
  /** Open only the given file, not the other members of its set. */
  alone?: boolean;
  /** What the file's columns, arrays or bytes mean; plain data. Found out from the file where absent. */
  mapping?: MappingUse;
}

/** Turns a source into a Dataset, reading headers only. */
export interface Reader {
  /** Reads the headers of `source` and of its siblings. @throws FuseError for whatever is wrong with them. */
  open(source: ByteSource, options: OpenOptions): Promise<Dataset>;
}

/** A format: the single origin of `formats`, help, completions, the README table and the tests. */
export interface FormatDescriptor {
  /** Short id used with `--format`: "blackrock". */
  id: string;
  /** Full name for people: "Blackrock NSx/NEV". */
  name: string;
  /** What its files mostly hold. */
  kind: "time-series" | "image" | "table";
  /** Lower case, with the dot. */
  extensions: string[];
  /** Which of `extensions` are only members of a set, opened through their main file. */
  memberExtensions?: string[];
  /** "random": needs byte ranges; "forward": one pass is enough. */
  needs: "random" | "forward";
  /** What is read, in a few words for the format table. */
  reads: string;
  /** What is not read and why; "" when nothing is missing. */
  missing: string;
  /** Specification documents and the readers it was checked against. */
  references: string[];
  /** How sure the format is of a file, from its first bytes alone. */
  probe(input: ProbeInput): ProbeResult;
  /**
   * A second look, by the files beside it, at a file whose extension is one of `memberExtensions` and whose
   * bytes say little: asked where no probe scores 150. Closes what it opens.
   */
  probeSet?(source: ByteSource, signal?: AbortSignal): Promise<ProbeResult>;
  /** Loads the reader when it is first needed. */
  load(): Promise<Reader>;
}

/** True when `head` has the ASCII `text` at `offset`. */
export function hasText(head: Uint8Array, offset: number, text: string): boolean {
  if (head.length < offset + text.length) return false;
  for (let i = 0; i < text.length; i++) if (head[offset + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** The result of a probe that found nothing of its own. */
export const NOT_MINE: ProbeResult = { score: 0, why: "" };
