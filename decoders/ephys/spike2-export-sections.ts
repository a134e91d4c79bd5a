/** The blocks of a Spike2 export: information, summary, and one section a channel. */
import { numberOf, type NumberRange, type TextLine } from "./spike2-export-lines.ts";

/** A row of the summary. */
export interface SummaryRow {
  kind: string;
  title: string;
  units: string;
  /** Hz, as asked for; NaN where it is not stated. */
  idealRate: number;
  /** Hz; NaN where it is not stated. */
  rate: number;
  scale: number;
  offset: number;
}

/** A piece of a channel's body: a line that says something of the numbers after it, and these. */
export interface BodyPart {
  /** The line's fields; empty for numbers that follow the channel's head directly. */
  line: TextLine;
  /** "" for lines that are no keyword. */
  word: "START" | "GAP" | "WAVMK" | "HEAD" | "";
}

/** A channel as the file has it. */
export interface ExportSection {
  number: number;
  offset: number;
  kind: string;
  title: string;
  comment: string;
  units: string;
  /** Hz on the line of the unit; NaN where there is none. */
  idealRate: number;
  summary: SummaryRow | undefined;
  body: BodyPart[];
}

/** A whole export. */
export interface ExportDocument {
  /** The data document it was made from. */
  file: string;
  comments: string[];
  sections: ExportSection[];
}

const KEYWORDS = new Set(["START", "GAP", "WAVMK"]);
const BLOCKS = new Set(["INFORMATION", "SUMMARY", "CHANNEL"]);
/** Comments of a data document. */
const COMMENTS = 5;
/** What Spike2 writes for a channel without a comment. */
const NO_COMMENT = "No comment";

/** Sorts the lines of an export into its blocks. */
export function parseSections(lines: TextLine[]): ExportDocument {
  const document: ExportDocument = { file: "", comments: [], sections: [] };
  const summary = new Map<number, SummaryRow>();
  let at = 0;
  while (at < lines.length) {
    const block = blockOf(lines[at]);
    const end = endOf(lines, at + 1);
    const body = lines.slice(at + 1, end);
    if (block === "INFORMATION") readInformation(document, body);
    else if (block === "SUMMARY") readSummary(summary, body);
    else if (block === "CHANNEL") {
      document.sections.push(readChannel(lines[at], body, summary));
    }
    at = end;
  }
  return document;
}

/** The block a line begins; "" for any other line. A channel's line has a number. */
function blockOf({ fields }: TextLine): string {
  const [word] = fields;
  if (!BLOCKS.has(word)) return "";
  if (word === "CHANNEL") return fields.length === 2 && numberOf(fields[1]) >= 0 ? word : "";
  return fields.length === 1 ? word : "";
}

function endOf(lines: TextLine[], from: number): number {
  let end = from;
  while (end < lines.length && blockOf(lines[end]) === "") end++;
  return end;
}

function readInformation(document: ExportDocument, body: TextLine[]): void {
  const texts = body.map(({ fields }) => fields.join(" ").trim());
  document.file = texts[0] ?? "";
  document.comments = texts.slice(1, 1 + COMMENTS).filter((text) => text !== "");
}

/**
 * Rows of number, kind, title and for waveforms unit, rate asked for, true rate, scale and offset.
 * Some programs that write the same form put the rate before the unit: what is in quotes is text.
 */
function readSummary(summary: Map<number, SummaryRow>, body: TextLine[]): void {
  for (const { fields, quoted } of body) {
    const number = numberOf(fields[0]);
    if (!Number.isInteger(number) || fields.length < 2) continue;
    const rest = fields.slice(3), inQuotes = quoted.slice(3);
    const texts = rest.filter((_, i) => inQuotes[i]);
    const numbers = rest.filter((_, i) => !inQuotes[i]).map(numberOf);
    summary.set(number, {
      kind: fields[1],
      title: (fields[2] ?? "").trim(),
      units: (texts[0] ?? "").trim(),
      idealRate: numbers[0] ?? NaN,
      rate: numbers[1] ?? NaN,
      scale: numbers[2] ?? NaN,
      offset: numbers[3] ?? NaN,
    });
  }
}

function readChannel(
  first: TextLine,
  body: TextLine[],
  rows: Map<number, SummaryRow>,
): ExportSection {
  const number = numberOf(first.fields[1]);
  const summary = rows.get(number);
  const section: ExportSection = {
    number,
    offset: first.offset,
    kind: summary?.kind ?? "",
    title: summary?.title ?? "",
    comment: "",
    units: summary?.units ?? "",
    idealRate: summary?.idealRate ?? NaN,
    summary,
    body: [],
  };
  // The head ends at a keyword, or with the line that numbers follow.
  let headed = first.numbers !== null;
  if (first.numbers) {
    section.body.push({ line: { ...first, fields: [], quoted: [] }, word: "HEAD" });
  }
  const head: TextLine[] = [];
  for (const line of body) {
    const word = KEYWORDS.has(line.fields[0]) ? line.fields[0] as BodyPart["word"] : "";
    if (word === "" && !headed && !isEvent(line, head.length)) {
      head.push(line);
      if (line.numbers) {
        headed = true;
        section.body.push({ line: { ...line, fields: [], quoted: [] }, word: "HEAD" });
      }
    } else {
      headed = true;
      section.body.push({ line, word });
    }
  }
  readHead(section, head);
  return section;
}

/** After the three lines of a head: a level, with the time it began at unless it is the first one. */
function isEvent({ fields, quoted }: TextLine, behind: number): boolean {
  if (behind < 3 || !quoted[0] || !/^(?:HIGH|LOW|ON|OFF)$/i.test(fields[0])) return false;
  return fields.length === 1 ||
    (fields.length === 2 && !quoted[1] && !Number.isNaN(numberOf(fields[1])));
}

/** Kind, comment, title; for sampled channels then unit and rate. */
function readHead(section: ExportSection, head: TextLine[]): void {
  const texts = head.filter(({ fields, quoted }) => fields.length === 1 && quoted[0])
    .map(({ fields }) => fields[0].trim());
  if (texts.length >= 3) {
    const [kind, comment, title] = texts;
    section.kind = kind;
    section.comment = comment === NO_COMMENT ? "" : comment;
    section.title = title;
  } else if (texts.length > 0 && section.kind === "") [section.kind] = texts;
  const scale = head.find(({ fields, quoted }) =>
    fields.length >= 2 && quoted[0] && !quoted[1] && !Number.isNaN(numberOf(fields[1]))
  );
  if (!scale) return;
  section.units = scale.fields[0].trim();
  section.idealRate = numberOf(scale.fields[1]);
}

/** Ranges of numbers of a body, in order. */
export function rangesOf(parts: BodyPart[]): NumberRange[] {
  return parts.flatMap(({ line }) => line.numbers ? [line.numbers] : []);
}
