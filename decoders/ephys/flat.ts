/** Flat binary recordings, whose shape only the `params.py` beside them tells (phy, Kilosort). */
import type { ByteSource } from "../../src/source/source.ts";
import { type FormatDescriptor, NOT_MINE, type ProbeInput, type ProbeResult } from "../format.ts";
import { describes, PARAMS_FILE, readParams } from "./flat-params.ts";

const EXTENSIONS = [".dat", ".bin", ".raw"];

/** Interleaved samples without a header; nothing is guessed where `params.py` does not name the file. */
export const flat: FormatDescriptor = {
  id: "flat",
  name: "Flat binary with params.py",
  kind: "time-series",
  extensions: EXTENSIONS,
  memberExtensions: EXTENSIONS,
  needs: "random",
  reads:
    "interleaved samples of any NumPy type and byte order, in one file or several in a row, as " +
    "params.py states them",
  missing: "files that no params.py names: nothing in them tells their shape",
  references: ["phy 2 documentation, params.py", "Kilosort 4 documentation"],
  probe,
  probeSet,
  load: async () => (await import("./flat-reader.ts")).reader,
};

function probe({ name }: ProbeInput): ProbeResult {
  const extension = EXTENSIONS.find((e) => name.endsWith(e));
  return extension ? { score: 5, why: `extension ${extension}` } : NOT_MINE;
}

/** A file is known by the `params.py` that names it. */
async function probeSet(source: ByteSource, signal?: AbortSignal): Promise<ProbeResult> {
  const file = await source.sibling(PARAMS_FILE);
  if (!file) return NOT_MINE;
  try {
    const params = await readParams(file, signal);
    return describes(params, source.name)
      ? { score: 200, why: `${PARAMS_FILE} beside it names it and says its shape` }
      : NOT_MINE;
  } finally {
    await file.close();
  }
}
