/** Memory of a wasm module that decoders use again from chunk to chunk. */
import type { WasmModule } from "./instance.ts";

/** A region of wasm memory that grows and is used again for every chunk of the thread. */
export class Region {
  #ptr = 0;
  #length = 0;

  constructor(readonly module: WasmModule) {}

  /** Address of at least `length` bytes; what was there is lost when it grows. */
  reserve(length: number): number {
    if (length > this.#length) {
      if (this.#ptr) this.module.free(this.#ptr, this.#length);
      this.#ptr = this.#length = 0;
      this.#ptr = this.module.alloc(length);
      this.#length = length;
    }
    return this.#ptr;
  }

  /** Copies bytes in; gives their address. */
  put(bytes: Uint8Array): number {
    const ptr = this.reserve(bytes.length);
    this.module.memory.set(bytes, ptr);
    return ptr;
  }
}

/** Gives each module one region of every name. */
export function regionsBy<Name extends string>(
  ...names: Name[]
): (module: WasmModule) => Record<Name, Region> {
  const known = new WeakMap<WasmModule, Record<Name, Region>>();
  return (module) => {
    let regions = known.get(module);
    if (!regions) {
      const made = names.map((name) => [name, new Region(module)]);
      known.set(module, regions = Object.fromEntries(made) as Record<Name, Region>);
    }
    return regions;
  };
}
