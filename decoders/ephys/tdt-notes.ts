/** Texts beside a TDT block: Synapse's notes of the experimenter, and the recorders' logs of lost samples. */

/** A note, and when it was taken. */
export interface TdtNote {
  /** Seconds since the recording began by the computer's clock; whole seconds. */
  seconds: number;
  text: string;
}

/** What `Notes.txt` says. */
export interface TdtNotes {
  /** "Experiment", "Subject", "User", "Start", "Stop" as they stand there. */
  fields: Record<string, string>;
  notes: TdtNote[];
}

const FIELD = /^(Experiment|Subject|User|Start|Stop):\s*(.*)$/;
const NOTE = /^Note-\d+:\s+(\S+)\s*(?:\[([^\]]*)\])?\s*(.*)$/;
const DAY_SECONDS = 86_400;

/** Seconds since midnight of "1:37:45pm" or "13:37:45"; NaN for other words. */
function clockOf(word: string): number {
  const m = /^(\d{1,2}):(\d{2}):(\d{2})\s*([ap])?m?$/i.exec(word);
  if (!m) return NaN;
  const half = m[4]?.toLowerCase();
  const hours = half ? Number(m[1]) % 12 + (half === "p" ? 12 : 0) : Number(m[1]);
  return hours * 3600 + Number(m[2]) * 60 + Number(m[3]);
}

/** Reads `Notes.txt`: a line a field, then notes whose texts may run over several lines. */
export function parseNotes(text: string): TdtNotes {
  const fields: Record<string, string> = {}, notes: TdtNote[] = [];
  let open: TdtNote | undefined, last = NaN;
  for (const line of text.split(/\r\n|\n|\r/).map((l) => l.trim())) {
    if (open) {
      const end = line.indexOf('"');
      open.text += `\n${end < 0 ? line : line.slice(0, end)}`;
      if (end >= 0) open = undefined;
      continue;
    }
    const field = FIELD.exec(line), note = NOTE.exec(line);
    if (field) fields[field[1]] ??= field[2].trim();
    if (!note) continue;
    const start = clockOf(/^\S+/.exec(fields.Start ?? "")?.[0] ?? "");
    let seconds = clockOf(note[1]) - start;
    // Clocks have no date: a note earlier than the one before it is of the next day.
    while (seconds < (Number.isNaN(last) ? 0 : last)) seconds += DAY_SECONDS;
    if (Number.isNaN(seconds)) continue;
    last = seconds;
    const [, inside = note[3]] = /^"([^"]*)"?/.exec(note[3]) ?? [];
    const button = note[2] && note[2] !== "none" ? note[2] : "";
    const found = { seconds, text: button || inside };
    notes.push(found);
    if (!button && /^"[^"]*$/.test(note[3])) open = found;
  }
  for (const note of notes) note.text = note.text.trim();
  return { fields, notes };
}

/** What the log of a recorder says; samples count from 1 at the recording's start. */
export interface SevLog {
  /** Number of the first sample in the file. */
  first: number;
  /** Last sample before each gap, and the first one after it. */
  gaps: [last: number, next: number][];
}

/** Reads a `_log.txt`; null where it does not say with which sample the file starts. */
export function parseSevLog(text: string): SevLog | null {
  const first = /recording started at sample: (\d+)/.exec(text);
  if (!first) return null;
  const pattern = /gap detected\. last saved sample: (\d+), new saved sample: (\d+)/g;
  const gaps = [...text.matchAll(pattern)].map((m): [number, number] => [
    Number(m[1]),
    Number(m[2]),
  ]);
  return { first: Number(first[1]), gaps };
}
