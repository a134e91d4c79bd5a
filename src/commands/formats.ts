/** `formats`: what is read, what is not. */
import { FORMATS } from "../../decoders/registry.ts";
import type { FlagValues } from "./flags.ts";
import { table } from "./table.ts";

/** Prints the format table. */
// deno-lint-ignore require-await
export async function formatsCommand(_args: string[], flags: FlagValues): Promise<number> {
  if (flags.json) {
    for (const { probe: _probe, load: _load, ...format } of FORMATS) {
      console.log(JSON.stringify(format));
    }
    return 0;
  }
  console.log(table(
    ["id", "extensions", "format", "kind", "needs"],
    FORMATS.map((f) => [
      f.id,
      f.extensions.join(" "),
      f.name,
      f.kind,
      f.needs === "random" ? "byte ranges" : "one pass",
    ]),
  ));
  return 0;
}
