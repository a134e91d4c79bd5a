/** Event markers of an AcqKnowledge file. */
import { FuseError } from "../../src/errors.ts";
import { REVISION_4 } from "./biopac-headers.ts";
import { decodeAll, type HeaderWindow, SECTION_BYTES } from "./biopac-window.ts";

/** One marker, as stored. */
export interface Marker {
  /** Tick of the base clock, signed: some files store positions before the start. */
  sample: number;
  text: string;
  /** Order number of its channel; -1 for the whole file. */
  channel: number;
  /** Four-letter style ("flag", "qrs "); "" before version 4. */
  style: string;
  /** Milliseconds since 1970, when the file says (4.4 and later). */
  createdMs?: number;
}

/** The markers of a file and where their section ends. */
export interface MarkerSection {
  markers: Marker[];
  end: number;
  warnings: string[];
}

/** How the items of a section are laid out. */
interface ItemLayout {
  bytes: number;
  /** Where the text length is, from the item's start. */
  textLengthAt: number;
  /** Bytes after the counted text: versions 3.5 to 3.9 do not count the final NUL. */
  uncounted: number;
  modern: boolean;
}

const old = (bytes: number, uncounted: number): ItemLayout => ({
  bytes,
  textLengthAt: bytes - 2,
  uncounted,
  modern: false,
});
const modern = (bytes: number): ItemLayout => ({
  bytes,
  textLengthAt: bytes - 2,
  uncounted: 0,
  modern: true,
});

/** Layouts to try, the revision's own first; the section's length tells which one is right. */
function layoutsOf(revision: number): ItemLayout[] {
  if (revision < REVISION_4) {
    const [late, early] = [old(12, 1), old(10, 0)];
    return [...(revision >= 36 ? [late, early] : [early, late]), old(12, 0), old(10, 1)];
  }
  const own = revision >= 128 ? 32 : revision >= 121 ? 24 : 16;
  return [own, ...[16, 24, 32].filter((n) => n !== own)].map(modern);
}

/**
 * Reads the marker section at `start`: a length, a count and the items. Version 4 counts one more
 * item than there are markers: the first is a template, and is left out.
 * @throws FuseError `Corrupt` or `Truncated`.
 */
export async function readMarkers(
  window: HeaderWindow,
  start: number,
  revision: number,
): Promise<MarkerSection> {
  await window.need(start, 8, "markers");
  const length = window.i32(start), count = window.i32(start + 4);
  const room = window.size - start;
  if (length < 0 || count < 0 || 10 * count > room) {
    throw new FuseError("Corrupt", "the marker section is impossible", {
      ...window.place(start, "lLength, lMarkers"),
      found: `${length} bytes, ${count} markers`,
      expected: `at most ${room} bytes`,
    });
  }
  // The length is trusted for the size of the read only as far as the file and the limits go.
  const span = Math.min(room, length + 8 + SECTION_BYTES, window.limits.headerBytes);
  await window.need(start, span, "markers");
  const layouts = layoutsOf(revision);
  // The length counts the section's own header in version 4 and in Macintosh files, not in others.
  const ends = revision >= REVISION_4 ? [start + length] : [start + 8 + length, start + length];
  const warnings: string[] = [];
  let found: ReturnType<typeof walk>;
  for (const layout of layouts) {
    found = walk(window, start + 8, count, layout, start + span);
    if (found && ends.includes(found.end)) break;
    found = undefined;
  }
  if (!found) {
    found = walk(window, start + 8, count, layouts[0], start + span);
    if (!found) {
      throw new FuseError("Corrupt", "the markers do not fit their section", {
        ...window.place(start, "markers"),
        found: `${length} bytes`,
        expected: `${count} markers`,
      });
    }
    warnings.push(
      `the marker section states ${length} bytes, its ${count} items take ${found.end - start}`,
    );
  }
  const markers = revision >= REVISION_4 ? found.markers.slice(1) : found.markers;
  return { markers, end: found.end, warnings };
}

function walk(
  window: HeaderWindow,
  first: number,
  count: number,
  layout: ItemLayout,
  limit: number,
): { markers: Marker[]; end: number } | undefined {
  const markers: Marker[] = [];
  let at = first;
  for (let i = 0; i < count; i++) {
    if (at + layout.bytes > limit) return undefined;
    const textLength = window.i16(at + layout.textLengthAt) + layout.uncounted;
    if (textLength < 0 || at + layout.bytes + textLength > limit) return undefined;
    const marker: Marker = {
      sample: window.i32(at),
      text: window.text(at + layout.bytes, textLength),
      channel: -1,
      style: "",
    };
    if (layout.modern) {
      marker.channel = window.i16(at + 8);
      marker.style = decodeAll(window.bytes(at + 10, 4), "windows-1252");
      if (layout.bytes >= 32) marker.createdMs = window.u64(at + 14);
    }
    markers.push(marker);
    at += layout.bytes + textLength;
  }
  return { markers, end: at };
}
