/**
 * The one seam through which wasm is loaded. A module is compiled once per thread; its calls cross
 * the boundary once per block, with pointers into its memory.
 */
import { type ErrorPlace, type ErrorTag, FuseError } from "../../src/errors.ts";

/** The wasm files that exist; each is loaded when first needed. */
export type WasmName =
  | "chunk_codecs"
  | "containers"
  | "ephys"
  | "imaging"
  | "imaging_jxl"
  | "imaging_rare"
  | "tables";

const URLS: Record<WasmName, URL> = {
  chunk_codecs: new URL("./chunk_codecs.wasm", import.meta.url),
  containers: new URL("./containers.wasm", import.meta.url),
  ephys: new URL("./ephys.wasm", import.meta.url),
  imaging: new URL("./imaging.wasm", import.meta.url),
  imaging_jxl: new URL("./imaging_jxl.wasm", import.meta.url),
  imaging_rare: new URL("./imaging_rare.wasm", import.meta.url),
  tables: new URL("./tables.wasm", import.meta.url),
};

const TAGS: ErrorTag[] = ["Corrupt", "Truncated", "Unsupported", "Limit"];

interface Abi {
  memory: WebAssembly.Memory;
  fuse_alloc(length: number): number;
  fuse_free(ptr: number, length: number): void;
  fuse_error_ptr(): number;
  fuse_error_len(): number;
  fuse_error_offset(): number;
}

/** A loaded module with its memory. Not shared between threads. */
export class WasmModule {
  readonly exports: Abi & Record<string, (...args: number[]) => number>;
  #u8: Uint8Array<ArrayBuffer>;

  constructor(instance: WebAssembly.Instance) {
    this.exports = instance.exports as unknown as WasmModule["exports"];
    this.#u8 = new Uint8Array(this.exports.memory.buffer as ArrayBuffer);
  }

  /** The whole memory as bytes; fetch it again after any call, because memory may have grown. */
  get memory(): Uint8Array<ArrayBuffer> {
    if (this.#u8.byteLength === 0 || this.#u8.buffer !== this.exports.memory.buffer) {
      this.#u8 = new Uint8Array(this.exports.memory.buffer as ArrayBuffer);
    }
    return this.#u8;
  }

  /** A view of `length` bytes at `ptr`, valid until the next allocation. */
  view(ptr: number, length: number): Uint8Array<ArrayBuffer> {
    return this.memory.subarray(ptr, ptr + length);
  }

  /** @throws FuseError `Limit` when wasm memory cannot grow by `length` bytes. */
  alloc(length: number): number {
    const ptr = this.exports.fuse_alloc(length) >>> 0;
    if (ptr === 0) {
      throw new FuseError("Limit", "no memory for a work buffer", { found: `${length} bytes` });
    }
    return ptr;
  }

  free(ptr: number, length: number): void {
    this.exports.fuse_free(ptr, length);
  }

  /** Copies bytes in; the caller frees them. */
  put(bytes: Uint8Array): number {
    const ptr = this.alloc(bytes.length);
    this.memory.set(bytes, ptr);
    return ptr;
  }

  /** Runs `body` with `bytes` copied into wasm memory, and frees them afterwards. */
  with<T>(bytes: Uint8Array, body: (ptr: number) => T): T {
    const ptr = this.put(bytes);
    try {
      return body(ptr);
    } finally {
      this.free(ptr, bytes.length);
    }
  }

  /**
   * Calls an export and turns a negative status into a {@link FuseError} at `place`
   * (an error's offset inside the input is added to `place.offset`).
   */
  call(name: string, args: number[], place: ErrorPlace = {}): number {
    const status = this.exports[name](...args);
    if (status >= 0) return status;
    const text = new TextDecoder().decode(
      this.view(this.exports.fuse_error_ptr() >>> 0, this.exports.fuse_error_len()).slice(),
    );
    const inner = this.exports.fuse_error_offset();
    const offset = inner >= 0 ? (place.offset ?? 0) + inner : place.offset;
    throw new FuseError(TAGS[-status - 1] ?? "Corrupt", text, { ...place, offset });
  }
}

/** Reads a wasm file's bytes; replaced by hosts where `fetch` cannot reach them. */
export type WasmFetcher = (url: URL) => Promise<BufferSource>;

let fetcher: WasmFetcher = async (url) => {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`cannot load ${url.pathname.split("/").pop()}`);
  return await response.arrayBuffer();
};

/** Lets a host say how wasm files are read (embedded files, bundles). */
export function setWasmFetcher(next: WasmFetcher): void {
  fetcher = next;
}

const compiled = new Map<WasmName, Promise<WebAssembly.Module>>();
const instances = new Map<WasmName, Promise<WasmModule>>();

function compile(name: WasmName): Promise<WebAssembly.Module> {
  let module = compiled.get(name);
  if (!module) {
    module = fetcher(URLS[name]).then((bytes) => WebAssembly.compile(bytes));
    compiled.set(name, module);
  }
  return module;
}

/** This thread's shared instance of a module. */
export function loadWasm(name: WasmName): Promise<WasmModule> {
  let instance = instances.get(name);
  if (!instance) {
    instance = newWasm(name);
    instances.set(name, instance);
  }
  return instance;
}

/** A fresh instance with a memory of its own, for work that must give all of it back. */
export async function newWasm(name: WasmName): Promise<WasmModule> {
  return new WasmModule(await WebAssembly.instantiate(await compile(name)));
}
