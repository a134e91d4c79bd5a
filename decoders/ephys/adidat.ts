/** Files of ADInstruments that hold data or settings in forms nobody has described. */
import { FuseError } from "../../src/errors.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { type FormatDescriptor, NOT_MINE, type ProbeInput, type Reader } from "../format.ts";

const WHAT: Record<string, { what: string; remedy: string }> = {
  ".adidat": {
    what: "an ADIDat file, the data format of ADInstruments' programs other than LabChart",
    remedy: "Open it in LabChart and save it as .adicht or export it as .adibin",
  },
  ".adidatx": {
    what: "an ADIDat file, the data format of ADInstruments' programs other than LabChart",
    remedy: "Open it in LabChart and save it as .adicht or export it as .adibin",
  },
  ".adiset": {
    what: "a LabChart settings file: how to record, not a recording",
    remedy: "Give the .adicht recorded with it",
  },
};

const extensionOf = (name: string) =>
  Object.keys(WHAT).find((extension) => name.toLowerCase().endsWith(extension));

/** Names what it refuses. */
export const adidat: FormatDescriptor = {
  id: "adidat",
  name: "ADInstruments ADIDat and settings files",
  kind: "time-series",
  extensions: Object.keys(WHAT),
  needs: "forward",
  reads: "only recognised by name, and refused",
  missing: "all: their layout is not public, and ADInstruments' own library needs Windows; files " +
    "that are LabChart documents in truth are read as such",
  references: ["ADInstruments ADIDat toolkit (interface description only)"],
  probe,
  load: () => Promise.resolve(reader),
};

/**
 * By name alone, and yet enough to open: nothing is known of the bytes, and to be told what the file
 * is helps more than that nobody knows it. Any format that does know the bytes scores higher.
 */
function probe({ name }: ProbeInput) {
  const extension = extensionOf(name);
  return extension ? { score: 45, why: `${WHAT[extension].what}, by its name` } : NOT_MINE;
}

const reader: Reader = {
  open(source: ByteSource) {
    const { what, remedy } = WHAT[extensionOf(source.name) ?? ".adidat"];
    return Promise.reject(
      new FuseError("Unsupported", `is ${what}; its layout is not public`, {
        source: source.name,
        format: "adidat",
        remedy,
      }),
    );
  },
};
