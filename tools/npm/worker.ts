/** The package's worker thread. */
import "./host.ts";
import "../../src/pool/worker.ts";
