/** The package's library: the same as `mod.ts` under Deno. */
import "./host.ts";

export * from "../../mod.ts";
