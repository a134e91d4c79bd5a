/** Flat binary recordings, whose shape only somebody else can tell: the user, a sidecar, a `params.py`. */
import type { ByteSource } from "../../src/source/source.ts";
import { type FormatDescriptor, NOT_MINE, type ProbeInput, type ProbeResult } from "../format.ts";
import { isFuseError } from "../../src/errors.ts";
import { describes, PARAMS_FILE, readParams } from "./flat-params.ts";

const EXTENSIONS = [".dat", ".bin", ".raw"];

/** Samples without a header of their own; nothing is guessed where nobody states their shape. */
export const flat: FormatDescriptor = {
  id: "flat",
  name: "Flat binary, as told",
  kind: "time-series",
  extensions: EXTENSIONS,
  memberExtensions: EXTENSIONS,
  needs: "random",
  reads:
    "interleaved or channel-major samples of any NumPy number type and byte order, behind a header or not, " +
    "as flags (--dtype, --channels, --rate, --order ...), FILE.json or phy's params.py state them",
  missing: "files whose shape nobody states: nothing is guessed",
  references: ["phy 2 documentation, params.py", "Kilosort 4 documentation"],
  probe,
  probeSet,
  load: async () => (await import("./flat-reader.ts")).reader,
};

function probe({ name }: ProbeInput): ProbeResult {
  const extension = EXTENSIONS.find((e) => name.endsWith(e));
  return extension ? { score: 5, why: `extension ${extension}` } : NOT_MINE;
}

/** A file is known by its sidecar or by the `params.py` that names it. */
async function probeSet(source: ByteSource, signal?: AbortSignal): Promise<ProbeResult> {
  // Loaded when there is a file to ask about: it brings the checks of descriptors with it.
  const { readSidecar, SIDECAR } = await import("./flat-shape.ts");
  try {
    const sidecar = await readSidecar(source, signal);
    if (sidecar) return { score: 200, why: `${sidecar.from} beside it says its shape` };
  } catch (error) {
    // One that says something impossible is still about this file: the reader says what is wrong.
    if (!isFuseError(error, "Usage")) throw error;
    return { score: 200, why: `${source.name}${SIDECAR} beside it describes it` };
  }
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
