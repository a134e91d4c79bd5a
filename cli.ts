/** The command line: argv -> command, exit status. */
import { isFuseError } from "./src/errors.ts";
import { runProgram } from "./src/commands/program.ts";

try {
  Deno.exitCode = await runProgram(Deno.args);
} catch (error) {
  if (isFuseError(error)) {
    console.error(`sparc-fuse: ${error.message}`);
    Deno.exitCode = error.tag === "Usage" ? 2 : error.tag === "Aborted" ? 130 : 1;
  } else {
    // Not foreseen: the stack is what a bug report needs.
    console.error("sparc-fuse: unexpected failure (please report it)");
    console.error(Deno.env.get("SPARC_FUSE_DEBUG") ? error : `  ${error}`);
    Deno.exitCode = 1;
  }
}
