/** The package's command: looks at the runtime's version before anything newer than it is loaded. */
import process from "node:process";

const LEAST = 20;

if (parseInt(process.versions.node) < LEAST) {
  console.error(`sparc-fuse: needs Node ${LEAST} or later, this is ${process.versions.node}`);
  process.exitCode = 1;
} else {
  await import("./host.ts");
  await import("../../cli.ts");
}
