/** Time-stamped annotation lists of EDF+ and BDF+ (EDF+ specification, section 2.2). */
import { decodeAnsi } from "./ansi-text.ts";

/** What was annotated at a time, seconds after the start the header gives. */
export interface Annotation {
  onset: number;
  /** Seconds; NaN where none is given. */
  duration: number;
  text: string;
}

/** The lists of an annotation signal in one data record. */
export interface AnnotationLists {
  /** Onset of the list that keeps the record's time, in the first annotation signal; undefined without one. */
  recordStart: number | undefined;
  annotations: Annotation[];
  /** Lists that are none. */
  damaged: number;
}

/** Ends an onset with a duration, an onset or a text, and a list. */
const DURATION = 0x15, TEXT = 0x14, END = 0x00;

/** The sign must be there; writers that forget it mean "+". */
const NUMBER = /^[+-]?\d+(\.\d*)?$/;
const POSITIVE = /^\d+(\.\d*)?$/;

/** Parses the bytes an annotation signal has in one record. */
export function parseTals(bytes: Uint8Array): AnnotationLists {
  const lists: AnnotationLists = { recordStart: undefined, annotations: [], damaged: 0 };
  let isFirst = true;
  for (let from = 0; from < bytes.length;) {
    if (bytes[from] === END) {
      from++;
      continue;
    }
    const end = bytes.indexOf(END, from);
    const list = bytes.subarray(from, end < 0 ? bytes.length : end);
    from = end < 0 ? bytes.length : end + 1;
    if (!parseTal(list, lists, isFirst)) lists.damaged++;
    isFirst = false;
  }
  return lists;
}

function parseTal(list: Uint8Array, lists: AnnotationLists, isFirst: boolean): boolean {
  const stamp = list.indexOf(TEXT);
  if (stamp < 0) return false;
  const [onset, duration, ...more] = ascii(list.subarray(0, stamp)).split(
    String.fromCharCode(DURATION),
  );
  if (!NUMBER.test(onset) || more.length > 0) return false;
  if (duration !== undefined && duration !== "" && !POSITIVE.test(duration)) return false;
  const seconds = duration ? Number(duration) : NaN;
  let count = 0;
  for (let from = stamp + 1; from < list.length; count++) {
    const end = list.indexOf(TEXT, from);
    const text = list.subarray(from, end < 0 ? list.length : end);
    // The list that keeps the record's time begins with an empty annotation.
    if (text.length === 0 && count === 0 && isFirst) lists.recordStart = Number(onset);
    if (text.length > 0) {
      lists.annotations.push({
        onset: Number(onset),
        duration: seconds,
        text: decodeAnsi(text),
      });
    }
    from = end < 0 ? list.length : end + 1;
  }
  return true;
}

function ascii(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes.subarray(0, 64));
}
