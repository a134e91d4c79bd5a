/**
 * Writes schemas/mapping.schema.json, the JSON Schema of mapping descriptors, from the schemas that check them.
 *
 *   deno run -A tools/mapping-schema.ts            rewrite it
 *   deno run -A tools/mapping-schema.ts --check    fail when it is out of date
 */
import { toJsonSchema } from "@valibot/to-json-schema";
import { descriptorSchema } from "../decoders/mapping/descriptor.ts";

const FILE = new URL("../schemas/mapping.schema.json", import.meta.url);

/** The JSON Schema as it stands in its file. */
export function mappingSchema(): string {
  const { $schema, ...schema } = toJsonSchema(descriptorSchema);
  const named = {
    $schema,
    $id: "urn:sparc-fuse:mapping:1",
    title: "SPARC FUSE mapping descriptor",
    description: "What columns, arrays or bytes of a file mean; see docs/mapping.md",
    ...schema,
  };
  return JSON.stringify(named, null, 2) + "\n";
}

if (import.meta.main) {
  if (Deno.args[0] !== "--check") {
    Deno.mkdirSync(new URL("./", FILE), { recursive: true });
    Deno.writeTextFileSync(FILE, mappingSchema());
  } else if (Deno.readTextFileSync(FILE) !== mappingSchema()) {
    console.error(
      "schemas/mapping.schema.json is out of date: deno run -A tools/mapping-schema.ts",
    );
    Deno.exit(1);
  }
}
