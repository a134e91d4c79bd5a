/** Reads PalmSens sessions and methods. */
import { DEFAULT_LIMITS, FuseError } from "../../src/errors.ts";
import { type Dataset, emptyDataset } from "../../src/model/dataset.ts";
import type { ByteSource } from "../../src/source/source.ts";
import type { OpenOptions, Reader } from "../format.ts";
import { fillSession } from "./palmsens-session.ts";

/** Reader of .pssession and .psmethod files. */
export const reader: Reader = { open };

async function open(
  source: ByteSource,
  { limits = DEFAULT_LIMITS, signal }: OpenOptions,
): Promise<Dataset> {
  // JSON is read as a whole: its size is bounded like that of a header.
  const options = { purpose: "header", signal } as const;
  if ((source.size ?? 0) > limits.headerBytes) throw tooLarge(source, limits.headerBytes);
  const bytes = await source.readUpTo(0, source.size ?? limits.headerBytes + 1, options);
  if (bytes.length > limits.headerBytes) throw tooLarge(source, limits.headerBytes);
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe
    ? "utf-16le"
    : bytes[0] === 0xfe && bytes[1] === 0xff
    ? "utf-16be"
    : "utf-8";
  // Writers put the mark at both ends.
  const text = new TextDecoder(encoding).decode(bytes).replace(/^[\ufeff\s]+|[\ufeff\0\s]+$/g, "");
  const dataset = emptyDataset("palmsens", [source]);
  dataset.metadata.modality = "electrochemistry";
  if (text.startsWith("{")) fillSession(dataset, text, limits.items);
  else if (/^METHOD_ID=/m.test(text)) fillMethod(dataset, text);
  else {
    throw new FuseError("Unsupported", "an older PalmSens file, or another program's", {
      source: source.name,
      offset: 0,
      expected: "a .pssession or .psmethod file",
      remedy: "The layout of .pss and .pst is not published; save it as .pssession with PSTrace. " +
        "PicoScope uses .pss for files of its own.",
    });
  }
  return dataset;
}

function tooLarge(source: ByteSource, limit: number): FuseError {
  return new FuseError("Limit", "the session is too large to be read at once", {
    source: source.name,
    found: source.size,
    expected: `at most ${limit} bytes`,
  });
}

/** Lines KEY=VALUE with escaped values, and comments after "#". */
function fillMethod(dataset: Dataset, text: string): void {
  const settings: Record<string, string> = {}, comments: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    const equals = line.indexOf("=");
    if (line.startsWith("#")) comments.push(line.slice(1));
    else if (equals > 0 && line.slice(0, equals) !== "__proto__") {
      settings[line.slice(0, equals)] = unescapeText(line.slice(equals + 1));
    }
  }
  dataset.metadata.header = { comments, settings };
  if (settings.NOTES) dataset.metadata.notes = settings.NOTES;
  dataset.groups = [{ path: "method", attributes: settings }];
  const columns = { setting: Object.keys(settings), value: Object.values(settings) };
  for (const [name, values] of Object.entries(columns)) {
    dataset.arrays.push({
      path: `method/${name}`,
      dtype: "string",
      dims: ["setting"],
      shape: [values.length],
      layout: { kind: "values", values },
    });
  }
}

function unescapeText(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
