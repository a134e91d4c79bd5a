/** The journal of an AcqKnowledge file: the experimenter's text, plain or HTML. */
import { FuseError } from "../../src/errors.ts";
import { REVISION_4 } from "./biopac-headers.ts";
import { decodeAll, type HeaderWindow, SECTION_BYTES } from "./biopac-window.ts";

/** The journal and where its section ends. */
export interface JournalSection {
  /** "" when there is none. */
  text: string;
  html: boolean;
  /** Pictures embedded in the text, which are not kept. */
  pictureCount: number;
  end: number;
  warnings: string[];
}

/** Bytes of the block between the markers and the journal of versions 3.8 and 3.9. */
const MARKER_EXTRA = { header: 84, item: 28, countAt: 4 };
const JOURNAL_TAG = [0x44, 0x33, 0x22, 0x11];

/**
 * Reads the journal that follows the markers.
 * @param start end of the markers
 * @param markerCount number of markers, for the block of marker colours before the journal of 3.8/3.9
 * @throws FuseError `Corrupt` or `Truncated`.
 */
export async function readJournal(
  window: HeaderWindow,
  start: number,
  revision: number,
  markerCount: number,
): Promise<JournalSection> {
  if (start >= window.size) {
    // Versions before 3.7 may have no journal section; later ones write one without text.
    return none(start, ...(revision < 38 ? [] : ["the file ends before its journal"]));
  }
  return revision >= REVISION_4
    ? await readModern(window, start, revision)
    : await readOld(window, start, markerCount);
}

function none(end: number, ...warnings: string[]): JournalSection {
  return { text: "", html: false, pictureCount: 0, end, warnings };
}

function journal(window: HeaderWindow, at: number, length: number, end: number): JournalSection {
  const bytes = window.bytes(at, length);
  const last = bytes.findLastIndex((b) => b !== 0) + 1;
  const text = decodeAll(bytes.subarray(0, last), window.charset).replace(/^\0+/, "");
  const html = /^\s*<(!doctype|html|\?xml)/i.test(text);
  return { text, html, pictureCount: 0, end, warnings: [] };
}

/** Versions up to 3.9: a tag, a flag, a length, the text. */
async function readOld(
  window: HeaderWindow,
  start: number,
  markerCount: number,
): Promise<JournalSection> {
  const { header, item, countAt } = MARKER_EXTRA;
  const reach = Math.min(
    window.size - start,
    header + item * markerCount + SECTION_BYTES,
    window.limits.headerBytes,
  );
  await window.need(start, reach, "journal");
  const places = [start, start + header + item * markerCount];
  if (reach >= countAt + 4) places.push(start + header + item * window.i32(start + countAt));
  const at = places.find((p) => p >= start && p + 10 <= start + reach && isTag(window, p));
  if (at === undefined) {
    return none(
      start,
      ...(reach >= 10 ? [`no journal was found behind the markers (byte ${start})`] : []),
    );
  }
  const length = window.i32(at + 6);
  if (length < 0 || at + 10 + length > window.size) {
    throw window.cut(at + 10, length, "lJournalLen");
  }
  await window.need(at + 10, length, "journal text");
  return journal(window, at + 10, length, at + 10 + length);
}

function isTag(window: HeaderWindow, at: number): boolean {
  const bytes = window.bytes(at, 4);
  const tag = window.littleEndian ? JOURNAL_TAG : JOURNAL_TAG.toReversed();
  return tag.every((b, i) => bytes[i] === b) || JOURNAL_TAG.every((b, i) => bytes[i] === b);
}

/**
 * Version 4 and later: total length (4 bytes), a flag (2), a block of window settings that starts with
 * its length, the text. Up to 4.1 that length counts itself and the text fills the section; since 4.2
 * it does not, the text's length stands before it, without and with the final NUL, and pictures may
 * follow.
 */
async function readModern(
  window: HeaderWindow,
  start: number,
  revision: number,
): Promise<JournalSection> {
  await window.need(start, 4, "lJournalDataLen");
  const length = window.i32(start);
  if (length < 0 || start + length > window.size) {
    throw new FuseError("Corrupt", "the length of the journal is impossible", {
      ...window.place(start, "lJournalDataLen"),
      found: length,
      expected: `0..${window.size - start}`,
    });
  }
  const end = start + Math.max(4, length);
  if (length < 10) return none(end);
  await window.need(start, length, "journal");
  if (window.i16(start + 4) === 0) return none(end);
  const settings = window.i32(start + 6);
  if (revision < 108) {
    const fixed = 560;
    const at = start + (settings >= 4 && 6 + settings <= length ? 6 + settings : fixed);
    return at <= end
      ? journal(window, at, end - at, end)
      : none(end, `the journal at byte ${start} was not understood`);
  }
  // The settings' length differs between versions, and so does a count before the text's lengths.
  for (const at of [10 + settings + 12, 10 + settings + 8, 4 + 594, 4 + 590]) {
    if (!(at >= 18 && at <= length)) continue;
    const text = start + at;
    const withNul = window.i32(text - 4);
    if (withNul <= 0 || withNul !== window.i32(text - 8) + 1 || text + withNul > end) continue;
    const found = journal(window, text, withNul, end);
    const rest = text + withNul;
    if (rest + 4 <= end) found.pictureCount = Math.max(0, window.i32(rest));
    return found;
  }
  return none(end, `the journal at byte ${start} was not understood`);
}
