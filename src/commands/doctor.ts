/** `doctor`: what this machine has and lacks for the work. */
import { FORMATS } from "../../decoders/registry.ts";
import { loadWasm, type WasmName } from "../../decoders/wasm/instance.ts";
import { VERSION } from "../plan/attributes.ts";
import { createWorker } from "../pool/pool.ts";
import { nativeCodecs } from "../sinks/zarr/native-codecs.ts";
import { DISCOVER_URL } from "../sparc/discover.ts";
import type { FlagValues } from "./flags.ts";
import { humanBytes, table } from "./table.ts";

interface Check {
  what: string;
  state: "ok" | "missing" | "failed";
  detail: string;
}

/** Seconds a service may take to answer. */
const NETWORK_SECONDS = 5;

/** Runs `doctor`; status 1 when something that is needed fails. */
export async function doctorCommand(_args: string[], flags: FlagValues): Promise<number> {
  const checks: Check[] = [
    { what: "sparc-fuse", state: "ok", detail: `${VERSION}, ${FORMATS.length} formats` },
    {
      what: "runtime",
      state: "ok",
      detail: `${navigator.userAgent.replace("/", " ")}, ${Deno.build.target}`,
    },
    { what: "cores", state: "ok", detail: String(navigator.hardwareConcurrency) },
    memory(),
    ...await Promise.all(
      (["chunk_codecs", "ephys", "imaging", "tables"] as WasmName[]).map(decoder),
    ),
    await worker(),
    codecs(),
    credentials(),
    writable(String(flags.outputDir ?? "./output")),
    await service(
      "Pennsieve Discover",
      String(flags.discoverUrl ?? Deno.env.get("SPARC_FUSE_DISCOVER_URL") ?? DISCOVER_URL),
    ),
  ];
  if (flags.json) console.log(JSON.stringify(checks));
  else {console.log(
      table(["check", "state", "detail"], checks.map((c) => [c.what, c.state, c.detail])),
    );}
  return checks.some((c) => c.state === "failed") ? 1 : 0;
}

function memory(): Check {
  const { total, available } = Deno.systemMemoryInfo();
  return {
    what: "memory",
    state: "ok",
    detail: `${humanBytes(available)} of ${humanBytes(total)} free`,
  };
}

async function decoder(name: WasmName): Promise<Check> {
  try {
    const wasm = await loadWasm(name);
    const ptr = wasm.alloc(64);
    wasm.free(ptr, 64);
    return { what: `${name}.wasm`, state: "ok", detail: "loads" };
  } catch (error) {
    return { what: `${name}.wasm`, state: "failed", detail: (error as Error).message };
  }
}

async function worker(): Promise<Check> {
  const started = performance.now();
  try {
    const one = createWorker();
    await new Promise<void>((resolve, reject) => {
      one.onmessage = () => resolve();
      one.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message));
      };
    });
    one.terminate();
    return {
      what: "workers",
      state: "ok",
      detail: `start in ${Math.round(performance.now() - started)} ms`,
    };
  } catch (error) {
    return { what: "workers", state: "failed", detail: (error as Error).message };
  }
}

function codecs(): Check {
  try {
    nativeCodecs().zstd(new Uint8Array(64), 1);
    return { what: "zstd, gzip", state: "ok", detail: "from the runtime" };
  } catch (error) {
    return { what: "zstd, gzip", state: "missing", detail: (error as Error).message };
  }
}

function credentials(): Check {
  const named = ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"].filter((n) =>
    Deno.env.get(n)
  );
  return named.length ? { what: "AWS credentials", state: "ok", detail: named.join(", ") } : {
    what: "AWS credentials",
    state: "missing",
    detail: "needed only for buckets that bill their readers",
  };
}

function writable(folder: string): Check {
  try {
    let place = folder;
    while (!exists(place)) {
      place = place.includes("/") ? place.slice(0, place.lastIndexOf("/")) || "/" : ".";
    }
    const probe = Deno.makeTempFileSync({ dir: place, prefix: ".sparc-fuse-" });
    Deno.removeSync(probe);
    return { what: "output folder", state: "ok", detail: `${folder} can be written` };
  } catch (error) {
    return {
      what: "output folder",
      state: "failed",
      detail: `${folder}: ${(error as Error).message}`,
    };
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

async function service(what: string, url: string): Promise<Check> {
  try {
    const response = await fetch(`${url}/datasets?limit=1`, {
      signal: AbortSignal.timeout(NETWORK_SECONDS * 1000),
    });
    await response.body?.cancel();
    return response.ok
      ? { what, state: "ok", detail: url }
      : { what, state: "missing", detail: `${url} answers ${response.status}` };
  } catch (error) {
    return {
      what,
      state: "missing",
      detail: `${url}: ${(error as Error).message} (local files need no network)`,
    };
  }
}
